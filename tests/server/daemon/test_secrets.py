"""The token of a real daemon appears in its own files and nowhere else, whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from daemons import Caller, DaemonProcess, write_token
from inpaint_client import ConnectionSettings, Secret, SettingsFile
from PIL import Image

WORD = "Xyzzy-4711-plugh-0123456789"

pytestmark = pytest.mark.slow


def test_a_token_is_seen_nowhere(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    write_token(token_file, f"{WORD}\n")
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "p.png")
    hole = np.zeros((32, 32), np.uint8)
    hole[8:20, 8:20] = 255
    Image.fromarray(hole).save(tmp_path / "m.png")
    config = f"token_file: {token_file}\nlog_level: debug"
    said: list[str] = []
    with DaemonProcess(tmp_path, config=config) as daemon:
        address = str(daemon.runtime()["address"])
        home = tmp_path / "home"

        def run(token: str | None, *arguments: str) -> int:
            environment = {k: v for k, v in os.environ.items() if not k.startswith("INPAINT_")}
            environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
            environment["INPAINT_SERVER"] = address
            if token is not None:
                environment["INPAINT_TOKEN"] = token
            ended = subprocess.run(
                [sys.executable, "-X", "dev", "-m", "inpaint_cli", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            said.append(ended.stdout + ended.stderr)
            assert "Traceback" not in said[-1]
            return ended.returncode

        fill = ("fill", str(tmp_path / "p.png"), "--mask", str(tmp_path / "m.png"), "--out")
        assert run(WORD, *fill, str(tmp_path / "out")) == 0
        assert run(f"{WORD}\n", "info") == 0  # as a file read whole would give it
        for wrong in (f"{WORD}\n{WORD}", f"{WORD}ü", f"{WORD}-but-wrong", f"\x7f{WORD}"):
            assert run(wrong, "info") != 0
            assert run(wrong, *fill, str(tmp_path / "out")) != 0
        file = SettingsFile(home / "inpaint" / "connection.json", ConnectionSettings)
        file.save(ConnectionSettings(token=Secret(f"{WORD}ü")))
        assert run(None, "info") != 0
        with Caller(grpc.insecure_channel(address), f"{WORD}x") as caller:
            with pytest.raises(grpc.RpcError) as refused:
                caller.info()
            said.append(str(refused.value))
        said.append(Path(f"/proc/{daemon.process.pid}/cmdline").read_text())
        daemon.process.terminate()
        daemon.ended()
    for text in [*said, daemon.log.read_text()]:
        assert WORD not in text
    assert any("contains a line break" in text for text in said)
    holders = {
        path.name
        for path in tmp_path.rglob("*")
        if path.is_file() and WORD.encode() in path.read_bytes()
    }
    assert holders == {"token", "connection.json"}  # the runtime file is gone with its daemon


@pytest.mark.parametrize("content", [f"{WORD}\nmore", f"{WORD} more", f"{WORD}ü", "short", ""])
def test_a_bad_token_file_is_refused_without_showing_it(tmp_path: Path, content: str) -> None:
    write_token(tmp_path / "token", content)
    with DaemonProcess(tmp_path, config=f"token_file: {tmp_path / 'token'}") as daemon:
        assert daemon.ended() == 2
    said = daemon.log.read_text()
    assert "must contain one token" in said
    assert WORD not in said
    assert "Traceback" not in said
