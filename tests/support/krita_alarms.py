"""Listens to the Krita plug-in's guard: which exceptions ended there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from inpaint_krita.host import guard


class Listening(logging.Handler):
    """Keeps what is logged, with its traceback."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))


@contextmanager
def alarms() -> Iterator[list[str]]:
    """The texts that the guard logs meanwhile."""
    listening = Listening()
    guard.log.addHandler(listening)
    try:
        yield listening.seen
    finally:
        guard.log.removeHandler(listening)
