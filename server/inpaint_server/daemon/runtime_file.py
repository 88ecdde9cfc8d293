"""The runtime file, with which clients on this machine find the daemon and its token.

{"address": "127.0.0.1:41234", "token": "...", "pid": 4711, "version": "0.1.0", "tls": false}
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

from inpaint_protos.secret import Secret

from .. import __version__
from ..errors import AlreadyRunningError, ConfigurationError
from ..scheduling.work_marker import Killed, WorkMarker

log = logging.getLogger(__name__)

SESSION_FOLDERS = Path("/run/user")  # parent of XDG_RUNTIME_DIR; hidden from programs in Flatpak


_ATTEMPTS, _PAUSE_S = 5, 0.02


def default_runtime_file() -> Path:
    """Return `inpaint/server.json` in the user's runtime folder, or else in the user's cache.

    Relative paths in the XDG variables are ignored, as their specification requires; clients do the
    same. A runtime folder of another user, as left by `su` and `sudo`, is ignored with a warning.

    Raises:
        ConfigurationError: a home folder is needed, but the user has none.
    """
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute():
        problem = _why_unusable(runtime)
        if not problem:
            return runtime / "inpaint" / "server.json"
        log.warning("XDG_RUNTIME_DIR (%s) %s; using the cache folder instead", runtime, problem)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local"
        return Path(local, "Temp", "inpaint", "server.json")
    if sys.platform == "darwin":
        return _home() / "Library/Caches/TemporaryItems/inpaint/server.json"
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        cache = _home() / ".cache"
    return cache / "inpaint" / "server.json"


def visible_copy(path: Path) -> Path | None:
    """Return the path of a second runtime file for programs inside Flatpak.

    They do not see the session's runtime folder, but Krita and GIMP see the user's home folder.
    XDG_CACHE_HOME cannot be used, because it differs inside and outside of Flatpak.

    Args:
        path: path of the runtime file.

    Returns:
        The path; None if all programs see `path`.
    """
    if not path.is_relative_to(SESSION_FOLDERS):
        return None
    try:
        return _home() / ".cache" / "inpaint" / "server.json"
    except ConfigurationError:
        return None


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigurationError(
            "this user has no home folder; set HOME or XDG_RUNTIME_DIR to a folder that you own, "
            "or set `runtime_file`"
        ) from None


def _why_unusable(folder: Path) -> str:
    """Return why the runtime file cannot be in a folder; empty if it can."""
    try:
        status = folder.stat()
    except FileNotFoundError:
        return ""  # the folder will be created
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if hasattr(os, "getuid") and status.st_uid != os.getuid():
        return "belongs to another user"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "is not writable"


class Predecessor(NamedTuple):
    """Address and token of the program that this one replaced in its process."""

    address: str
    token: Secret


class RuntimeFile:
    """The runtime file with its lock, which keeps out a second daemon.

    The lock is released when the process exits, so a file that a killed daemon left behind is stale
    and is replaced.

    Args:
        path: path of the file.
        copy: path of a second file; a failure to write it is only logged.
        lock: descriptor of a lock that this process already holds (see `restarting.py`).
    """

    def __init__(self, path: Path, copy: Path | None = None, lock: int | None = None) -> None:
        self.path = path
        self.predecessor: Predecessor | None = None
        self.marker = WorkMarker(path.with_suffix(".work"))
        self._held = lock
        self._copy = None if copy is None else RuntimeFile(copy)
        self._lock: IO[str] | None = None

    def __enter__(self) -> RuntimeFile:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Mode "a" creates the file if necessary and does not truncate it.
            self._lock = (
                self.path.with_suffix(".lock").open("a", encoding="utf-8")
                if self._held is None
                else os.fdopen(self._held, "a", encoding="utf-8")
            )
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the runtime file {self.path}: {error.strerror}"
            ) from error
        if not _lock(self._lock):
            self._lock.close()
            raise AlreadyRunningError(_whose(self.path))
        if self._held is not None:
            self.predecessor = _predecessor(self.path)
            self.marker.remove()  # the daemon replaced itself and was not killed
        if self._copy is not None:
            try:
                self._copy.__enter__()
            except ConfigurationError as error:
                log.warning("programs inside Flatpak cannot find this daemon: %s", error)
                self._copy = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._copy is not None:
            self._copy.__exit__(kind, error, traceback)
        self.path.unlink(missing_ok=True)
        self.marker.remove()
        if self._lock is not None:
            self._lock.close()

    def left_behind(self) -> Killed | None:
        """Return and log the work at which the previous daemon was killed; None if it was not.

        Call it once, before the file of this daemon is written.
        """
        killed = self.marker.left_behind()
        if killed is not None:
            log.warning(
                "the previous daemon was killed while it was working, possibly because memory ran "
                "out: %s",
                "; ".join(killed.work),
            )
        elif self.predecessor is None and self.path.exists():
            log.warning("the previous daemon was killed while it was idle")
        return killed

    @property
    def lock_descriptor(self) -> int:
        """The descriptor of the lock, which must be held."""
        assert self._lock is not None
        return self._lock.fileno()

    def write(self, address: str, token: Secret) -> None:
        """Write the file atomically, readable only by the user.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        content = {
            "address": address,
            "token": token.reveal(),
            "pid": os.getpid(),
            "version": __version__,
        }
        try:
            _replace(self.path, json.dumps(content))
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the runtime file {self.path}: {error.strerror}; free some space, or "
                "set another `runtime_file`"
            ) from error
        if self._copy is not None:
            try:
                self._copy.write(address, token)
            except ConfigurationError as error:
                log.warning("programs inside Flatpak cannot find this daemon: %s", error)


def _replace(path: Path, text: str) -> None:
    """Replace a file atomically; on an error, leave it unchanged."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".server-")  # mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _lock(file: IO[str]) -> bool:
    """Lock the file, with retries because clients hold the lock briefly when they check it."""
    for _ in range(_ATTEMPTS):
        if _try_lock(file):
            return True
        time.sleep(_PAUSE_S)
    return False


def _try_lock(file: IO[str]) -> bool:
    """Lock the file for this process; False if another one has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _predecessor(path: Path) -> Predecessor | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return Predecessor(content["address"], Secret(content["token"]))
    except (OSError, ValueError, KeyError):
        return None


def _whose(path: Path) -> str:
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        where = f"process {content['pid']} at {content['address']}"
    except (OSError, ValueError, KeyError):
        where = "it is just starting"
    return (
        f"a daemon already runs here ({where}); use it, stop it, or set another `runtime_file` "
        f"for this one (now {path})"
    )
