"""Masks of large ovals in which small areas stay known, as eyes and mouth do in selected skin.

Free-form masks hardly ever leave a few small areas inside a large hole. A model that has not seen
that takes a known mouth for a part of something else, and draws a second one around it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from inpaint_model.data.mask_rasterizer import fans, rasterize

Feature = tuple[float, float, float, float]
"""Oval around a feature in aligned images: center (x, y), half the width and height, in sides."""

# Brows, eyes and mouth in FFHQ's alignment.
FACE_FEATURES: Sequence[Feature] = (
    (0.36, 0.385, 0.085, 0.025),
    (0.64, 0.385, 0.085, 0.025),
    (0.376, 0.47, 0.06, 0.028),
    (0.624, 0.47, 0.06, 0.028),
    (0.5, 0.735, 0.09, 0.035),
)
_KEPT = 0.8  # probability of each feature to stay
_SCATTER = 0.012  # deviation of its center, in sides
_SIZES = 0.25  # deviation of the logarithm of its sides
_FEWEST, _MOST = 2, 6  # areas anywhere in the oval, without features
_BESIDE = 2  # most areas anywhere beside features
_CORNERS = 24  # of the polygon that stands for an oval


def holes_around_features(
    count: int, resolution: int, generator: Generator, features: Sequence[Feature] = ()
) -> Tensor:
    """Draw masks, float32 [count, 1, R, R]: 1 is hole and 0 is known.

    Most `features` of aligned images stay, and sometimes another area; without features, two to six
    areas anywhere in the oval.
    """
    center = 0.5 + 0.05 * torch.randn(count, 2, generator=generator)
    width = 0.2 + 0.2 * torch.rand(count, generator=generator)
    height = width * (0.2 + 0.2 * torch.randn(count, generator=generator)).exp()
    ovals = torch.cat([center, width[:, None], height[:, None]], dim=1)
    fewest, most = (0, _BESIDE) if features else (_FEWEST, _MOST)
    amount = torch.randint(fewest, most + 1, (count,), generator=generator)
    owner = torch.repeat_interleave(amount)
    kept, owners = [_areas_in(ovals[owner], generator)], [owner]
    for feature in features:
        chosen = (torch.rand(count, generator=generator) < _KEPT).nonzero()[:, 0]
        kept.append(_varied(feature, len(chosen), generator))
        owners.append(chosen)
    holes = _drawn(ovals, torch.arange(count), count, resolution)
    return holes * (1 - _drawn(torch.cat(kept), torch.cat(owners), count, resolution))


def _areas_in(ovals: Tensor, generator: Generator) -> Tensor:
    """Draw a small oval in the bounds of each of `ovals` [N, 4]."""
    count = len(ovals)
    center = ovals[:, :2] + ovals[:, 2:] * (2 * torch.rand(count, 2, generator=generator) - 1)
    size = 0.015 + 0.06 * torch.rand(count, 1, generator=generator)
    return torch.cat([center, size * (0.4 * torch.randn(count, 2, generator=generator)).exp()], 1)


def _varied(feature: Feature, count: int, generator: Generator) -> Tensor:
    """Draw ovals [count, 4] around a feature."""
    center, size = torch.tensor(feature).split(2)
    moved = center + _SCATTER * torch.randn(count, 2, generator=generator)
    return torch.cat([moved, size * (_SIZES * torch.randn(count, 2, generator=generator)).exp()], 1)


def _drawn(ovals: Tensor, owner: Tensor, count: int, resolution: int) -> Tensor:
    """Rasterize ovals [S, 4]; `owner` [S] is the mask of each."""
    angle = torch.arange(_CORNERS + 1) * (2 * math.pi / _CORNERS)
    center, size = ovals.split(2, dim=1)
    outline = center[:, None] + size[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return rasterize(fans(center, outline, owner), count, resolution)
