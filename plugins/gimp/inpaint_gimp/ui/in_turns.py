"""Run long work between turns of GTK's event loop, so that the window stays responsive."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
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


class Posts:
    """Runs functions from other threads in the GUI thread, in order.

    GTK would run all that are waiting in one turn, for example for all candidates that arrived
    together. This leaves the rest to the next turn when the time is over.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._source = 0

    def post(self, function: Callable[[], None]) -> None:
        """Run `function` soon. May be called from any thread."""
        with self._lock:
            self._waiting.append(function)
            if not self._source:
                self._source = GLib.idle_add(self._turn)

    def _turn(self) -> bool:
        end = time.perf_counter() + _TURN_S
        while time.perf_counter() < end:
            with self._lock:
                if not self._waiting:
                    self._source = 0
                    return False
                function = self._waiting.popleft()
            try:
                function()
            except Exception:  # as from any other callback; the rest still runs
                sys.excepthook(*sys.exc_info())
        return True
