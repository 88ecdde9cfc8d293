"""Distances between feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def tap_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """VGG distance: squared difference relative to `first`'s power, mean of the taps, [N].

    `first` (of the originals) and `second` are lists of [N, C, h, w]. 0 is equal; 2 is unrelated
    for maps of mean 0.
    """
    layers = [
        (a - b).square().mean(dim=(1, 2, 3)) / a.square().mean(dim=(1, 2, 3)).clamp(min=1e-12)
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(layers).mean(dim=0)


def hole_distance(first: Sequence[Tensor], second: Sequence[Tensor], hole: Tensor) -> Tensor:
    """Distance inside the hole [N, 1, R, R] only, in the manner of LPIPS without its heads, [N].

    Features are scaled to unit length at each place, so that faint and strong channels count; the
    squared differences are averaged with the share of each place that is hole as weight.
    """
    layers = []
    for a, b in zip(first, second, strict=True):
        weight = F.adaptive_avg_pool2d(hole, (a.shape[2], a.shape[3]))  # [N, 1, h, w]
        error = (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(dim=1, keepdim=True)
        layers.append((error * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)))
    return torch.stack(layers).mean(dim=0)
