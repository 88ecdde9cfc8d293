"""Precision and recall of a set of images (Kynkäänniemi et al. 2019, section 2).

Precision is the fraction of generated images inside the manifold of the real ones, recall the
reverse. A manifold is the union of balls around the members of a set, each reaching to the member's
k-th neighbor in the set.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inpaint_model.document.arrays import Float64Array

K = 3  # neighbors, as published
ROWS = 1024  # of the distance matrix in memory at a time


class PrecisionRecall(NamedTuple):
    """Fractions from 0 to 1; higher is better."""

    precision: float
    recall: float


def precision_recall(
    real: Float64Array, generated: Float64Array, k: int = K, seed: int = 0
) -> PrecisionRecall:
    """Compute improved precision and recall of features [N, D] and [M, D] (equations 1 and 2).

    Balls shrink as a set grows. So the larger set is covered by random parts as large as the
    smaller one, and the results are averaged.

    Raises:
        ValueError: a set has no more than `k` images.
    """
    size = min(len(real), len(generated))
    if size <= k:
        raise ValueError(
            f"precision and recall with {k} neighbors need more than {k} images of each kind, "
            f"not {size}"
        )
    rng = np.random.default_rng(seed)
    pairs = product(_parts(real, size, rng), _parts(generated, size, rng))  # one has one part
    found = [_equal_sets(part_of_real, part, k) for part_of_real, part in pairs]
    precision, recall = np.mean(found, axis=0)
    return PrecisionRecall(float(precision), float(recall))


def _parts(features: Float64Array, size: int, rng: np.random.Generator) -> list[Tensor]:
    """Return as few random parts of `size` as cover all images."""
    order = rng.permutation(len(features)) if len(features) > size else np.arange(size)
    starts = np.linspace(0, len(features) - size, -(-len(features) // size)).astype(int)
    return [torch.from_numpy(features[order[start : start + size]]) for start in starts]


def _equal_sets(real: Tensor, generated: Tensor, k: int) -> PrecisionRecall:
    return PrecisionRecall(
        _share_within(generated, real, _radii(real, k)),
        _share_within(real, generated, _radii(generated, k)),
    )


def _radii(features: Tensor, k: int) -> Tensor:
    return torch.cat(
        [_distances(rows, features).kthvalue(k + 1).values for rows in features.split(ROWS)]
    )


def _share_within(points: Tensor, centers: Tensor, radii: Tensor) -> float:
    inside = [(_distances(rows, centers) <= radii).any(dim=1) for rows in points.split(ROWS)]
    return float(torch.cat(inside).double().mean())


def _distances(first: Tensor, second: Tensor) -> Tensor:
    # With scalar products, which are faster, rounding makes equal images differ.
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
