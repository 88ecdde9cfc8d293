"""Means over a tick, the line that is printed, and the error that ends a run gone wrong."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from inpaint_model.readback import read_scalars


class TrainingDivergedError(RuntimeError):
    """A loss became NaN or infinite. The message names the last good state."""

    def __init__(self, state: Path, cur_nimg: int, means: Mapping[str, float]) -> None:
        bad = ", ".join(name for name, value in means.items() if not abs(value) < float("inf"))
        super().__init__(
            f"training diverged at {cur_nimg / 1000:.1f} kimg ({bad} is not finite); "
            f"the last good state is {state}: lower the learning rate or raise R1's weight "
            "and start again with the same --out"
        )


class Stats:
    """Running means, kept on the device until they are taken."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor | float) -> None:
        value = value.detach().float() if isinstance(value, Tensor) else value
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts.get(name, 0) + 1

    def take(self, state: Path, cur_nimg: int) -> dict[str, float]:
        """The means since the last call.

        TrainingDivergedError if one is not finite; it names `state`, the last good one. So call
        this before a state is written.
        """
        sums = read_scalars(*self._sums.values())
        means = {name: x / self._counts[name] for name, x in zip(self._sums, sums, strict=True)}
        self._sums.clear()
        self._counts.clear()
        if not all(map(math.isfinite, means.values())):
            raise TrainingDivergedError(state, cur_nimg, means)
        return means


def progress_line(record: Mapping[str, float], total_kimg: float) -> str:
    """One line: progress, rate, time left, then every other number."""
    kimg, rate = record["kimg"], record["images_per_s"]
    left = max(total_kimg - kimg, 0) * 1000 / max(rate, 1e-9)
    rest = "  ".join(
        f"{name} {value:.3g}"
        for name, value in record.items()
        if name not in ("kimg", "images_per_s")
    )
    return (
        f"{kimg:9.1f} of {total_kimg:g} kimg  {rate:6.1f} img/s  {left / 3600:6.1f} h left  {rest}"
    )
