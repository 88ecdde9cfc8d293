"""Means of metrics, progress reports, and the error of a diverged training."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from inpaint_model.data.transfer import read_scalars
from inpaint_model.training.run_folder import RunFolder


class TrainingDivergedError(RuntimeError):
    """A loss became NaN or infinite; the message names the last good state."""

    def __init__(self, state: Path, cur_nimg: int, means: Mapping[str, float]) -> None:
        bad = ", ".join(name for name, value in means.items() if not abs(value) < float("inf"))
        good = f"the last good state is {state}" if state.exists() else "no state was written yet"
        super().__init__(
            f"training diverged at {cur_nimg / 1000:.1f} kimg ({bad} is not finite); {good}. Lower "
            "the learning rate or raise the R1 weight, and start again with the same --out"
        )


class Stats:
    """Running means, kept on the device until `take`."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor | float) -> None:
        """Add a value."""
        value = value.detach().float() if isinstance(value, Tensor) else value
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts.get(name, 0) + 1

    def add_all(self, values: Mapping[str, Tensor | float]) -> None:
        """Add a value per name."""
        for name, value in values.items():
            self.add(name, value)

    def take(self, state: Path, cur_nimg: int) -> dict[str, float]:
        """Return the means since the last call; call it before a state is written.

        Raises:
            TrainingDivergedError: a mean is not finite; `state` is the last good one.
        """
        sums = read_scalars(*self._sums.values())
        means = {name: x / self._counts[name] for name, x in zip(self._sums, sums, strict=True)}
        self._sums.clear()
        self._counts.clear()
        if not all(map(math.isfinite, means.values())):
            raise TrainingDivergedError(state, cur_nimg, means)
        return means


class Progress:
    """Reports of means and speed."""

    def __init__(self, run: RunFolder, stats: Stats, total_kimg: float, cur_nimg: int) -> None:
        self._run, self._stats, self._total_kimg = run, stats, total_kimg
        self.restart(cur_nimg)

    def due(self, cur_nimg: int, step: int, tick_kimg: float) -> bool:
        """Return True after the first step, then every `tick_kimg`."""
        return step <= 1 or cur_nimg - self._nimg >= tick_kimg * 1000

    def take(self, cur_nimg: int) -> dict[str, float]:
        """Return the means and the speed since the last report, like `Stats.take`."""
        means = self._stats.take(self._run.state_path, cur_nimg)
        rate = (cur_nimg - self._nimg) / (time.perf_counter() - self._time)
        return {"kimg": cur_nimg / 1000, "images_per_s": rate} | means

    def write(self, record: Mapping[str, float], warnings: Sequence[str] = ()) -> None:
        """Log and print a report."""
        self._run.log("stats", record)
        print(progress_line(record, self._total_kimg), flush=True)
        for warning in warnings:
            print(f"   warning: {warning}", flush=True)

    def restart(self, cur_nimg: int) -> None:
        """Restart the clock, to exclude reporting and saving."""
        self._nimg, self._time = cur_nimg, time.perf_counter()


def progress_line(record: Mapping[str, float], total_kimg: float) -> str:
    """Format progress, speed, time left and metrics."""
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
