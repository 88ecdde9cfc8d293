"""Start the daemon of this machine if none is running.

It is never started with `sys.executable`, because inside Krita and GIMP that is the host program
or the host's own Python.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from .discovery import find_daemon, flatpak_remedy, is_local_choice
from .endpoint import Endpoint
from .errors import (
    DaemonNotFoundError,
    ProgramNotFoundError,
    RequestCancelledError,
    StartFailedError,
)
from .folders import cache_folder, home, is_flatpak
from .sentence import Sentence
from .settings import ConnectionSettings, connection_file

log = logging.getLogger(__name__)
PROGRAM = "inpaint-server"
PROGRAM_FILE = "inpaint-server.path"  # in an installed plug-in: path of the installer's daemon
START_TIMEOUT_S = 120.0  # the first start compiles and reads weights
_TURN_S = 0.1
_ALREADY = "already runs"  # logged by a second daemon; then wait for the first one's runtime file
_HOST_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "QT_PLUGIN_PATH")
_NOT_FOUND = Sentence(
    "Install it (pip install inpaint-stylegan), or choose the program in the settings if it is "
    "installed already."
)


class Starting(NamedTuple):
    """Progress of the start, for a progress bar with a line of text."""

    elapsed_s: float
    last_line: str  # of the daemon's log


def ensure_daemon(
    settings: ConnectionSettings | None = None,
    progress: Callable[[Starting], None] = lambda starting: None,
    is_wanted: Callable[[], bool] = lambda: True,
    timeout_s: float = START_TIMEOUT_S,
) -> Endpoint:
    """Return the endpoint of the configured daemon, and start the daemon if necessary.

    Only a local daemon is started. This function blocks while the daemon starts, so call it in a
    thread, as `Worker` does.

    Args:
        settings: the connection settings; None = those of the user.
        progress: called about ten times per second while the daemon starts.
        is_wanted: called equally often; if it returns False, waiting ends with
            RequestCancelledError, while the daemon continues to start.
        timeout_s: how long to wait for the daemon, in seconds.

    Raises:
        DaemonNotFoundError: no daemon is running, and the settings do not allow starting one.
        StartFailedError: the daemon is not installed, exited, or took longer than `timeout_s`.
        RequestCancelledError: `is_wanted` returned False.
    """
    settings = settings or connection_file().load()
    try:
        return find_daemon(settings)
    except DaemonNotFoundError:
        if not settings.start_daemon or not is_local_choice(settings):
            raise
    return start_daemon(find_command(settings.executable), settings, progress, is_wanted, timeout_s)


def start_daemon(
    command: list[str],
    settings: ConnectionSettings,
    progress: Callable[[Starting], None],
    is_wanted: Callable[[], bool],
    timeout_s: float,
) -> Endpoint:
    """Run `command` detached and wait until its runtime file appears and it accepts connections."""
    log_path = log_file()
    log.info("starting %s, log in %s", command, log_path)
    process = _spawn(command, log_path)
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < timeout_s:
        ended = process.poll() is not None
        try:
            return find_daemon(settings)
        except DaemonNotFoundError:
            if ended and _ALREADY not in last_line(log_path):
                raise StartFailedError(_why(command, process.returncode, log_path)) from None
        if not is_wanted():
            raise RequestCancelledError(Sentence("Cancelled while the daemon was starting."))
        progress(Starting(elapsed, last_line(log_path)))
        time.sleep(_TURN_S)
    raise StartFailedError(
        Sentence(
            "The daemon did not start within {seconds:.0f} s. The last line of its log: “{line}”.",
            seconds=timeout_s,
            line=last_line(log_path) or "-",
        ),
        Sentence("Its log is {log_path}.", log_path=log_path),
    )


def find_command(executable: str = "", beside: Path = Path(__file__)) -> list[str]:
    """Return the daemon's command.

    It is the first of these that exists: the configured program, the one that installed this
    plug-in, one on the PATH, one in the environment of this package, and one in ~/.local.

    Args:
        executable: the configured program; empty = search for it.
        beside: a file in an environment that may contain the daemon.

    Raises:
        ProgramNotFoundError: the program was not found.
        StartFailedError: this program runs in a sandbox and may not start other programs.
    """
    if is_flatpak():
        return _command_outside_flatpak(executable or _noted(beside))
    if executable:
        if not os.access(executable, os.X_OK):
            raise ProgramNotFoundError(
                Sentence("{executable} is not an executable program.", executable=executable),
                Sentence("Choose another program."),
            )
        return [executable]
    for candidate in _candidates(beside):
        if candidate and os.access(candidate, os.X_OK):
            return [str(candidate)]
    raise ProgramNotFoundError(Sentence("{program} was not found.", program=PROGRAM), _NOT_FOUND)


def log_file() -> Path:
    """Return the log file of a daemon that was started by a client."""
    return cache_folder() / "server.log"


def last_line(path: Path) -> str:
    """Return the last line of a log that is not blank; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _noted(beside: Path) -> str:
    """Return the path that the installer stored in the enclosing plug-in; empty if none."""
    plug_in = beside.resolve().parents[2]  # PLUG_IN/_vendor/inpaint_client/FILE
    try:
        return (plug_in / PROGRAM_FILE).read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _candidates(beside: Path) -> Iterator[Path | str | None]:
    yield _noted(beside)
    yield shutil.which(PROGRAM)
    for folder in beside.resolve().parents:  # one of them may be a virtual environment or checkout
        for place in (folder, folder / ".venv"):
            yield place / "bin" / PROGRAM
            yield place / "Scripts" / f"{PROGRAM}.exe"
    yield home() / ".local/bin" / PROGRAM  # pipx, uv; not on the PATH of every desktop


