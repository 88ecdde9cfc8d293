"""The systemd units: how much they expose, and that the daemon works under their filter."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from daemons import SUPPORT, Caller, header
from eventually import eventually

UNITS = Path(__file__).parents[3] / "server" / "systemd"
ENVOY = UNITS.parent / "envoy" / "inpaint-envoy.service"
SYSTEM, USER = UNITS / "system" / "inpaint-server.service", UNITS / "inpaint-server.service"
pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.mark.parametrize("unit", [SYSTEM, ENVOY], ids=["daemon", "envoy"])
def test_the_system_units_expose_little(unit: Path) -> None:
    """Below 4.0 of 10, which systemd itself calls OK; the daemon's is 1.7 with systemd 252."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=40", str(unit)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


@pytest.mark.parametrize("unit", [SYSTEM, USER, ENVOY], ids=["system", "user", "envoy"])
def test_a_unit_has_bounds_and_no_mistakes(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text()
    for setting in ("MemoryMax", "TasksMax", "LimitNOFILE", "SystemCallFilter", "NoNewPrivileges"):
        assert f"\n{setting}=" in text
    program = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    copy = tmp_path / "inpaint-server.service"
    copy.write_text(text.replace(program, f"ExecStart={sys.executable}"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True
    )
    about_it = [line for line in done.stderr.splitlines() if "inpaint-server.service" in line]
    assert about_it == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux has such filters")
@pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])
def test_the_daemon_fills_under_the_filter_of_system_calls(unit: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, str(SUPPORT / "under_filter.py"), str(unit), sys.executable]
            + ["-m", "inpaint_server", "--device", "cpu", "--model", "tiny"],
            env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
            stdout=file,
            stderr=file,
        )
    try:
        runtime = tmp_path / "inpaint" / "server.json"
        assert eventually(lambda: runtime.exists() or process.poll() is not None, 120)
        assert process.poll() is None, log.read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "\nSeccomp:\t2\n" in status

        told = json.loads(runtime.read_text())
        with Caller(grpc.insecure_channel(told["address"]), told["token"]) as caller:
            assert len(caller.fill(header(seeds=[1, 2])).candidates) == 2
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert "Operation not permitted" not in log.read_text()
