"""Which daemon is found, in a world of stale and foreign files."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from inpaint_client import (
    ConnectionSettings,
    DaemonNotFoundError,
    Endpoint,
    connection_file,
    find_daemon,
)
from inpaint_client import discovery as discovery_module
from inpaint_client.discovery import process_exists, read_runtime_file
from inpaint_client.folders import cache_folder, config_folder, runtime_folders
from inpaint_protos.secret import Secret
from platformdirs.api import PlatformDirsABC
from platformdirs.macos import MacOS
from platformdirs.unix import Unix


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own home and runtime folder, and no settings in the environment."""
    for variable in ("INPAINT_SERVER", "INPAINT_TOKEN", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
                     "SNAP", "SNAP_REAL_HOME"):  # fmt: skip
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


@pytest.fixture
def listener() -> Iterator[str]:
    """Something that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def write(folder: Path, **changes: Any) -> Path:
    path = folder / "inpaint" / "server.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"address": "127.0.0.1:1", "token": "t", "pid": os.getpid(), "version": "1"}
    path.write_text(json.dumps(content | changes))
    return path


def test_nothing_anywhere() -> None:
    with pytest.raises(DaemonNotFoundError, match=r"No daemon is running.*inpaint-server"):
        find_daemon()


def test_the_runtime_file_leads_to_a_running_daemon(home: Path, listener: str) -> None:
    write(home / "run", address=listener)
    assert str(find_daemon()) == listener
    assert find_daemon().token == Secret("t")


def test_the_cache_is_the_second_place(
    home: Path, listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    write(home / ".cache", address=listener)
    assert str(find_daemon()) == listener


def test_a_stale_file_is_passed_over(home: Path, listener: str) -> None:
    write(home / "run")  # the process lives, but nobody listens at port 1
    write(home / ".cache", address=listener)
    assert str(find_daemon()) == listener


def test_a_dead_process_is_stale_even_if_its_port_is_in_use(home: Path, listener: str) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert not process_exists(pid)
    write(home / "run", address=listener, pid=pid)
    with pytest.raises(DaemonNotFoundError):
        find_daemon()


def test_a_free_lock_is_stale_even_if_process_id_and_port_are_in_use(
    home: Path, listener: str
) -> None:
    """Of a killed daemon whose number and port other programs have now."""
    write(home / "run", address=listener)
    lock = home / "run" / "inpaint" / "server.lock"
    lock.touch()
    with pytest.raises(DaemonNotFoundError):
        find_daemon()
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert str(find_daemon()) == listener
    with pytest.raises(DaemonNotFoundError):
        find_daemon()


def test_inside_a_sandbox_process_numbers_mean_nothing(
    home: Path, listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "run", address=listener, pid=2**22 - 1)
    monkeypatch.setenv("SNAP", "/snap/krita/1")
    assert str(find_daemon()) == listener


def test_a_sandbox_also_searches_the_real_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNAP", "/snap/krita/1")
    monkeypatch.setenv("SNAP_REAL_HOME", "/home/artist")
    found = runtime_folders()
    assert Path("/home/artist/.cache/inpaint") in found
    assert Path(f"/run/user/{os.getuid()}/inpaint") in found


def test_inside_flatpak_the_remedy_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery_module, "is_flatpak", lambda: True)
    monkeypatch.setenv("FLATPAK_ID", "org.kde.krita")
    with pytest.raises(
        DaemonNotFoundError, match=r"flatpak override .*xdg-run/inpaint.* org\.kde\.krita"
    ):
        find_daemon()


def test_a_unix_socket(home: Path) -> None:
    path = home / "s.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        write(home / "run", address=f"unix:{path}")
        with pytest.raises(DaemonNotFoundError):
            find_daemon()  # nobody listens yet
        server.listen()
        assert find_daemon() == Endpoint(path=str(path), token=Secret("t"))


@pytest.mark.parametrize(
    "changes", [{"address": "nonsense"}, {"address": 5}, {"pid": "x"}, {"pid": None}]
)
def test_a_file_without_sense(home: Path, changes: dict[str, Any]) -> None:
    assert read_runtime_file(write(home / "run", **changes)) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"{}", b"\xff"])
def test_a_broken_file(home: Path, content: bytes) -> None:
    path = write(home / "run")
    path.write_bytes(content)
    assert read_runtime_file(path) is None


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_trusted(home: Path, listener: str) -> None:
    path = write(home / "run", address=listener)
    os.chown(path, 65534, 65534)
    with pytest.raises(DaemonNotFoundError):
        find_daemon()


def test_the_order_of_precedence(
    home: Path, listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "run", address=listener)
    settings = ConnectionSettings(address="tls://b.example:2", token=Secret("from settings"))
    assert find_daemon(settings).host == "b.example"
    assert find_daemon(settings).token == Secret("from settings")
    monkeypatch.setenv("INPAINT_SERVER", "tls://a.example:1")
    monkeypatch.setenv("INPAINT_TOKEN", "from environment")
    assert find_daemon(settings).host == "a.example"
    assert find_daemon(settings).token == Secret("from environment")


def test_the_users_settings_count_unless_others_are_given(home: Path) -> None:
    connection_file().save(ConnectionSettings(address="tls://saved.example:3"))
    assert find_daemon().host == "saved.example"
    with pytest.raises(DaemonNotFoundError):
        find_daemon(ConnectionSettings())


def test_the_token_of_the_daemon_here_need_not_be_repeated(
    home: Path, listener: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / "run", address=listener)
    monkeypatch.setenv("INPAINT_SERVER", listener)
    assert find_daemon().token == Secret("t")


@pytest.mark.parametrize(
    ("platform", "config", "cache", "runtime"),
    [
        ("linux", ".config/inpaint", ".cache/inpaint", ".cache/inpaint"),
        ("darwin", "Library/Application Support/inpaint", "Library/Caches/inpaint",
         "Library/Caches/TemporaryItems/inpaint"),
        ("win32", "AppData/Local/inpaint", "AppData/Local/inpaint/Cache",
         "AppData/Local/Temp/inpaint"),
    ],
)  # fmt: skip
def test_folders_of_each_system(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    config: str,
    cache: str,
    runtime: str,
) -> None:
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(sys, "platform", platform)
    assert config_folder() == home / config
    assert cache_folder() == home / cache
    assert runtime_folders() == list(dict.fromkeys([home / runtime, home / cache]))


@pytest.mark.parametrize(
    ("platform", "kind", "variables"),
    [
        ("linux", Unix, {}),
        ("linux", Unix, {"XDG_CONFIG_HOME": "/elsewhere/c", "XDG_CACHE_HOME": "/elsewhere/k"}),
        ("darwin", MacOS, {}),
    ],
)
def test_the_folders_are_platformdirs(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    kind: type[PlatformDirsABC],
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    theirs = kind("inpaint", appauthor=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert config_folder() == theirs.user_config_path
    assert cache_folder() == theirs.user_cache_path


def test_where_platformdirs_disagrees_with_itself(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Existing files must be found again, regardless of later releases of platformdirs."""
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home / "elsewhere"))
    monkeypatch.setattr(sys, "platform", "darwin")
    assert config_folder() == home / "Library/Application Support/inpaint"
    assert cache_folder() == home / "Library/Caches/inpaint"
    monkeypatch.setattr(sys, "platform", "win32")
    assert config_folder() == home / "elsewhere/inpaint"
    assert cache_folder() == home / "elsewhere/inpaint/Cache"


def test_relative_xdg_folders_do_not_count(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """As the XDG specification asks."""
    setting: Callable[[str, str], None] = monkeypatch.setenv
    for variable in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        setting(variable, "relative")
    assert runtime_folders() == [home / ".cache" / "inpaint"]
    assert config_folder() == home / ".config" / "inpaint"
