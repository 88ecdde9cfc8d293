"""Match the colors of a fill to its surroundings: a fast stand-in for blending in a document."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_CELL = 8  # px


def blended(fill: Tensor, erased: Tensor, hole: Tensor) -> Tensor:
    """Return the image with the fill in matching colors; see `color_shift`."""
    return erased + hole * (fill + color_shift(fill, erased, hole))


def color_shift(fill: Tensor, erased: Tensor, hole: Tensor) -> Tensor:
    """Return what to add to a fill so that its colors continue those around the hole.

    The difference where the image is known, averaged over cells of 8 px and more, is continued into
    the hole from fine to coarse cells (the pull-push algorithm, Gortler et al. 1996). Without it
    a network would see mostly the border of the hole.

    Args:
        fill: [N, 3, H, W], also around the hole.
        erased: the image, [N, 3, H, W], with 0 in the hole.
        hole: [N, 1, H, W], 1 in the hole.
    """
    known = 1 - hole
    weight = F.avg_pool2d(known, _CELL)
    total = F.avg_pool2d(known * (erased - fill), _CELL)
    levels = [(total, weight)]
    while min(total.shape[-2:]) > 1:
        total, weight = F.avg_pool2d(total, 2), F.avg_pool2d(weight, 2)
        levels.append((total, weight))
    shift = torch.zeros_like(total)
    for total, weight in reversed(levels):
        coarse = F.interpolate(shift, total.shape[-2:], mode="bilinear")
        # A cell counts fully if half of it is known.
        shift = coarse + (2 * weight).clamp(max=1) * (total / weight.clamp(min=1e-6) - coarse)
    return F.interpolate(shift, fill.shape[-2:], mode="bilinear")
