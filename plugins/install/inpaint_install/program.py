"""The `inpaint-server` of this installation, noted in every plug-in that is installed from it.

Krita and GIMP are started from a desktop, which knows nothing of virtual environments: without the
note the plug-in would look for the daemon in PATH and not find it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from inpaint_client.daemon import PROGRAM, PROGRAM_FILE

from .finding import Finding


def own_program() -> Path | None:
    """Return the daemon beside the Python that runs this, else the one in PATH; None if neither."""
    folder = Path(sys.executable).parent  # not resolved: a virtual environment's is a link
    for candidate in (folder / PROGRAM, folder / f"{PROGRAM}.exe"):
        if os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which(PROGRAM)
    return Path(found).absolute() if found else None


def note_program(package: Path) -> str:
    """Write into an installed plug-in where the daemon is; return a sentence that says so.

    package: the folder that holds the plug-in's copy of the client.
    """
    program = own_program()
    if program is None:
        return f"{PROGRAM} was not found beside this command: the plug-in will look for it itself."
    (package / PROGRAM_FILE).write_text(f"{program}\n", "utf-8")
    return f"It starts {program} when no daemon runs."


def examine_note(what: str, package: Path, host: str) -> Finding:
    """Return whether the daemon that an installed plug-in was told of is still there.

    Args:
        what: the finding's title.
        package: as for `note_program`.
        host: `krita` or `gimp`.
    """
    remedy = f"Run `inpaint plugins install {host}` again."
    try:
        noted = (package / PROGRAM_FILE).read_text("utf-8").strip()
    except OSError:
        return Finding(what, "", "the plug-in was not told where it is", remedy)
    problem = "" if os.access(noted, os.X_OK) else f"{noted} cannot be run"
    return Finding(what, noted, problem, remedy)
