"""`inpaint ps` and `inpaint stop`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from daemons import DaemonProcess, header
from eventually import eventually

pytestmark = pytest.mark.slow
Command = Callable[..., subprocess.CompletedProcess[str]]


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inpaint_cli", *arguments],
        env={
            **os.environ,
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CACHE_HOME": str(folder),
            "HOME": str(folder),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


def workers() -> int:
    """How many a daemon has here: one for each thread of torch in a fresh process, at most 4."""
    command = "import torch; print(torch.get_num_threads())"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
    return min(int(done.stdout), 4)


def test_ps_shows_the_activity_of_the_daemon(daemon: DaemonProcess, inpaint: Command) -> None:
    with daemon.caller() as caller:
        caller.fill(header(seeds=[1]))
    runtime = daemon.runtime()
    shown = inpaint("ps")
    assert shown.returncode == 0, shown.stderr
    first, *lines = shown.stdout.splitlines()
    place = f"{re.escape(runtime['address'])}, process {runtime['pid']}"
    assert re.fullmatch(rf"inpaint-server \S+ at {place}, up \d+ (s|min)", first)
    found = dict(line.split(maxsplit=1) for line in lines)
    assert found["device"].endswith(f"0 of {workers()} workers busy")
    assert found["queue"] == "0 waiting, 0 calls open"
    assert int(found["memory"].split()[0]) > 100
    assert re.fullmatch(r"[1-9]\d*, \d+ MiB", found["sessions"])
    assert found["models"] == "tiny (default, loaded, 1 MiB)"


def test_ps_for_scripts(daemon: DaemonProcess, inpaint: Command) -> None:
    told = json.loads(inpaint("ps", "--json").stdout)
    assert told["pid"] == daemon.process.pid
    assert told["address"] == daemon.runtime()["address"]
    assert [model["name"] for model in told["models"]] == ["tiny"]
    assert told["activity"]["workers"] == workers()
    assert "token" not in json.dumps(told)


@pytest.mark.parametrize("command", ["ps", "stop"])
def test_neither_starts_a_daemon(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command)
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert "No daemon is running on this machine" in line
    assert not list(tmp_path.rglob("server.json"))


def test_stop_lets_a_fill_finish_and_waits(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, slow_s=0.3) as daemon, daemon.caller() as caller:
        running = caller.start_fill(header(seeds=[1], count=8))
        next(running)
        runtime = daemon.runtime()
        done = run(tmp_path, "stop")
        assert done.returncode == 0, done.stderr
        name = f"inpaint-server {runtime['version']} at {runtime['address']}"
        assert done.stdout.splitlines() == [
            f"stopping {name}, process {runtime['pid']}",
            "stopped",
        ]
        assert eventually(lambda: daemon.process.poll() == 0, 10.0)
        assert list(running)[-1].WhichOneof("event") == "done"


def test_a_daemon_of_another_user_keeps_running(daemon: DaemonProcess, tmp_path: Path) -> None:
    """One that the settings name and that has no runtime file here."""
    runtime = daemon.runtime()
    named = {"INPAINT_SERVER": runtime["address"], "INPAINT_TOKEN": runtime["token"]}
    assert run(tmp_path, "ps", **named).returncode == 0
    done = run(tmp_path, "stop", **named)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "was not started by this user on this machine" in line
    time.sleep(0.3)
    assert daemon.process.poll() is None


@pytest.mark.skipif(not hasattr(os, "fork") or os.getuid() != 0, reason="needs another user")
def test_a_runtime_file_of_another_user_is_no_reason_to_kill(tmp_path: Path) -> None:
    folder = tmp_path / "inpaint"
    folder.mkdir()
    sleeping = subprocess.Popen(["sleep", "60"])
    try:
        file = folder / "server.json"
        content = {"address": "127.0.0.1:9", "token": "t", "pid": sleeping.pid, "version": "1"}
        file.write_text(json.dumps(content))
        os.chown(file, 65534, 65534)
        assert run(tmp_path, "stop").returncode == 3
        os.chown(file, 0, 0)  # ours, but stale: nobody holds its lock
        assert run(tmp_path, "stop").returncode == 3
        assert sleeping.poll() is None
    finally:
        sleeping.kill()
        sleeping.wait()
