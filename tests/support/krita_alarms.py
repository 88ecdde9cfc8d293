"""Listens to the Krita plug-in's guard: which exceptions ended there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from inpaint_krita.host import guard


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())


@contextmanager
def alarms() -> Iterator[list[str]]:
    """The texts that the guard logs meanwhile, with their tracebacks."""
    listening = _Listening()
    guard.log.addHandler(listening)
    try:
        yield listening.seen
    finally:
        guard.log.removeHandler(listening)
