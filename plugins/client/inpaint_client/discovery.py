"""Which daemon to talk to.

INPAINT_SERVER (and INPAINT_TOKEN) win; then the settings; then the runtime file that the daemon of
this user writes while it runs: `inpaint/server.json` with address, token, pid and version.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from inpaint_protos.secret import Secret

from .endpoint import Endpoint, TlsFiles, parse_endpoint
from .errors import DaemonNotFoundError, InpaintError
from .folders import is_flatpak, is_sandboxed, runtime_folders
from .sentence import Sentence
from .settings import ConnectionSettings, connection_file

log = logging.getLogger(__name__)
RUNTIME_FILE = "server.json"
_ANSWER_S = 1.0  # a daemon on this machine accepts a connection within this


@dataclass(frozen=True)
class RuntimeFile:
    """What a running daemon tells about itself."""

    path: Path
    address: str
    token: Secret
    pid: int
    version: str

    def endpoint(self, tls: TlsFiles | None = None) -> Endpoint:
        """Return where the daemon listens, with its token."""
        return parse_endpoint(self.address, self.token, tls)

    def is_stale(self) -> bool:
        """Return whether the daemon that wrote it is gone (killed, or the machine restarted).

        Its number and its port may belong to other programs by now; its lock does not.
        """
        if is_locked(self.path.with_suffix(".lock")) is False:
            return True
        if not is_sandboxed() and not process_exists(self.pid):
            return True
        return not accepts(self.endpoint())


def find_daemon(settings: ConnectionSettings | None = None) -> Endpoint:
    """Return the daemon to use. Only local ones are tried; a remote address is taken as it is.

    Without `settings` those of the user's connection file count.

    Raises:
        DaemonNotFoundError: nothing is set, and no daemon runs on this machine.
        InputError: an address is malformed.
    """
    settings = settings or connection_file().load()
    address = os.environ.get("INPAINT_SERVER", "") or settings.address
    if address:
        token = Secret(os.environ.get("INPAINT_TOKEN", "")) or settings.token or _token_of(address)
        return parse_endpoint(address, token, settings.tls)
    for runtime in runtime_files():
        if not runtime.is_stale():
            return runtime.endpoint(settings.tls)
        log.info("%s is stale: no daemon answers at %s", runtime.path, runtime.address)
    if is_flatpak():
        raise DaemonNotFoundError(
            Sentence("No daemon is to be seen from inside Flatpak."), flatpak_remedy()
        )
    raise DaemonNotFoundError(
        Sentence("No daemon runs on this machine."), Sentence("Start it with `inpaint-server`.")
    )


def flatpak_remedy() -> str:
    """Return what helps in Flatpak, which hides the runtime folder from every program."""
    app = os.environ.get("FLATPAK_ID", "APP")
    allow = f"flatpak override --user --filesystem=xdg-run/inpaint:create {app}"
    return Sentence(
        "Start `inpaint-server` in a terminal. If it runs, allow this program to find it "
        "(`{command}`) and restart the program.",
        command=allow,
    )


def is_local_choice(settings: ConnectionSettings) -> bool:
    """Return whether the daemon of this machine is meant: then it may be started."""
    return not os.environ.get("INPAINT_SERVER", "") and not settings.address


def runtime_files() -> list[RuntimeFile]:
    """Return every readable runtime file, stale ones too, best first."""
    found = (read_runtime_file(folder / RUNTIME_FILE) for folder in runtime_folders())
    return [runtime for runtime in found if runtime is not None]


def read_runtime_file(path: Path) -> RuntimeFile | None:
    """Return what a runtime file says.

    None if there is none, if somebody else wrote it, or if it makes no sense.
    """
    try:
        with path.open(encoding="utf-8") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid != os.getuid():
                log.warning("%s belongs to another user and is ignored", path)
                return None
            stored = json.load(file)
        runtime = RuntimeFile(
            path,
            str(stored["address"]),
            Secret(str(stored.get("token", ""))),
            int(stored["pid"]),
            str(stored.get("version", "")),
        )
        runtime.endpoint()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InpaintError) as error:
        log.warning("%s is ignored: %s", path, error)
        return None
    return runtime


def accepts(endpoint: Endpoint, timeout_s: float = _ANSWER_S) -> bool:
    """Return whether something accepts a connection there."""
    try:
        if endpoint.path:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(timeout_s)
                probe.connect(endpoint.path)
        else:
            socket.create_connection((endpoint.host, endpoint.port), timeout_s).close()
    except OSError:
        return False
    return True


def is_locked(path: Path) -> bool | None:
    """Return whether a daemon holds its lock; None if that cannot be told.

    A lock is of a process, and goes with it.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or the file system has no locks
        return None
    return False


def process_exists(pid: int) -> bool:
    """Return whether a process of that number runs (os.kill would end it on Windows)."""
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return False
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == 259  # STILL_ACTIVE
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _token_of(address: str) -> Secret:
    """Return the token of the daemon of this machine, if that is the one at `address`."""
    for runtime in runtime_files():
        if runtime.address == address.strip():
            return runtime.token
    return Secret()
