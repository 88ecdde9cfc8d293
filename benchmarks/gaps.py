"""Whether a difference, measured with several seeds, is decided."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats

LEVEL = 0.95


class Gap(NamedTuple):
    """The mean of a difference with the interval of Student's t distribution."""

    mean: float
    half_width: float  # infinite for a single seed

    @property
    def sign(self) -> int:
        """1: above 0, -1: below, 0: not decided."""
        return 0 if abs(self.mean) <= self.half_width else int(math.copysign(1, self.mean))

    def text(self, digits: int) -> str:
        """Format as `0.12 [0.03, 0.21]`."""
        if math.isinf(self.half_width):
            return f"{self.mean:.{digits}f} (one seed)"
        low, high = self.mean - self.half_width, self.mean + self.half_width
        return f"{self.mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def gap_of(differences: Sequence[float]) -> Gap:
    """Return the gap of one difference per seed."""
    n = len(differences)
    mean = statistics.mean(differences)
    if n < 2:
        return Gap(mean, math.inf)
    error = statistics.stdev(differences) / math.sqrt(n)
    return Gap(mean, float(stats.t.ppf((1 + LEVEL) / 2, n - 1)) * error)
