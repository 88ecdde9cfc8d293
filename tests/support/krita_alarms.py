"""Collect the exceptions caught by the Krita plug-in's guard."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from inpaint_krita.host import guard


class Listening(logging.Handler):
    """Keeps log messages with their tracebacks."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))


@contextmanager
def alarms() -> Iterator[list[str]]:
    """Yield a list of the guard's log messages during the block."""
    listening = Listening()
    guard.log.addHandler(listening)
    try:
        yield listening.seen
    finally:
        guard.log.removeHandler(listening)
