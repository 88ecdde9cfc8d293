"""The path of this installation's `inpaint-server`, stored in every plug-in installed from it.

Krita and GIMP are started from the desktop, outside of any virtual environment. Without the stored
path, the plug-in would search for the daemon on the PATH and not find it.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from inpaint_client.daemon import PROGRAM, PROGRAM_FILE

from .finding import Finding


def own_program() -> Path | None:
    """Return the daemon in the folder of the running Python, or on the PATH; None if neither."""
    folder = Path(sys.executable).parent  # not resolved, because it may be a link in an environment
    for candidate in (folder / PROGRAM, folder / f"{PROGRAM}.exe"):
        if os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which(PROGRAM)
    return Path(found).absolute() if found else None


def note_program(package: Path) -> str:
    """Store the daemon's path in an installed plug-in.

    Args:
        package: the folder that contains the plug-in's copy of the client.

    Returns:
        A message about it.
    """
    program = own_program()
    if program is None:
        return f"{PROGRAM} was not found next to this command, so the plug-in will search for it."
    (package / PROGRAM_FILE).write_text(f"{program}\n", "utf-8")
    return f"The plug-in starts {program} if no daemon is running."


def examine_note(what: str, package: Path, host: str) -> Finding:
    """Check whether the daemon whose path is stored in an installed plug-in still exists.

    Args:
        what: the subject of the finding.
        package: as for `note_program`.
        host: `krita` or `gimp`.
    """
    remedy = f"Run `inpaint plugins install {host}` again."
    try:
        noted = (package / PROGRAM_FILE).read_text("utf-8").strip()
    except OSError:
        return Finding(what, "", "its path is not stored in the plug-in", remedy)
    problem = "" if os.access(noted, os.X_OK) else f"{noted} is not an executable program"
    return Finding(what, noted, problem, remedy)
