"""Counts of measured values, for metrics. This module knows nothing about who reads them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import inf

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SHORT_SECONDS = (0.005, 0.01, 0.025, *SECONDS[:8])
BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Histogram:
    """Number of values in each bucket, and their sum. Thread-safe."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Start empty.

        Args:
            bounds: the largest value of each bucket, ascending; the last bucket has no bound.
        """
        self.bounds = (*bounds, inf)
        self._counts = [0] * len(self.bounds)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count a value."""
        with self._lock:
            self._counts[bisect_left(self.bounds, value)] += 1
            self._sum += value

    def read(self) -> tuple[list[int], float]:
        """Return how many values are at most each bound, and the sum of all values."""
        with self._lock:
            return list(accumulate(self._counts)), self._sum
