"""Blur what a discriminator sees early on, so that it judges the large before the small.

Sauer et al. 2022, "StyleGAN-XL", section 3.1: without it projected discriminators look at fine
detail first, and a generator draws outlines before it has put light and shadow in place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 0.3  # px; less changes nothing worth the time


def fading_sigma(sigma: float, nimg: int, fade_kimg: float) -> float:
    """The blur after `nimg` images: `sigma` px at first, falling evenly to 0 at `fade_kimg`."""
    if fade_kimg <= 0:
        return 0.0
    return sigma * max(1 - nimg / (fade_kimg * 1000), 0.0)


def gaussian_taps(sigma: float, reach: int | None = None) -> Tensor | None:
    """Weights of a Gaussian of `sigma` px, [2 reach + 1]; None below 0.3 px.

    They end at three times `sigma`; a larger `reach` adds zeros, so that there are as many for any
    smaller `sigma`.
    """
    if sigma < LEAST:
        return None
    own = round(3 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-own, own + 1) / sigma).square())
    rest = 0 if reach is None else reach - own
    return F.pad(taps / taps.sum(), (rest, rest))


def blurred(images: Tensor, taps: Tensor | None) -> Tensor:
    """Filter both axes of [N, C, R, R], mirrored at the borders, by [2 reach + 1] taps.

    Needs R of more than the reach. None: the pictures as they are.
    """
    if taps is None:
        return images
    reach, C, taps = len(taps) // 2, images.shape[1], taps.to(images.dtype)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    rows = F.conv2d(padded, taps.expand(C, 1, 1, -1), groups=C)
    return F.conv2d(rows, taps[:, None].expand(C, 1, -1, 1), groups=C)
