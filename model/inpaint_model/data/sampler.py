"""Choose a training step's images from nothing but the seed and the number of images seen.

So resumed runs and processes that share a batch see the images of one uninterrupted process.
"""

from __future__ import annotations

import csv
import fnmatch
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


class Sampler:
    """An endless, weighted, shuffled sequence of `count` images.

    In each epoch of `count` draws image i occurs `count * weight[i] / sum(weight)` times, rounded
    up or down at random.
    """

    def __init__(self, count: int, seed: int, weights: Tensor | None = None) -> None:
        """Use `weights` [count], or equal ones.

        Raises:
            ValueError: a weight is negative, all are 0, or their number is wrong.
        """
        weights = torch.ones(count) if weights is None else weights
        if weights.shape != (count,):
            raise ValueError(f"{tuple(weights.shape)} weights for {count} images")
        if count == 0 or weights.min() < 0 or weights.sum() == 0:
            raise ValueError(
                "no image has a positive weight; lower the minimum or raise some weights"
            )
        self._weights = weights.double() / weights.sum()
        self._count = count
        self._seed = seed
        self._drawn: dict[int, tuple[Tensor, Tensor]] = {}  # the latest epochs

    def draw(self, cur_nimg: int, batch: int) -> tuple[Tensor, Tensor]:
        """Return indices from `cur_nimg` on and which to mirror, int64 and bool [batch]."""
        position = torch.arange(cur_nimg, cur_nimg + batch)
        epochs = torch.div(position, self._count, rounding_mode="floor")
        indices, mirrored = [], []
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            order, flips = self._epoch(epoch)
            within = position[epochs == epoch] - epoch * self._count
            indices.append(order[within])
            mirrored.append(flips[within])
        return torch.cat(indices), torch.cat(mirrored)

    def independent(self, count: int, generator: torch.Generator) -> Tensor:
        """Return indices drawn independently by weight, int64 [count]."""
        return torch.multinomial(self._weights, count, replacement=True, generator=generator)

    def _epoch(self, epoch: int) -> tuple[Tensor, Tensor]:
        drawn = self._drawn  # another thread may replace it meanwhile
        if epoch not in drawn:
            drawn = {k: v for k, v in drawn.items() if k == epoch - 1}
            drawn[epoch] = self._draw_epoch(epoch)
            self._drawn = drawn
        return drawn[epoch]

    def _draw_epoch(self, epoch: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(derived_seed(self._seed, epoch))
        # Systematic sampling: evenly spaced points with a random offset on the cumulative weights.
        edges = (self._weights.cumsum(0) * self._count + torch.rand(1, generator=generator)).floor()
        edges[-1] = self._count  # despite rounding
        times = torch.diff(edges, prepend=edges.new_zeros(1)).long()
        order = torch.repeat_interleave(times)
        order = order[torch.randperm(self._count, generator=generator)]
        return order, torch.rand(self._count, generator=generator) < 0.5


def derived_seed(*numbers: int) -> int:
    """Hash small numbers to a 64-bit seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])


def weights_from_csv(
    paths: str | Path | Sequence[str | Path],
    names: Sequence[str],
    column: str,
    minimum: float | None = None,
    below: float = 0.0,
) -> Tensor:
    """Read the weights of images from a column of CSV tables with a `file` column, float32 [N].

    Later tables override earlier ones. A cell such as `>=128` counts as its number. With a
    `minimum`, images that reach it have weight 1, the others `below`.

    Raises:
        ValueError: a column or an image is missing, or a cell is not a number.
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    cells = {row["file"]: (path, row[column]) for path in paths for row in _rows(path, column)}
    missing = [name for name in names if name not in cells]
    if missing:
        tables = ", ".join(map(str, paths))
        raise ValueError(f"{tables} does not list {missing[0]} (nor {len(missing) - 1} others)")
    values = []
    for name in names:
        path, cell = cells[name]
        try:
            values.append(float(cell.removeprefix(">=")))
        except ValueError as error:
            raise ValueError(f"{path}, column '{column}': {error}") from error
    numbers = torch.tensor(values)
    return numbers if minimum is None else torch.where(numbers >= minimum, 1.0, below)


def weights_from_patterns(path: str | Path, names: Sequence[str]) -> Tensor:
    """Read the weights of images from a table of patterns, float32 [N].

    The columns are `file`, a name or a shell pattern (`train/fk_*`; `*` also matches slashes), and
    `weight`. The last matching row counts; without one the weight is 1.

    Raises:
        ValueError: a column is missing, a row matches no image, or a weight is not at least 0.
    """
    index = {name: i for i, name in enumerate(names)}
    weights = torch.ones(len(names))
    for row in _rows(path, "weight"):
        pattern, cell = row["file"], row["weight"]
        if pattern in index:  # a name may contain characters of patterns: "a[1].png"
            matching = [index[pattern]]
        else:
            matches = re.compile(fnmatch.translate(pattern)).match
            matching = [i for name, i in index.items() if matches(name)]
        if not matching:
            raise ValueError(
                f"{path}: '{pattern}' matches no image (the first image is {names[0]}); correct or "
                "remove the row"
            )
        try:
            weight = float(cell)
        except ValueError:
            weight = math.nan
        if not 0 <= weight < math.inf:
            raise ValueError(
                f"{path}: '{pattern}' has the weight '{cell}'; give a number of at least 0"
            )
        weights[matching] = weight
    return weights


def _rows(path: str | Path, column: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, restval=""))
    if not rows or not {"file", column} <= set(rows[0]):
        raise ValueError(f"{path} needs a header with the columns 'file' and '{column}'")
    return rows
