"""Means over a tick, the line that is printed, and the error that ends a run gone wrong."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from inpaint_model.data.transfer import read_scalars
from inpaint_model.training.run_folder import RunFolder


class TrainingDivergedError(RuntimeError):
    """A loss became NaN or infinite. The message names the last good state, if there is one."""

    def __init__(self, state: Path, cur_nimg: int, means: Mapping[str, float]) -> None:
        bad = ", ".join(name for name, value in means.items() if not abs(value) < float("inf"))
        good = f"the last good state is {state}" if state.exists() else "no state was written yet"
        super().__init__(
            f"training diverged at {cur_nimg / 1000:.1f} kimg ({bad} is not finite); {good}: lower "
            "the learning rate or raise R1's weight and start again with the same --out"
        )


class Stats:
    """Running means, kept on the device until they are taken."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, value: Tensor | float) -> None:
        """Count one value of a name; a tensor is not read from its device yet."""
        value = value.detach().float() if isinstance(value, Tensor) else value
        self._sums[name] = self._sums[name] + value if name in self._sums else value
        self._counts[name] = self._counts.get(name, 0) + 1

    def add_all(self, values: Mapping[str, Tensor | float]) -> None:
        """Count one value of each name."""
        for name, value in values.items():
            self.add(name, value)

    def take(self, state: Path, cur_nimg: int) -> dict[str, float]:
        """Return the means since the last call.

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


class Progress:
    """When a training reports, and what: the means of its numbers, and its speed."""

    def __init__(self, run: RunFolder, stats: Stats, total_kimg: float, cur_nimg: int) -> None:
        """Count from `cur_nimg` images, and from now.

        Args:
            run: where lines are kept.
            stats: what the steps add their numbers to.
            total_kimg: thousands of images after which the training ends.
            cur_nimg: images that it has seen so far.
        """
        self._run, self._stats, self._total_kimg = run, stats, total_kimg
        self.restart(cur_nimg)

    def due(self, cur_nimg: int, step: int, tick_kimg: float) -> bool:
        """Return whether a line is due: after the first step, then every `tick_kimg`."""
        return step <= 1 or cur_nimg - self._nimg >= tick_kimg * 1000

    def take(self, cur_nimg: int) -> dict[str, float]:
        """Return the next line's numbers: of all images since the last one.

        TrainingDivergedError if one is not finite, so call this before a state is written.
        """
        means = self._stats.take(self._run.state_path, cur_nimg)
        rate = (cur_nimg - self._nimg) / (time.perf_counter() - self._time)
        return {"kimg": cur_nimg / 1000, "images_per_s": rate} | means

    def write(self, record: Mapping[str, float], warnings: Sequence[str] = ()) -> None:
        """Keep a line in the run's folder, and print it with its warnings."""
        self._run.log("stats", record)
        print(progress_line(record, self._total_kimg), flush=True)
        for warning in warnings:
            print(f"   warning: {warning}", flush=True)

    def restart(self, cur_nimg: int) -> None:
        """Measure the speed from here on: reporting and saving are not part of it."""
        self._nimg, self._time = cur_nimg, time.perf_counter()


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
