"""Token files, which the daemon reads and `inpaint-server token new` writes."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from inpaint_protos.secret import Secret

from ..errors import ConfigurationError

SHORTEST = 16  # characters
LARGEST = 4096  # bytes of a file


def new_token() -> Secret:
    """Return a token of 256 random bits."""
    return Secret(secrets.token_urlsafe(32))


def read_token(path: Path, setting: str = "token_file") -> Secret:
    """Read the token in a file.

    Args:
        path: path of the file.
        setting: the setting that names it, for messages.

    Raises:
        ConfigurationError: the file is unreadable, other users can read it, or it does not contain
            a token.
    """
    try:
        # Opening a pipe would block forever; Windows does not have this flag.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigurationError(f"{setting}: {path} is not a regular file")
            if others_can_read(status):
                raise ConfigurationError(
                    f"{setting}: other users can read {path}; run `chmod 600 {path}`, and create "
                    "a new token if they may have read it"
                )
            data = file.read(LARGEST)
    except OSError as error:
        raise ConfigurationError(f"{setting}: cannot read {path}: {error.strerror}") from error
    token = Secret(data.decode("utf-8", "replace"))
    if len(token.reveal()) < SHORTEST or not token.can_be_sent or " " in token.reveal():
        raise ConfigurationError(
            f"{setting}: {path} must contain one token of at least {SHORTEST} ASCII characters; "
            "create one with `inpaint-server token new FILE`"
        )
    return token


def others_can_read(status: os.stat_result) -> bool:
    """Return whether other users can read a file in a way that is not intended.

    A file that the administrator or systemd prepared for one of our groups is fine. A file of our
    own must not be readable by anyone else.
    """
    if not hasattr(os, "getuid"):  # Windows does not have these modes
        return False
    groups = status.st_uid == os.getuid() and status.st_mode & stat.S_IRWXG
    return bool(groups or status.st_mode & stat.S_IRWXO)


def write_token(path: Path) -> None:
    """Create a file with a new token that only its owner can read.

    Raises:
        ConfigurationError: the file exists or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_token().reveal() + "\n")
    except FileExistsError:
        raise ConfigurationError(
            f"{path} already exists and was not changed; choose another name, or remove it first"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
