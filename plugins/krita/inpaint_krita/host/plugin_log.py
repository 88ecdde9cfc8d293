"""The plug-in's own log: what Krita would print to a terminal that nobody sees."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from inpaint_client.folders import cache_folder

LOGGER = __name__.split(".", maxsplit=1)[0]  # of the whole plug-in, with the client it carries
MAX_BYTES = 200_000


def plugin_log() -> Path:
    """Where warnings and failures of the plug-in go."""
    return cache_folder() / "krita.log"


def keep_log() -> None:
    """Write the log from now on; without a place for it the plug-in works all the same."""
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
