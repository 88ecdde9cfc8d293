"""Start the daemon of this machine when none runs.

Never with `sys.executable`: inside Krita and GIMP that is not the Python one would expect.
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
PROGRAM_FILE = "inpaint-server.path"  # in an installed plug-in: where the installer's daemon is
START_TIMEOUT_S = 120.0  # the first start compiles and reads weights
_TURN_S = 0.1
_ALREADY = "already runs"  # what a second daemon says; then the first one's file is waited for
_HOST_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "QT_PLUGIN_PATH")
_NOT_FOUND = Sentence(
    "Install it (pip install inpaint-stylegan), or choose the program in the settings if it is "
    "installed already."
)


class Starting(NamedTuple):
    """How far the start is, for a progress bar with a line of text."""

    elapsed_s: float
    last_line: str  # of the daemon's log


def ensure_daemon(
    settings: ConnectionSettings | None = None,
    progress: Callable[[Starting], None] = lambda starting: None,
    is_wanted: Callable[[], bool] = lambda: True,
    timeout_s: float = START_TIMEOUT_S,
) -> Endpoint:
    """Return the daemon of the settings (None: the user's), started if it is local and not up.

    Blocks while it starts: call it in a thread (`Worker` does). `is_wanted` is asked ten times a
    second; when it says no, the wait ends with Cancelled and the daemon goes on starting.

    Raises:
        DaemonNotFoundError: none runs, and the settings forbid to start one.
        StartFailedError: it is not installed, ended at once, or took longer than `timeout_s`.
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
    """Run `command` detached and wait until its runtime file leads to it."""
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
            "The daemon did not come up within {seconds:.0f} s. It last said: “{line}”.",
            seconds=timeout_s,
            line=last_line(log_path) or "-",
        ),
        Sentence("Its log is {log_path}.", log_path=log_path),
    )


def find_command(executable: str = "", beside: Path = Path(__file__)) -> list[str]:
    """Return the daemon's command.

    The first of these that exists: the configured program, the one that installed this plug-in,
    those in PATH, beside this package, and in ~/.local.

    Args:
        executable: the configured program; empty = look for it.
        beside: a file in an environment that may hold the daemon.

    Raises:
        ProgramNotFoundError: there is none.
        StartFailedError: this program runs in a sandbox and may start no others.
    """
    if is_flatpak():
        return _command_outside_flatpak(executable or _noted(beside))
    if executable:
        if not os.access(executable, os.X_OK):
            raise ProgramNotFoundError(
                Sentence("{executable} cannot be run.", executable=executable),
                Sentence("Choose another program."),
            )
        return [executable]
    for candidate in _candidates(beside):
        if candidate and os.access(candidate, os.X_OK):
            return [str(candidate)]
    raise ProgramNotFoundError(Sentence("{program} was not found.", program=PROGRAM), _NOT_FOUND)


def log_file() -> Path:
    """Return where a daemon writes that was started from here."""
    return cache_folder() / "server.log"


def last_line(path: Path) -> str:
    """Return the last line of a log that says anything; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _noted(beside: Path) -> str:
    """Return what the installer wrote into the plug-in around this package; empty if nothing."""
    plug_in = beside.resolve().parents[2]  # PLUG_IN/_vendor/inpaint_client/FILE
    try:
        return (plug_in / PROGRAM_FILE).read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _candidates(beside: Path) -> Iterator[Path | str | None]:
    yield _noted(beside)
    yield shutil.which(PROGRAM)
    for folder in beside.resolve().parents:  # of a virtual environment, or a checkout's
        for place in (folder, folder / ".venv"):
            yield place / "bin" / PROGRAM
            yield place / "Scripts" / f"{PROGRAM}.exe"
    yield home() / ".local/bin" / PROGRAM  # pipx, uv; not on the PATH of every desktop


def _command_outside_flatpak(executable: str) -> list[str]:
    info = Path("/.flatpak-info").read_text("utf-8", "replace")
    if "org.freedesktop.Flatpak=talk" not in info or not shutil.which("flatpak-spawn"):
        raise StartFailedError(
            Sentence("This program runs inside Flatpak and may not start others."),
            flatpak_remedy(),
        )
    return ["flatpak-spawn", "--host", executable or PROGRAM]


def _spawn(command: list[str], log_path: Path) -> subprocess.Popen[bytes]:
    try:
        log_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartFailedError(
            Sentence(
                "The folder {folder} cannot be made ({error}).",
                folder=log_path.parent,
                error=error.strerror,
            ),
            Sentence("Set HOME or XDG_CACHE_HOME to a folder of yours."),
        ) from error
    environment = {k: v for k, v in os.environ.items() if k not in _HOST_VARIABLES}
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    # Emptied, and appended to: two hosts may start a daemon at the same moment.
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
    # Somebody must take the exit status of a child that ends before its host does.
    Thread(target=_await_end, args=(process, log_path), daemon=True).start()
    return process


def _await_end(process: subprocess.Popen[bytes], log_path: Path) -> None:
    """Wait for a daemon, and say in its log if it was killed: it could not do so itself."""
    status = process.wait()
    if status < 0:
        with suppress(OSError), log_path.open("a", encoding="utf-8") as log_of_daemon:
            log_of_daemon.write(
                f"inpaint-server (process {process.pid}) was ended by signal {-status}; "
                "signal 9 is often a sign that memory ran out\n"
            )


def _why(command: list[str], status: int, log_path: Path) -> str:
    program, line = Path(command[-1]).name, last_line(log_path)
    if line:
        return Sentence("{program} ended at once: {line}", program=program, line=line)
    return Sentence(
        "{program} ended at once: exit status {status}, nothing in {log_path}",
        program=program,
        status=status,
        log_path=log_path,
    )
