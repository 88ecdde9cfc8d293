"""How clients find the daemon: the runtime file, and its copy for programs inside Flatpak."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Timer
from typing import NoReturn

import pytest
from daemons import DaemonProcess
from inpaint_client import BlockingClient, ConnectionSettings, DaemonNotFoundError, find_daemon
from inpaint_client import discovery as discovery_module
from inpaint_client import folders as folders_module
from inpaint_client.daemon import start_daemon
from inpaint_client.discovery import is_locked, read_runtime_file
from inpaint_client.errors import StartFailedError
from inpaint_protos.secret import Secret
from inpaint_server import __version__
from inpaint_server.daemon.runtime_file import RuntimeFile, default_runtime_file, visible_copy
from inpaint_server.errors import AlreadyRunningError, ConfigurationError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def flatpak(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process as a program inside Flatpak: the real home, but other folders for all else."""
    for variable in ("INPAINT_SERVER", "INPAINT_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    own = home / ".var/app/org.kde.krita"
    monkeypatch.setenv("XDG_CACHE_HOME", str(own / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "sandbox"))
    monkeypatch.setenv("FLATPAK_ID", "org.kde.krita")
    for module in (discovery_module, folders_module):
        monkeypatch.setattr(module, "is_flatpak", lambda: True)


def session_of(home: Path) -> Path:
    """The session's runtime folder, which the sandbox does not show."""
    folder = home / "run-user" / "1000"
    folder.mkdir(parents=True)
    return folder


def copy_of(home: Path) -> Path:
    return home / ".cache" / "inpaint" / "server.json"


def daemon(folder: Path, home: Path, *arguments: str) -> DaemonProcess:
    return DaemonProcess(
        folder, *arguments, session_folders=folder.parent, environment={"HOME": str(home)}
    )


@pytest.mark.usefixtures("flatpak")
def test_a_program_inside_flatpak_finds_and_uses_the_daemon(home: Path) -> None:
    with pytest.raises(DaemonNotFoundError, match="inside Flatpak"):
        find_daemon()
    with daemon(session_of(home), home) as process:
        process.runtime()
        copy = copy_of(home)
        assert copy.read_text() == process.runtime_file.read_text()
        assert copy.stat().st_mode & 0o777 == 0o600
        with BlockingClient(find_daemon) as client:
            assert client.info().models
        process.process.terminate()
        assert process.ended() == 0
    assert not copy.exists()
    with pytest.raises(DaemonNotFoundError):
        find_daemon()


@pytest.mark.usefixtures("flatpak")
def test_a_copy_left_by_a_killed_daemon_is_stale_and_then_replaced(home: Path) -> None:
    folder = session_of(home)
    with daemon(folder, home) as process:
        process.runtime()
        process.process.send_signal(signal.SIGKILL)
        process.ended()
    assert copy_of(home).exists()
    with pytest.raises(DaemonNotFoundError):
        find_daemon()
    with daemon(folder, home) as process:
        token = process.runtime()["token"]
        assert find_daemon().token == Secret(token)


def test_a_daemon_with_a_configured_runtime_file_writes_no_copy(home: Path) -> None:
    folder = session_of(home)
    process = DaemonProcess(
        folder,
        config=f"runtime_file: {folder}/inpaint/server.json",
        session_folders=folder.parent,
        environment={"HOME": str(home)},
    )
    with process:
        process.runtime()
        assert not copy_of(home).exists()


def test_only_what_flatpak_hides_is_copied(home: Path) -> None:
    assert visible_copy(Path("/run/user/1000/inpaint/server.json")) == copy_of(home)
    assert visible_copy(home / ".cache/inpaint/server.json") is None
    assert visible_copy(Path("/var/xdg/inpaint/server.json")) is None


def test_the_first_daemon_keeps_the_copy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    copy = tmp_path / "copy" / "server.json"
    with RuntimeFile(tmp_path / "1" / "server.json", copy) as first:
        first.write("127.0.0.1:1", Secret("first"))
        with (
            caplog.at_level(logging.WARNING),
            RuntimeFile(tmp_path / "2" / "server.json", copy) as second,
        ):
            second.write("127.0.0.1:2", Secret("second"))
            assert json.loads(second.path.read_text())["token"] == "second"
            assert json.loads(copy.read_text())["token"] == "first"
        assert "inside Flatpak cannot find this daemon" in caplog.text
        assert json.loads(copy.read_text())["token"] == "first"
        with pytest.raises(AlreadyRunningError), RuntimeFile(first.path, copy):
            pass
    assert not copy.exists()
    assert not first.path.exists()


def test_a_home_that_cannot_be_written_is_no_obstacle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with RuntimeFile(tmp_path / "1" / "server.json", tmp_path / "file" / "server.json") as runtime:
        runtime.write("127.0.0.1:1", Secret("token"))
        assert runtime.path.exists()
    assert "cannot write the runtime file" in caplog.text


def test_the_client_reads_what_the_daemon_writes(tmp_path: Path) -> None:
    """Two classes of the same file, since neither side may import the other."""
    with RuntimeFile(tmp_path / "server.json") as written:
        written.write("tls://127.0.0.1:7860", Secret("a token"))
        read = read_runtime_file(written.path)
    assert read is not None
    assert (read.path, read.address, read.token) == (
        written.path, "tls://127.0.0.1:7860", Secret("a token"),
    )  # fmt: skip
    assert (read.pid, read.version) == (os.getpid(), __version__)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_RUNTIME_DIR": "/x/run"},
        {"XDG_CACHE_HOME": "/x/cache", "LOCALAPPDATA": "/x/local"},
        {"XDG_RUNTIME_DIR": "run", "XDG_CACHE_HOME": "cache"},
        {"XDG_RUNTIME_DIR": "run", "XDG_CACHE_HOME": "/x/cache"},
    ],
    ids=["none", "runtime", "others", "relative", "relative runtime"],
)
def test_the_client_searches_where_the_daemon_writes(
    monkeypatch: pytest.MonkeyPatch, home: Path, platform: str, variables: dict[str, str]
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    written = default_runtime_file()
    assert written == folders_module.runtime_folders()[0] / "server.json"
    assert written.is_absolute()


def test_a_client_checking_the_lock_does_not_prevent_a_start(tmp_path: Path) -> None:
    path = tmp_path / "server.json"
    with RuntimeFile(path) as first:
        first.write("127.0.0.1:1", Secret("token"))
        assert is_locked(path.with_suffix(".lock")) is True
    assert is_locked(path.with_suffix(".lock")) is False
    with path.with_suffix(".lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        Timer(0.03, fcntl.flock, (looking, fcntl.LOCK_UN)).start()
        with RuntimeFile(path):
            assert is_locked(path.with_suffix(".lock")) is True


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of a container: no HOME, and no entry in the list of users."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_user_without_a_home_has_a_runtime_folder(
    nobody: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = default_runtime_file()
    assert path == tmp_path / "inpaint" / "server.json"
    assert visible_copy(Path("/run/user/1000/inpaint/server.json")) is None
    with pytest.raises(DaemonNotFoundError):
        find_daemon()
    with RuntimeFile(path) as runtime, socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        runtime.write(address, Secret("token"))
        assert str(find_daemon()) == address


def test_a_user_without_any_folder_learns_what_to_set(
    nobody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(ConfigurationError, match="no home folder; set HOME or XDG_RUNTIME_DIR"):
        default_runtime_file()
    with pytest.raises(StartFailedError, match=r"cannot be created \(Not a directory\)"):
        start_daemon(["true"], ConnectionSettings(), lambda starting: None, lambda: True, 1.0)


def test_the_runtime_folder_of_another_user_is_passed_over(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(foreign))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_runtime_file() == foreign / "inpaint" / "server.json"
    monkeypatch.setattr(os, "getuid", lambda: foreign.stat().st_uid + 1)
    with caplog.at_level(logging.WARNING):
        assert default_runtime_file() == home / ".cache/inpaint/server.json"
    assert "belongs to another user" in caplog.text
    assert home / ".cache/inpaint" in folders_module.runtime_folders()  # where clients look, too


@pytest.mark.slow
@pytest.mark.full_disk
def test_a_full_folder_is_one_line_and_status_2(tmp_path: Path) -> None:
    """No file of this process may have a byte: for writing that is as good as a full disk."""
    ended = subprocess.run(
        ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-m", "inpaint_server"]
        + ["--device", "cpu", "--model", "tiny"],
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"inpaint-server: cannot write the runtime file {tmp_path}")
    assert said.endswith("free some space, or set another `runtime_file`")
    assert [path.name for path in (tmp_path / "inpaint").iterdir()] == ["server.lock"]


def test_the_old_file_stays_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "server.json"
    with RuntimeFile(path) as runtime:
        runtime.write("127.0.0.1:1", Secret("token"))
        before = path.read_text()
        monkeypatch.setattr(Path, "replace", full)
        with pytest.raises(ConfigurationError, match="No space left on device; free some space"):
            runtime.write("127.0.0.1:2", Secret("token"))
        assert path.read_text() == before
        assert sorted(each.name for each in tmp_path.iterdir()) == ["server.json", "server.lock"]
