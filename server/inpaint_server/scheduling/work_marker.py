"""A file that records what the daemon is doing, for the next daemon.

A process that runs out of memory is killed without being able to log it. While such work is
running, the file `server.work` exists next to the runtime file, with the kind and the size of the
requests but no pixels. If a daemon gets the runtime file's lock and finds this file, the previous
daemon was killed at that work.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

log = logging.getLogger(__name__)

MAX_CHARACTERS = 200  # of one entry


class Killed(NamedTuple):
    """The work at which the previous daemon was killed."""

    work: tuple[str, ...]  # latest last, such as "Fill crop=512x512x3"
    began: float  # when the latest work began, as of time.time()


class WorkMarker:
    """File with the work that is running. Must be used from a single thread.

    Args:
        path: path of the file; None = record nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._running: dict[object, str] = {}

    def left_behind(self) -> Killed | None:
        """Return the work at which the previous daemon was killed, if any, and remove the file.

        The caller must hold the runtime file's lock.
        """
        if self._path is None:
            return None
        try:
            content = json.loads(self._path.read_text("utf-8"))
            killed = Killed(tuple(map(str, content["work"])), float(content["began"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            killed = None
        self.remove()
        return killed if killed and killed.work else None

    @contextmanager
    def during(self, what: str, facts: Mapping[str, object]) -> Iterator[None]:
        """Record work while the context is active."""
        key = object()
        told = " ".join((what, *(f"{name}={value}" for name, value in facts.items())))
        self._running[key] = told[:MAX_CHARACTERS]
        self._write()
        try:
            yield
        finally:
            del self._running[key]
            self._write()

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            if self._path is not None:
                self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        """Write the file atomically, readable only by the user. Errors are only logged."""
        if self._path is None:
            return
        if not self._running:
            self.remove()
            return
        content = {"work": list(self._running.values()), "began": time.time()}
        try:
            descriptor, name = tempfile.mkstemp(dir=self._path.parent, prefix=".work-")  # 0600
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file)
            Path(name).replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path, error.strerror)
