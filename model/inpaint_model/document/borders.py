"""Around masks: grown by some pixels, distances, and weights that fade in from a border."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor


def grown(mask: Tensor, px: int) -> Tensor:
    """Return the mask bool [H, W] with `px` px more on every side (a square neighborhood)."""
    wide = ndimage.maximum_filter(mask.numpy().view(np.uint8), size=2 * px + 1)
    return torch.from_numpy(wide.view(np.bool_))


def distance_to(mask: Tensor) -> Tensor:
    """Return the distance of every pixel to the nearest one that is True in a mask, px, [H, W]."""
    return torch.from_numpy(ndimage.distance_transform_edt(~mask.numpy())).float()


def distance_within(mask: Tensor, reach: float) -> Tensor:
    """Return the distance of `distance_to` where it is at most `reach` px, more elsewhere, [H, W].

    Some rows at a time: of a whole image it takes 40 bytes a pixel.
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
    """Return weights: 0 at a border, smoothly 1 from `width` px away from it.

    distance: of pixels' centers to those of the border's other side, px.
    """
    share = ((distance - 0.5) / width).clamp(0, 1)
    return share * share * (3 - 2 * share)
