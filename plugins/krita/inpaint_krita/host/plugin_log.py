"""The plug-in's own log file, since artists do not see Krita's terminal output."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from inpaint_client.folders import cache_folder

LOGGER = __name__.split(".", maxsplit=1)[0]  # of the plug-in and the client bundled with it
MAX_BYTES = 200_000


def plugin_log() -> Path:
    """Return the path of the plug-in's log of warnings and errors."""
    return cache_folder() / "krita.log"


def keep_log() -> None:
    """Start logging to the file; if its folder cannot be created, do without a log."""
    path = plugin_log()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    handler = RotatingFileHandler(
        path, maxBytes=MAX_BYTES, backupCount=1, encoding="utf-8", delay=True
    )
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger(LOGGER).addHandler(handler)
