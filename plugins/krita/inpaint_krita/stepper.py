"""Runs a generator between turns of Qt's event loop, so that long work never stops the window."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from .qt import QtCore

T = TypeVar("T")


class Steps(Generic[T]):
    """One generator under way. What it yields is how long to wait, in ms; None = at once."""

    def __init__(
        self,
        generator: Generator[Any, None, T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._generator = generator
        self._done = done
        self._failed = failed
        self._is_cancelled = False
        QtCore.QTimer.singleShot(0, self._step)

    def cancel(self) -> None:
        """Neither `done` nor `failed` will be called."""
        self._is_cancelled = True
        self._generator.close()

    def _step(self) -> None:
        if self._is_cancelled:
            return
        try:
            pause = next(self._generator)
        except StopIteration as stop:
            self._done(stop.value)
        except Exception as error:
            self._failed(error)
        else:
            QtCore.QTimer.singleShot(int(pause or 0), self._step)
