"""How much the candidates of one hole differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import torch
from torch import Tensor

from inpaint_model.evaluation.metrics.vgg_distance import hole_distance

Maps = Callable[[Tensor], Sequence[Tensor]]


def candidate_diversity(maps: Maps, candidates: Tensor, hole: Tensor) -> float:
    """Return the mean distance of candidates uint8 [K, 3, R, R] inside the hole [1, R, R]."""
    features = maps(candidates)
    pairs = torch.tensor(list(combinations(range(len(candidates)), 2)))
    first, second = ([layer[side] for layer in features] for side in pairs.T)
    weight = hole[None].float().to(features[0].device).expand(len(pairs), -1, -1, -1)
    return float(hole_distance(first, second, weight).mean())


def stranger_distance(maps: Maps, images: Tensor, holes: Tensor) -> float:
    """Return the mean distance of images i - 1 and i inside hole i, a reference for diversity."""
    features = maps(images)
    others = [layer.roll(1, dims=0) for layer in features]
    return float(hole_distance(features, others, holes.float().to(features[0].device)).mean())
