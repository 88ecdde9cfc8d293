"""A progress bar on a terminal; nothing in a pipe."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TextIO

WIDTH = 30


class ProgressBar:
    """One line on stderr, drawn over itself."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label
        self._stream = stream or sys.stderr
        self._shown = False

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def show(self, done: int, total: int) -> None:
        """So many of so many."""
        if not self._stream.isatty():
            return
        filled = WIDTH * done // max(total, 1)
        self._stream.write(
            f"\r\x1b[K{self._label} [{'#' * filled}{'.' * (WIDTH - filled)}] {done}/{total}"
        )
        self._stream.flush()
        self._shown = True
