"""Runs a generator between turns of Qt's event loop, so that long work never stops the window."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from ..host.guard import later

log = logging.getLogger(__name__)
T = TypeVar("T")
TURN_S = 0.012  # with the longest step on top far below what a hand on a pen notices


class CooperativeTask(Generic[T]):
    """One generator under way. What it yields is how long to wait, in ms; None = go on."""

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
        self._is_inside = False  # Krita lets the event loop turn in the middle of some calls
        later(0, self._step)

    def cancel(self) -> None:
        """Neither `done` nor `failed` will be called."""
        self._is_cancelled = True
        if not self._is_inside:
            self._generator.close()

    def _step(self) -> None:
        if self._is_cancelled:
            return
        self._is_inside = True
        try:
            pause = self._go_on()
        except StopIteration as stop:
            if not self._is_cancelled:
                self._finish(stop.value)
        except Exception as error:
            if self._is_cancelled:
                log.info("a cancelled step failed", exc_info=error)
            else:
                self._failed(error)
        else:
            if self._is_cancelled:
                self._generator.close()
                return
            later(pause, self._step)
        finally:
            self._is_inside = False

    def _finish(self, value: T) -> None:
        """What waits for the end learns about it, whatever happens there."""
        try:
            self._done(value)
        except Exception as error:
            log.exception("what follows a step failed")
            self._failed(error)

    def _go_on(self) -> int:
        """As many steps as fit into a turn; one of Krita's turns may cost more than a step."""
        end = time.perf_counter() + TURN_S
        while True:
            pause = next(self._generator)
            if pause or self._is_cancelled or time.perf_counter() > end:
                return int(pause or 0)
