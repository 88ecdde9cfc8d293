"""`inpaint plugins install|status|uninstall gimp`, for every GIMP 3 of this user.

Each GIMP is started without a window to report its plug-in folder, which depends on its version,
package and settings, and to report whether it loads our plug-in afterward.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .finding import Finding
from .program import examine_note, note_program

FOLDER = "inpaint-gimp"  # GIMP requires the folder and the file in it to have the same name
ENTRY = "inpaint-gimp.py"
PACKAGE = "inpaint_gimp"  # inside the folder
PROCEDURE = "plug-in-inpaint-stylegan"
FLATPAK_ID = "org.gimp.GIMP"
ARCHIVES = (  # in a wheel and in a checkout
    Path(__file__).parent / "plugins" / "inpaint-gimp.zip",
    Path(__file__).parents[3] / "build" / "plugins" / "inpaint-gimp.zip",
)
_CONSOLE = re.compile(r"gimp-console-3\.\d+(\.exe)?")
_PLAIN = ("gimp-console-3", "gimp-console", "gimp-3", "gimp")  # names without a minor version
_MARK = "INPAINT-ANSWER "
_TIMEOUT_S = 180  # the first start scans all plug-ins and fonts, possibly on a slow disk
_QUESTION = f"""
import json
from gi.repository import Gimp
names = [p for p in Gimp.get_pdb().query_procedures(*["{PROCEDURE}.*"] + [""] * 7)]
print("{_MARK}" + json.dumps(
    dict(version=Gimp.version(), folder=Gimp.directory(), procedures=names)), flush=True)
"""

Say = Callable[[str], None]


class GimpError(Exception):
    """A problem with one GIMP; the message describes it."""


@dataclass(frozen=True)
class Gimp:
    """A GIMP that can be started."""

    kind: str  # "native", "Flatpak" or "AppImage"
    command: tuple[str, ...]  # command that starts it, without options

    @property
    def title(self) -> str:
        """The display name: the kind, and the command or the Flatpak ID."""
        return f"{self.kind} {self.command[-1] if self.kind != 'Flatpak' else FLATPAK_ID}"


@dataclass(frozen=True)
class Answer:
    """The answer of a GIMP about itself."""

    version: str
    folder: Path  # the user's configuration folder of this GIMP, which contains plug-ins
    procedures: tuple[str, ...]  # the procedures of our plug-in that it has loaded

    @property
    def plug_in(self) -> Path:
        """The folder in which our plug-in is installed for this GIMP."""
        return self.folder / "plug-ins" / FOLDER


def install() -> int:
    """Install the plug-in for every GIMP 3; return 0 if all of them then load it, else 2."""
    return _exit_status(install_everywhere)


def status() -> int:
    """Print the status for every GIMP 3; return 0 if all load the current plug-in, else 2."""
    return _exit_status(status_everywhere)


def uninstall() -> int:
    """Remove the plug-in from every GIMP 3, but not the user's settings; return 0 or 2."""
    return 0 if uninstall_everywhere() else 2


def _exit_status(act: Callable[[Path], bool]) -> int:
    for archive in ARCHIVES:
        if archive.is_file():
            return 0 if act(archive) else 2
    print(
        "inpaint: this installation does not include the plug-in for GIMP. In a checkout, build "
        "it with `python plugins/build.py gimp`.",
        file=sys.stderr,
    )
    return 2


def install_everywhere(archive: Path, say: Say = print) -> bool:
    """Install the plug-in for every GIMP 3; return whether all of them then load it."""
    return _each(lambda gimp: _install(gimp, archive, say), say)


def status_everywhere(archive: Path, say: Say = print) -> bool:
    """Report the status of every GIMP 3; return whether all load the plug-in of the zip."""
    return _each(lambda gimp: _status(gimp, archive, say), say)


def uninstall_everywhere(say: Say = print) -> bool:
    """Remove the plug-in from every GIMP 3; return whether that succeeded for all."""
    return _each(lambda gimp: _uninstall(gimp, say), say)


