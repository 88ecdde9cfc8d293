"""Find the daemon to use.

INPAINT_SERVER (with INPAINT_TOKEN) takes precedence over the settings, and the settings over the
runtime file, `inpaint/server.json`, which the user's daemon writes while it is running. The runtime
file contains address, token, pid and version.
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
_ANSWER_S = 1.0  # time limit for a daemon on this machine to accept a connection


@dataclass(frozen=True)
class RuntimeFile:
    """Contents of the file in which a running daemon publishes its address and token."""

    path: Path
    address: str
    token: Secret
    pid: int
    version: str

    def endpoint(self, tls: TlsFiles | None = None) -> Endpoint:
        """Return the daemon's endpoint, with its token."""
        return parse_endpoint(self.address, self.token, tls)

    def is_stale(self) -> bool:
        """Return whether the daemon that wrote the file is gone (killed, or the machine rebooted).

        Other programs may have its process ID and its port by now, but not its lock.
        """
        if is_locked(self.path.with_suffix(".lock")) is False:
            return True
        if not is_sandboxed() and not process_exists(self.pid):
            return True
        return not accepts(self.endpoint())


def find_daemon(settings: ConnectionSettings | None = None) -> Endpoint:
    """Return the endpoint of the daemon to use.

    Only daemons found through a runtime file are checked; a configured address is returned as is.

    Args:
        settings: the connection settings; None = those of the user's connection file.

    Raises:
        DaemonNotFoundError: no address is configured, and no daemon is running on this machine.
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
            Sentence("No daemon can be found from inside Flatpak."), flatpak_remedy()
        )
    raise DaemonNotFoundError(
        Sentence("No daemon is running on this machine."),
        Sentence("Start it with `inpaint-server`."),
    )


def flatpak_remedy() -> str:
    """Return the remedy for Flatpak, which hides the runtime folder from its programs."""
    app = os.environ.get("FLATPAK_ID", "APP")
    allow = f"flatpak override --user --filesystem=xdg-run/inpaint:create {app}"
    return Sentence(
        "Start `inpaint-server` in a terminal. If it is already running, allow this "
        "program to find it (`{command}`) and restart this program.",
        command=allow,
    )


def is_local_choice(settings: ConnectionSettings) -> bool:
    """Return whether no address is configured, so that the local daemon may be started."""
    return not os.environ.get("INPAINT_SERVER", "") and not settings.address


def runtime_files() -> list[RuntimeFile]:
    """Return every readable runtime file, including stale ones, best first."""
    found = (read_runtime_file(folder / RUNTIME_FILE) for folder in runtime_folders())
    return [runtime for runtime in found if runtime is not None]


def read_runtime_file(path: Path) -> RuntimeFile | None:
    """Read a runtime file.

    Returns:
        Its contents; None if it does not exist, belongs to another user, or is invalid.
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
    """Return whether something accepts a connection at an endpoint."""
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
    """Return whether a daemon holds the lock file; None if that is unknown.

    The system releases a lock when its process exits.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is no lock file, or the file system does not support locks
        return None
    return False


def process_exists(pid: int) -> bool:
    """Return whether a process is running (os.kill(pid, 0) would terminate it on Windows)."""
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
    """Return the token from the runtime file of the daemon at `address`; empty if there is none."""
    for runtime in runtime_files():
        if runtime.address == address.strip():
            return runtime.token
    return Secret()
