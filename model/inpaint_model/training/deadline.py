"""When a training ends before it has seen all its images."""

from __future__ import annotations

import math
import time


class Deadline:
    """Minutes from now, or sooner if `stop` is called, as a signal's handler does."""

    def __init__(self, minutes: float = 0.0) -> None:
        """minutes: 0 = no end."""
        self._end = time.monotonic() + (minutes or math.inf) * 60
        self.stopped = False

    def stop(self) -> None:
        """Let the deadline pass now."""
        self.stopped = True

    @property
    def passed(self) -> bool:
        """Whether the training shall end after the step that it is in."""
        return self.stopped or time.monotonic() >= self._end