def _command_outside_flatpak(executable: str) -> list[str]:
    info = Path("/.flatpak-info").read_text("utf-8", "replace")
    if "org.freedesktop.Flatpak=talk" not in info or not shutil.which("flatpak-spawn"):
        raise StartFailedError(
            Sentence("This program runs inside Flatpak and may not start other programs."),
            flatpak_remedy(),
        )
    return ["flatpak-spawn", "--host", executable or PROGRAM]


def _spawn(command: list[str], log_path: Path) -> subprocess.Popen[bytes]:
    try:
        log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailedError(
            Sentence(
                "The folder {folder} cannot be created ({error}).",
                folder=log_path.parent,
                error=error.strerror,
            ),
            Sentence("Set HOME or XDG_CACHE_HOME to a folder that you own."),
        ) from error
    environment = {k: v for k, v in os.environ.items() if k not in _HOST_VARIABLES}
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    # Truncate, then append: two hosts may start a daemon at the same moment.
    log_flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    try:
        with os.fdopen(os.open(log_path, log_flags, 0o600), "ab") as output:
            process = subprocess.Popen(  # noqa: S603 (the user's own daemon)
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                creationflags=flags,
                cwd=home() if home().is_dir() else Path("/"),
            )
    except OSError as error:
        raise StartFailedError(
            Sentence("{command} cannot be run ({error}).", command=command[0], error=error)
        ) from error
    # The exit status of a child that exits before the host must be collected.
    Thread(target=_await_end, args=(process, log_path), daemon=True).start()
    return process


def _await_end(process: subprocess.Popen[bytes], log_path: Path) -> None:
    """Wait until a daemon exits, and add a line to its log if it was killed."""
    status = process.wait()
    if status < 0:
        with suppress(OSError), log_path.open("a", encoding="utf-8") as log_of_daemon:
            log_of_daemon.write(
                f"inpaint-server (process {process.pid}) was killed by signal {-status}; "
                "signal 9 often means that memory ran out\n"
            )


def _why(command: list[str], status: int, log_path: Path) -> str:
    program, line = Path(command[-1]).name, last_line(log_path)
    if line:
        return Sentence("{program} exited immediately: {line}", program=program, line=line)
    return Sentence(
        "{program} exited immediately with status {status} and wrote nothing to {log_path}.",
        program=program,
        status=status,
        log_path=log_path,
    )
