"""Token files: read for the daemon, and written by `inpaint-server token new`."""

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
    """Return 256 random bits."""
    return Secret(secrets.token_urlsafe(32))


def read_token(path: Path) -> Secret:
    """Return the token in a file.

    Raises:
        ConfigurationError: it cannot be read, others can read it too, or it holds no token.
    """
    try:
        # A pipe would be waited for without end; on Windows there is no such flag.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigurationError(f"token_file: {path} is not a plain file")
            if others_can_read(status):
                raise ConfigurationError(
                    f"token_file: other users can read {path}; run `chmod 600 {path}`, and make a "
                    "new token if they may have done so"
                )
            data = file.read(LARGEST)
    except OSError as error:
        raise ConfigurationError(f"token_file: cannot read {path}: {error.strerror}") from error
    token = Secret(data.decode("utf-8", "replace"))
    if len(token.reveal()) < SHORTEST or not token.can_be_sent or " " in token.reveal():
        raise ConfigurationError(
            f"token_file: {path} must hold one token of at least {SHORTEST} ASCII characters; "
            "`inpaint-server token new FILE` makes one"
        )
    return token


def others_can_read(status: os.stat_result) -> bool:
    """Return whether a file is open to other users.

    What the administrator or systemd prepared for a group that we are in is as it should be; a file
    of our own is for nobody else.
    """
    if not hasattr(os, "getuid"):  # Windows has no such modes
        return False
    groups = status.st_uid == os.getuid() and status.st_mode & stat.S_IRWXG
    return bool(groups or status.st_mode & stat.S_IRWXO)


def write_token(path: Path) -> None:
    """Make a file with a new token, for its owner alone.

    Raises:
        ConfigurationError: it exists, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_token().reveal() + "\n")
    except FileExistsError:
        raise ConfigurationError(
            f"{path} exists and is left as it is; give another name, or remove it first"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
