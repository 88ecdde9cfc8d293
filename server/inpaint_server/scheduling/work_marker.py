"""A file that says what the daemon is doing, for the daemon after it.

A process that runs out of memory is killed and cannot say so. While work runs that could end like
that, `server.work` lies beside the runtime file: what was asked for and how large, never pixels.
Whoever holds the runtime file's lock and finds it knows that the daemon before was killed at it.
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

MAX_CHARACTERS = 200  # of one piece of work


class Killed(NamedTuple):
    """How the daemon before this one ended."""

    work: tuple[str, ...]  # what it was doing, the latest last; such as "Fill crop=512x512x3"
    began: float  # when the latest of it began, of time.time()


class WorkMarker:
    """What runs now, in a file. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._running: dict[object, str] = {}

    def left_behind(self) -> Killed | None:
        """Return what the daemon before this one was killed at, and forget it; None: nothing.

        Only for whoever holds the runtime file's lock.
        """
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
        """Say that this is done while the block runs."""
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
        """Say nothing any more."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        """Atomically, readable by the user alone. A full disk is no reason to refuse work."""
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
