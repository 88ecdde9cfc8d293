"""Starting a real process, waiting for it, and saying why it did not come up."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from inpaint_client import (
    BlockingClient,
    ConnectionSettings,
    DaemonNotFoundError,
    ProgramNotFoundError,
    RequestCancelledError,
    StartFailedError,
    Starting,
    ensure_daemon,
    find_daemon,
)
from inpaint_client import daemon as daemon_module
from inpaint_client.daemon import PROGRAM_FILE, find_command, last_line, log_file
from inpaint_client.discovery import process_exists, runtime_files

FAKE = Path(__file__).resolve().parents[1] / "support" / "fake_daemon.py"
ROOTS = os.pathsep.join(path for path in sys.path if path)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An own home with an empty PATH; daemons that were started in it are ended."""
    for variable in ("INPAINT_SERVER", "INPAINT_TOKEN", "XDG_CACHE_HOME", "SNAP"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    yield tmp_path
    for runtime in runtime_files():
        os.kill(runtime.pid, signal.SIGTERM)


def program(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return path


@pytest.fixture
def server(home: Path) -> Path:
    """`inpaint-server` on the PATH: the fake daemon, with a line of log before."""
    start = f"exec {sys.executable} {FAKE} --runtime {home / 'run'} --token t"
    return program(
        home / "bin/inpaint-server", "echo reading weights", f"PYTHONPATH='{ROOTS}' {start}"
    )


@pytest.mark.usefixtures("server")
def test_the_daemon_is_started_and_used() -> None:
    steps: list[Starting] = []
    endpoint = ensure_daemon(ConnectionSettings(), steps.append)
    assert endpoint == find_daemon() == ensure_daemon(ConnectionSettings())
    with BlockingClient(lambda: endpoint) as client:
        assert client.info().version == "0.0-fake"
    assert "reading weights" in {step.last_line for step in steps}
    assert [step.elapsed_s for step in steps] == sorted(step.elapsed_s for step in steps)
    assert len(runtime_files()) == 1


@pytest.mark.usefixtures("server")
def test_it_does_not_belong_to_the_hosts_session() -> None:
    """Ctrl-C in the terminal of the host does not reach it."""
    ensure_daemon(ConnectionSettings())
    [runtime] = runtime_files()
    assert os.getsid(runtime.pid) != os.getsid(0)
    assert process_exists(runtime.pid)


def test_the_hosts_python_variables_stay_in_the_host(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/krita")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/krita/lib")
    program(home / "bin/inpaint-server", 'echo "[$PYTHONHOME$LD_LIBRARY_PATH]"; exit 3')
    with pytest.raises(StartFailedError, match=r"\[\]"):
        ensure_daemon(ConnectionSettings())


def test_its_last_log_line_is_passed_on(home: Path) -> None:
    lines = ("echo started", "echo 'inpaint-server: no GPU 7; there are GPUs 0, 1' >&2", "exit 2")
    program(home / "bin/inpaint-server", *lines)
    with pytest.raises(StartFailedError, match="exited immediately: inpaint-server: no GPU 7"):
        ensure_daemon(ConnectionSettings())
    assert log_file().read_text().startswith("started")


def test_two_hosts_start_it_at_the_same_time(home: Path, server: Path) -> None:
    """The second process gives way; its host waits for the first one's runtime file."""
    first = server.rename(home / "first")
    refusal = "inpaint-server: a daemon already runs here (it is just starting)"
    program(server, f"(/bin/sleep 0.5; {first}) > /dev/null &", f"echo '{refusal}'", "exit 2")
    assert ensure_daemon(ConnectionSettings()) == find_daemon()


def test_a_silent_death(home: Path) -> None:
    program(home / "bin/inpaint-server", "exit 5")
    with pytest.raises(StartFailedError, match="with status 5"):
        ensure_daemon(ConnectionSettings())


def test_one_that_never_comes_up(home: Path) -> None:
    program(home / "bin/inpaint-server", "echo still loading", "exec /bin/sleep 5")
    with pytest.raises(
        StartFailedError, match=r"within 0 s\. The last line of its log: “still loading”\. Its log"
    ):
        ensure_daemon(ConnectionSettings(), timeout_s=0.4)


def test_the_wait_can_be_given_up(home: Path) -> None:
    program(home / "bin/inpaint-server", "exec /bin/sleep 5")
    with pytest.raises(RequestCancelledError):
        ensure_daemon(ConnectionSettings(), is_wanted=lambda: False)


def test_it_is_not_installed(home: Path) -> None:
    with pytest.raises(ProgramNotFoundError, match=r"not found.*pip install"):
        find_command(beside=home / "site-packages/inpaint_client/daemon.py")


def test_starting_is_forbidden_or_makes_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DaemonNotFoundError, match="No daemon is running"):
        ensure_daemon(ConnectionSettings(start_daemon=False))
    remote = ConnectionSettings(address="tls://gpu.example:1")
    assert str(ensure_daemon(remote)) == "tls://gpu.example:1"


def test_where_the_program_is_searched_for(home: Path, server: Path) -> None:
    assert find_command() == [str(server)]
    own = program(home / "elsewhere/inpaint-server")
    assert find_command(str(own)) == [str(own)]
    with pytest.raises(ProgramNotFoundError, match="Choose another program"):
        find_command("/nowhere/inpaint-server")
    server.unlink()
    site = home / "venv/lib/python3.13/site-packages/inpaint_client/daemon.py"
    in_venv = program(home / "venv/bin/inpaint-server")
    assert find_command(beside=site) == [str(in_venv)]
    in_venv.unlink()
    users = program(home / ".local/bin/inpaint-server")
    assert find_command(beside=site) == [str(users)]


@pytest.mark.usefixtures("server")
def test_a_plug_in_starts_the_daemon_that_it_was_installed_from(home: Path) -> None:
    client = home / "pykrita/inpaint_krita/_vendor/inpaint_client/daemon.py"
    client.parent.mkdir(parents=True)
    in_path = find_command(beside=client)
    note = home / "pykrita/inpaint_krita" / PROGRAM_FILE
    noted = program(home / "studio venv/bin/inpaint-server")
    note.write_text(f"{noted}\n", "utf-8")
    assert find_command(beside=client) == [str(noted)]
    chosen = program(home / "chosen")
    assert find_command(str(chosen), beside=client) == [str(chosen)]
    noted.unlink()  # the environment is gone: look elsewhere
    assert find_command(beside=client) == in_path
    note.write_bytes(b"\xff\x00")
    assert find_command(beside=client) == in_path


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", ""), (b"one\ntwo\n\n  \n", "two"), (b"x" * 9000 + b"\nlast \xff", "last \ufffd")],
)
def test_last_line(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    assert last_line(path) == expected
    assert last_line(tmp_path / "absent") == ""


def test_inside_flatpak(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    info = tmp_path / "flatpak-info"
    real: Callable[..., str] = Path.read_text
    monkeypatch.setattr(daemon_module, "is_flatpak", lambda: True)
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, *rest: real(info if path.name == ".flatpak-info" else path, *rest),
    )
    info.write_text("[Context]\nshared=network;\n")
    with pytest.raises(StartFailedError, match="inside Flatpak"):
        find_command()
    info.write_text("[Session Bus Policy]\norg.freedesktop.Flatpak=talk\n")
    program(home / "bin/flatpak-spawn")
    assert find_command() == ["flatpak-spawn", "--host", "inpaint-server"]
