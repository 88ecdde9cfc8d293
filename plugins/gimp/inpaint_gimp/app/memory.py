"""What the plug-in remembers between its runs. GIMP itself keeps the last values of procedures."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_client import SettingsFile
from inpaint_client.folders import config_folder


@dataclass(frozen=True)
class Memory:
    """Of one user."""

    tour_seen: bool = False  # the tour of the fill dialog was finished or closed


def memory_file() -> SettingsFile[Memory]:
    """Return the file beside the connection settings."""
    return SettingsFile(config_folder() / "gimp.json", Memory)