def _each(act: Callable[[Gimp], bool], say: Say) -> bool:
    gimps = find_gimps()
    if not gimps:
        say("No GIMP 3 was found. Install GIMP 3.0 or newer (2.10 cannot run Python 3 plug-ins).")
        return False
    done = True
    for gimp in gimps:
        try:
            done &= act(gimp)
        except (GimpError, OSError) as error:
            say(f"{gimp.title}: {error}")
            done = False
    return done


def _install(gimp: Gimp, archive: Path, say: Say) -> bool:
    before = ask(gimp)
    unpack(archive, before.plug_in)
    after = ask(gimp)
    if PROCEDURE not in after.procedures:
        raise GimpError(
            f"GIMP {after.version} does not load the plug-in in {after.plug_in}. "
            "Start GIMP in a terminal to see the reason."
        )
    say(f"{gimp.title}: installed for GIMP {after.version} in {after.plug_in}")
    say("  " + note_program(after.plug_in / PACKAGE))
    say("  " + _restart_advice())
    return True


def _status(gimp: Gimp, archive: Path, say: Say) -> bool:
    answer = ask(gimp)
    if not answer.plug_in.is_dir():
        say(f"{gimp.title}: GIMP {answer.version}, not installed")
        return False
    current = is_current(archive, answer.plug_in)
    known = PROCEDURE in answer.procedures
    words = "installed" if current else "another version is installed; install the plug-in again"
    if not known:
        words += ", but GIMP does not load it"
    say(f"{gimp.title}: GIMP {answer.version}, {words} ({answer.plug_in})")
    return current and known


def _uninstall(gimp: Gimp, say: Say) -> bool:
    answer = ask(gimp)
    if answer.plug_in.is_dir():
        shutil.rmtree(answer.plug_in)
        say(f"{gimp.title}: removed {answer.plug_in}")
    else:
        say(f"{gimp.title}: not installed")
    return True


def examine() -> Iterator[Finding]:
    """Check each GIMP 3, its plug-in, and the daemon of the plug-in."""
    gimps = find_gimps()
    if not gimps:
        yield Finding(
            "GIMP",
            problem="no GIMP 3 was found",
            remedy="Install GIMP 3.0 or newer, or ignore this if you use another editor.",
        )
    for gimp in gimps:
        try:
            answer = ask(gimp)
        except (GimpError, OSError) as error:
            yield Finding(
                "GIMP", problem=f"{gimp.title} {error}", remedy="Fix this GIMP installation first."
            )
            continue
        yield Finding("GIMP", f"{gimp.title}, version {answer.version}")
        problem = ""
        if not answer.plug_in.is_dir():
            problem = "is not installed"
        elif PROCEDURE not in answer.procedures:
            problem = (
                f"GIMP does not load {answer.plug_in}; start GIMP in a terminal to see the reason"
            )
        what, remedy = f"plug-in for GIMP {answer.version}", "Run `inpaint plugins install gimp`."
        yield Finding(what, f"installed in {answer.plug_in}", problem, remedy)
        if not problem:
            title = f"daemon of GIMP {answer.version}"
            yield examine_note(title, answer.plug_in / PACKAGE, "gimp")


# --- the plug-in's files


