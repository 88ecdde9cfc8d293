"""Run a generator between turns of Qt's event loop, so that long work never blocks the window."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from ..host.guard import later

log = logging.getLogger(__name__)
T = TypeVar("T")
TURN_S = 0.012  # plus the longest step, still imperceptible while drawing


class CooperativeTask(Generic[T]):
    """A running generator. It yields the pause before the next step, in ms; None = no pause."""

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
        self._is_inside = False  # some calls of Krita run the event loop
        later(0, self._step)

    def cancel(self) -> None:
        """Stop; neither `done` nor `failed` will be called."""
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
                log.info("a canceled step failed", exc_info=error)
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
        """Call `done`, or `failed` if `done` raises an exception."""
        try:
            self._done(value)
        except Exception as error:
            log.exception("the callback of a finished task failed")
            self._failed(error)

    def _go_on(self) -> int:
        """Run as many steps as fit into a turn, since a turn may take longer than a step."""
        end = time.perf_counter() + TURN_S
        while True:
            pause = next(self._generator)
            if pause or self._is_cancelled or time.perf_counter() > end:
                return int(pause or 0)
