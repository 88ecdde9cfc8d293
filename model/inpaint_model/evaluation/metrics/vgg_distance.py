"""Distances between feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def tap_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Return the VGG distance: squared difference relative to the power of `first`, [N].

    `first` has the originals' maps [N, C, h, w]. Unrelated maps of mean 0 give 2.
    """
    layers = [
        (a - b).square().mean(dim=(1, 2, 3)) / a.square().mean(dim=(1, 2, 3)).clamp(min=1e-12)
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(layers).mean(dim=0)


def hole_distance(first: Sequence[Tensor], second: Sequence[Tensor], hole: Tensor) -> Tensor:
    """Return the distance inside the hole [N, 1, R, R], like LPIPS without its heads, [N].

    Squared differences of unit-length features are averaged, weighted with the fraction of hole.
    """
    layers = []
    for a, b in zip(first, second, strict=True):
        weight = F.adaptive_avg_pool2d(hole, (a.shape[2], a.shape[3]))  # [N, 1, h, w]
        error = (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(dim=1, keepdim=True)
        layers.append((error * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)))
    return torch.stack(layers).mean(dim=0)
