"""Folders of the daemon's runtime file and the user's settings on each system.

The rules are those of the `platformdirs` package, except where its releases differ from each other:
the plug-ins and the command line must find the same files, no matter when each was installed
(docs/decisions/0031).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "inpaint"


def home() -> Path:
    """Return the user's home folder.

    If there is none, as in some containers, return a path under which no file exists or can be
    created.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)


def config_folder() -> Path:
    """Return the folder of the user's settings, such as ~/.config/inpaint, without creating it."""
    if sys.platform == "win32":
        return _local_app_data() / NAME
    if sys.platform == "darwin":
        return home() / "Library/Application Support" / NAME
    return _xdg("XDG_CONFIG_HOME", ".config") / NAME


def cache_folder() -> Path:
    """Return the folder for files that may be deleted, such as the log of a started daemon."""
    if sys.platform == "win32":
        return _local_app_data() / NAME / "Cache"
    if sys.platform == "darwin":
        return home() / "Library/Caches" / NAME
    return _xdg("XDG_CACHE_HOME", ".cache") / NAME


def runtime_folders() -> list[Path]:
    """Return the folders in which a daemon of this user may have written server.json, best first.

    A sandboxed host (Flatpak, Snap) has its own folders, while the daemon runs outside of it.
    """
    folders: list[Path] = []
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if Path(runtime).is_absolute():
        folders.append(Path(runtime) / NAME)
    if sys.platform == "win32":
        folders.append(_local_app_data() / "Temp" / NAME)
    if sys.platform == "darwin":
        folders.append(home() / "Library/Caches/TemporaryItems" / NAME)
    folders.append(cache_folder())
    if is_sandboxed():
        folders += _folders_outside()
    return list(dict.fromkeys(folders))


def is_sandboxed() -> bool:
    """Return whether this process is in a sandbox and cannot see the daemon's process and files."""
    return is_flatpak() or "SNAP" in os.environ


def is_flatpak() -> bool:
    """Return whether this process runs in Flatpak's sandbox."""
    return Path("/.flatpak-info").exists()


def _folders_outside() -> list[Path]:
    """Return the folders outside the sandbox: Flatpak keeps the real home, Snap has a variable."""
    user = os.getuid()
    real_home = Path(os.environ.get("SNAP_REAL_HOME") or home())
    return [
        Path(f"/run/user/{user}") / NAME,
        Path(f"/run/host/run/user/{user}") / NAME,
        real_home / ".cache" / NAME,
    ]


def _xdg(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if Path(value).is_absolute() else home() / fallback


def _local_app_data() -> Path:
    return Path(os.environ.get("LOCALAPPDATA") or home() / "AppData/Local")