def unpack(archive: Path, target: Path) -> None:
    """Unpack the folder of the zip to `target`, and make the entry file executable.

    An existing folder is only replaced when the new one is complete.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent.parent, prefix=".inpaint-") as scratch:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(scratch)
        fresh = Path(scratch) / FOLDER
        entry = fresh / ENTRY
        entry.chmod(entry.stat().st_mode | 0o111)
        if target.exists():
            target.rename(Path(scratch) / "old")
        fresh.rename(target)


def is_current(archive: Path, folder: Path) -> bool:
    """Return whether the folder contains every file of the zip, unchanged."""
    with zipfile.ZipFile(archive) as packed:
        for entry in packed.infolist():
            path = folder.parent / entry.filename
            if not entry.is_dir() and (
                not path.is_file() or path.read_bytes() != packed.read(entry)
            ):
                return False
    return os.access(folder / ENTRY, os.X_OK)


# --- finding and asking


def find_gimps() -> list[Gimp]:
    """Return every GIMP 3 on this machine, without duplicates."""
    found: dict[str, Gimp] = {}
    for gimp in (*_native(), *_flatpaks(), *_app_images()):
        real = shutil.which(gimp.command[0]) or gimp.command[0]
        name = str(Path(real).resolve()) if gimp.kind != "Flatpak" else gimp.kind
        found.setdefault(name, gimp)
    return list(found.values())


def ask(gimp: Gimp) -> Answer:
    """Start a GIMP without a window, and return its answer about itself.

    Raises:
        GimpError: the GIMP does not start or does not answer.
    """
    command = [
        *(*gimp.command, "-i", "-d", "-f"),
        *("--batch-interpreter=python-fu-eval", "-b", _QUESTION, "--quit"),
    ]
    try:
        done = subprocess.run(  # noqa: S603 (the user's own GIMP)
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GimpError(f"did not answer within {_TIMEOUT_S} s") from None
    except OSError as error:
        raise GimpError(f"cannot be started ({error})") from error
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            content = json.loads(line.removeprefix(_MARK))
            return Answer(content["version"], Path(content["folder"]), tuple(content["procedures"]))
    words = [line for line in done.stderr.splitlines() if line.strip()]
    raise GimpError(
        "does not run Python; install its Python support (python3-gi and gir1.2-gimp-3.0 on "
        f"Debian). The last line of its output: {words[-1] if words else 'none'}"
    )


def _environment() -> dict[str, str]:
    """Return the environment without variables that point GIMP's Python to our packages."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in hidden}


def _native() -> Iterator[Gimp]:
    for folder in _program_folders():
        if folder.is_dir():
            for path in sorted(folder.iterdir(), reverse=True):
                if _CONSOLE.fullmatch(path.name) and os.access(path, os.X_OK):
                    yield Gimp("native", (str(path),))
    for name in _PLAIN:
        program = shutil.which(name)
        if program and _says_3(program):
            yield Gimp("native", (program,))


def _program_folders() -> Iterator[Path]:
    yield from (Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry)
    if sys.platform == "win32":
        for variable in ("ProgramFiles", "LocalAppData"):
            base = os.environ.get(variable)
            if base:
                yield from Path(base).glob("GIMP 3*/bin")
                yield from Path(base).glob("Programs/GIMP 3*/bin")
    if sys.platform == "darwin":
        for applications in (Path("/Applications"), Path.home() / "Applications"):
            yield from applications.glob("GIMP*.app/Contents/MacOS")


def _says_3(path: str) -> bool:
    try:
        done = subprocess.run(  # noqa: S603
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return bool(re.search(r"\b3\.\d+", done.stdout))


def _flatpaks() -> Iterator[Gimp]:
    flatpak = shutil.which("flatpak")
    if not flatpak:
        return
    done = subprocess.run(  # noqa: S603
        [flatpak, "info", FLATPAK_ID], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        yield Gimp("Flatpak", (flatpak, "run", "--command=gimp-console", FLATPAK_ID))


def _app_images() -> Iterator[Gimp]:
    home = Path.home()
    usual = [home / name for name in ("Applications", "Downloads", "Desktop", ".local/bin", "bin")]
    for folder in [*usual, *_program_folders(), Path("/opt")]:
        for path in sorted(folder.glob("GIMP*.AppImage")) if folder.is_dir() else ():
            if os.access(path, os.X_OK):
                yield Gimp("AppImage", (str(path),))


def _restart_advice() -> str:
    if _is_running():
        return "GIMP is running. Restart it, because it only loads new plug-ins when it starts."
    return "Start GIMP. The plug-in is in Filters > Enhance."


def _is_running() -> bool:
    """Return whether a GIMP with a window is running; True if that is unknown."""
    processes = Path("/proc")
    if not (processes / "self" / "comm").exists():
        return True
    for folder in processes.iterdir():
        if folder.name.isdigit():
            try:
                name = (folder / "comm").read_text().strip()
            except OSError:
                continue
            if re.fullmatch(r"gimp(-3(\.\d+)?)?", name):
                return True
    return False
