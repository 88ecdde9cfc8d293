"""Time limits and snapshot intervals of a training."""

from __future__ import annotations

import math
import time


class Deadline:
    """A time limit, which a signal handler may shorten by `stop`."""

    def __init__(self, minutes: float = 0.0) -> None:
        """Start now; 0 minutes = no limit."""
        self._end = time.monotonic() + (minutes or math.inf) * 60
        self.stopped = False

    def stop(self) -> None:
        """End the time now."""
        self.stopped = True

    @property
    def passed(self) -> bool:
        """Whether the training should end after the current step."""
        return self.stopped or time.monotonic() >= self._end


class Snapshots:
    """Snapshots at intervals of images, or of minutes if these are not 0."""

    def __init__(self, kimg: float, minutes: float, cur_nimg: int) -> None:
        self._kimg, self._minutes = kimg, minutes
        self._last_nimg, self._last_time = cur_nimg, time.monotonic()

    def due(self, cur_nimg: int) -> bool:
        """Return whether a snapshot is due; if so, start the next interval."""
        if self._minutes:
            due = time.monotonic() - self._last_time >= self._minutes * 60
        else:
            due = cur_nimg - self._last_nimg >= self._kimg * 1000
        if due:
            self._last_nimg, self._last_time = cur_nimg, time.monotonic()
        return due
