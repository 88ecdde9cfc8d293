"""When a training ends before it has seen all its images, and when it saves what it has."""

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


class Snapshots:
    """Due after thousands of images, or after minutes if any are given."""

    def __init__(self, kimg: float, minutes: float, cur_nimg: int) -> None:
        """Count from now on; minutes: 0 = by images."""
        self._kimg, self._minutes = kimg, minutes
        self._last_nimg, self._last_time = cur_nimg, time.monotonic()

    def due(self, cur_nimg: int) -> bool:
        """Return whether one shall be made now; then the next one is counted from here."""
        if self._minutes:
            due = time.monotonic() - self._last_time >= self._minutes * 60
        else:
            due = cur_nimg - self._last_nimg >= self._kimg * 1000
        if due:
            self._last_nimg, self._last_time = cur_nimg, time.monotonic()
        return due
