"""Catch exceptions in GTK callbacks.

PyGObject passes them to `sys.excepthook`, which only prints them, so the user would see a button
that does nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import TracebackType

log = logging.getLogger(__name__)


class Guard:
    """Logs every exception that escapes from a callback and calls `tell`, until `release`."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._before = sys.excepthook
        sys.excepthook = self._failed

    def release(self) -> None:
        sys.excepthook = self._before

    def _failed(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, Exception):  # the process should exit
            self._before(kind, error, trace)
            return
        log.error("A callback failed.", exc_info=(kind, error, trace))
        self._tell()
