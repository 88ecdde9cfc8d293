"""Run long work between turns of GTK's event loop, so that the window stays responsive."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

from inpaint_client import InpaintError

from .gtk import GLib

T = TypeVar("T")
_TURN_S = 0.012  # plus the longest step, still imperceptible


class InTurns(Generic[T]):
    """A running generator. Calls `done` with its result, or `failed` with its error."""

    def __init__(
        self,
        steps: Generator[None, None, T],
        done: Callable[[T], None],
        failed: Callable[[InpaintError], None],
    ) -> None:
        self._steps = steps
        self._done = done
        self._failed = failed
        self._source = GLib.idle_add(self._turn)

    @property
    def is_running(self) -> bool:
        """Whether there are steps left."""
        return bool(self._source)

    def cancel(self) -> None:
        """Stop; neither `done` nor `failed` will be called."""
        if self._source:
            GLib.source_remove(self._source)
            self._source = 0
            self._steps.close()

    def _turn(self) -> bool:
        end = time.perf_counter() + _TURN_S
        try:
            while time.perf_counter() < end:
                next(self._steps)
        except StopIteration as stop:
            self._source = 0
            self._done(stop.value)
            return False
        except InpaintError as error:
            self._source = 0
            self._failed(error)
            return False
        except BaseException:
            self._source = 0
            raise
        return True
