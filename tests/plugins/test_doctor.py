"""`inpaint plugins doctor`: each broken link of the chain is named, with what mends it."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import DaemonProcess
from inpaint_client import ConnectionSettings, connection_file
from inpaint_client.daemon import PROGRAM_FILE
from inpaint_install import gimp, krita
from inpaint_install.doctor import examine
from inpaint_install.program import own_program

NOWHERE = "/nowhere/inpaint-server"
PLUG_IN = ".local/share/krita/pykrita/inpaint_krita"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path_factory.mktemp("daemon")) as process:
        process.runtime()
        yield process


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a Krita in its PATH, no GIMP and no daemon; Python in an environment.

    The daemon's program is one that does not exist, or that of this checkout would be started.
    """
    for variable in ("INPAINT_SERVER", "INPAINT_TOKEN", "XDG_CACHE_HOME", "SNAP"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv/bin/python"))
    monkeypatch.setattr(gimp, "find_gimps", list)
    program(tmp_path / "bin/krita")
    connection_file().save(ConnectionSettings(executable=NOWHERE))
    return tmp_path


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def install_krita(home: Path) -> None:
    archive = home / "inpaint_krita.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("inpaint_krita/__init__.py", "inpaint_krita.desktop", "inpaint_krita.action"):
            packed.writestr(name, "")
    assert krita.install(archive) == 0


def problems_of(said: list[str]) -> list[str]:
    return [line.removeprefix("PROBLEM  ") for line in said if line.startswith("PROBLEM")]


def test_all_is_well(home: Path, daemon: DaemonProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    server = program(home / "venv/bin/inpaint-server")
    install_krita(home)
    assert (home / PLUG_IN / PROGRAM_FILE).read_text("utf-8") == f"{server}\n"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(daemon.folder))
    said: list[str] = []
    assert examine("krita", said.append) == 0, said
    assert problems_of(said) == []
    assert f"daemon of Krita (native): {server}" in said[2]
    assert "already running" in said[3]
    assert "received a candidate after" in said[4]
    said.clear()
    assert examine(None, said.append) == 0  # one of them is enough
    assert problems_of(said) == ["GIMP: no GIMP 3 was found"]


def test_nothing_is_there(home: Path) -> None:
    (home / "bin/krita").unlink()
    said: list[str] = []
    assert examine(None, said.append) == 1
    assert problems_of(said) == [
        "Krita: was not found",
        "plug-in for Krita (native): is not installed",
        "GIMP: no GIMP 3 was found",
        f"daemon: {NOWHERE} is not an executable program.",
    ]
    assert any("Choose another program" in line for line in said)
    assert any("inpaint plugins install krita" in line for line in said)


def test_the_environment_of_the_daemon_is_gone(home: Path) -> None:
    server = program(home / "venv/bin/inpaint-server")
    install_krita(home)
    server.unlink()
    said: list[str] = []
    assert examine("krita", said.append) == 1
    assert f"daemon of Krita (native): {server} is not an executable program" in problems_of(said)


def test_a_plug_in_that_was_never_configured(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own_program() is None
    install_krita(home)
    assert "so the plug-in will search for it" in capsys.readouterr().out
    assert not (home / PLUG_IN / PROGRAM_FILE).exists()
    said: list[str] = []
    assert examine("krita", said.append) == 1
    assert "daemon of Krita (native): its path is not stored in the plug-in" in problems_of(said)


def test_a_daemon_that_ends_at_once_is_quoted(home: Path) -> None:
    server = program(home / "venv/bin/inpaint-server")
    server.write_text("#!/bin/sh\necho no GPU 7; exit 2\n")
    connection_file().save(ConnectionSettings(executable=str(server)))
    install_krita(home)
    said: list[str] = []
    assert examine("krita", said.append) == 1
    assert problems_of(said) == ["daemon: inpaint-server exited immediately: no GPU 7"]


def test_a_remote_daemon_that_does_not_answer(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(home / "venv/bin/inpaint-server")
    install_krita(home)
    monkeypatch.setenv("INPAINT_SERVER", "127.0.0.1:9")
    said: list[str] = []
    assert examine("krita", said.append) == 1
    [problem] = problems_of(said)
    assert problem.startswith("daemon: ")
    assert "127.0.0.1:9" in problem
