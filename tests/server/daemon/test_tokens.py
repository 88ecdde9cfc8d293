"""Token files: made for one reader, and refused if there are others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from daemons import DaemonProcess, write_token
from inpaint_server.cli import main
from inpaint_server.daemon.tokens import others_can_read, read_token
from inpaint_server.errors import ConfigurationError


def test_a_new_token_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert main(["token", "new", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(read_token(path).reveal()) >= 40
    assert main(["token", "new", str(tmp_path / "other")]) == 0
    assert read_token(path) != read_token(tmp_path / "other")


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_token(tmp_path / "token", "what somebody needs")
    assert main(["token", "new", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "already exists and was not changed" in line
    assert path.read_text() == "what somebody needs"
    assert main(["token", "new", str(tmp_path / "no" / "folder")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write" in line


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o640, 0o660, 0o606, 0o666, 0o601])
def test_what_others_can_read_is_no_secret(tmp_path: Path, mode: int) -> None:
    path = write_token(tmp_path / "token", "a-token-that-is-long-enough")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_token(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_what_only_its_owner_can_read_is_used(tmp_path: Path, mode: int) -> None:
    path = write_token(tmp_path / "token", "a-token-that-is-long-enough\n")
    path.chmod(mode)
    assert read_token(path).reveal() == "a-token-that-is-long-enough"


def test_the_administrator_may_share_one_with_a_group() -> None:
    """As systemd does with LoadCredential."""

    def status(mode: int, owner: int) -> os.stat_result:
        return os.stat_result((stat.S_IFREG | mode, 0, 0, 0, owner, 0, 0, 0, 0, 0))

    other = os.getuid() + 1
    assert not others_can_read(status(0o440, other))
    assert others_can_read(status(0o444, other))
    assert others_can_read(status(0o440, os.getuid()))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        read_token(tmp_path / "token")


@pytest.mark.slow
def test_the_daemon_does_not_start_with_a_public_one(tmp_path: Path) -> None:
    path = write_token(tmp_path / "token", "a-token-that-is-long-enough")
    path.chmod(0o644)
    with DaemonProcess(tmp_path, config=f"token_file: {path}") as daemon:
        assert daemon.ended() == 2
    assert "a-token" not in daemon.log.read_text()
    assert daemon.log.read_text().splitlines()[-1].endswith("if they may have read it")
