"""Dilation, distances and fading around the borders of masks."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


def grown(mask: Tensor, px: int) -> Tensor:
    """Dilate a mask bool [H, W] by `px` px on every side."""
    wide = ndimage.maximum_filter(mask.numpy().view(np.uint8), size=2 * px + 1)
    return torch.from_numpy(wide.view(np.bool_))


def distance_to(mask: Tensor) -> Tensor:
    """Return the distance to the nearest True pixel, px, [H, W]."""
    return torch.from_numpy(ndimage.distance_transform_edt(~mask.numpy())).float()


def distance_within(mask: Tensor, reach: float) -> Tensor:
    """Return distances as `distance_to` does, exact up to `reach` px and larger beyond.

    Computed in strips, since a complete image would take 40 bytes a pixel.
    """
    around = int(reach) + 1
    step = max(512, 2 * around)
    result = torch.full(mask.shape, torch.inf)
    for first in range(0, len(mask), step):
        top = max(first - around, 0)
        seen = mask[top : first + step + around]
        if bool(seen.any()):
            result[first : first + step] = distance_to(seen)[first - top :][:step]
    return result


def fading_in(distance: Tensor, width: float) -> Tensor:
    """Return weights that rise smoothly from 0 at a border to 1 at `width` px.

    Distances are between pixel centers on both sides of the border.
    """
    share = ((distance - 0.5) / width).clamp(0, 1)
    return share * share * (3 - 2 * share)
