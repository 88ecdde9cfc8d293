"""Catch exceptions in GTK callbacks.

PyGObject passes them to `sys.excepthook`, which only prints them, so the user would see a button
that does nothing.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from types import TracebackType

from ..translation import _

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


def what_happened() -> str:
    """Return the sentence for the user after such an exception."""
    return _(
        "Something went wrong in the plug-in; see GIMP's output in a terminal for "
        "details. You can keep working. If it happens again, cancel and reopen this "
        "dialog."
    )
