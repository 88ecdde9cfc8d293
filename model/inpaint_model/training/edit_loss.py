"""A loss that preserves edits: their changes in the hole must survive the skip encoder.

Not in the paper, whose losses reward a skip encoder that continues the outline of hair even against
the codes; an edit of shapes then does not change the image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel

SHARE = 4  # the loss uses 1 / SHARE of a step's images
_LAST = 4  # px, the last octave
_FLOOR = 1e-5  # mean square of a negligible change, about half a step of 8 bits


def moves(w: Tensor, other: Tensor, draws: Tensor) -> Tensor:
    """Return edits [B, num_ws, w_dim] part of the way from w to other codes, in a range of styles.

    Unlike random vectors, these change shapes. `draws`, uniform [B, 3], determine the ends of the
    range and the distance.
    """
    num_ws = w.shape[1]
    ends = draws[:, :2].sort(dim=1).values * num_ws
    style = torch.arange(num_ws, device=w.device) + 0.5
    within = (style >= ends[:, :1].floor()) & (style <= ends[:, 1:].ceil())
    amount = 0.25 + 0.75 * draws[:, 2:]
    return (other - w) * (within * amount)[:, :, None]


def edit_loss(
    model: InpaintingModel, encoding: Encoding, ws: Tensor, move: Tensor, hole: Tensor
) -> Tensor:
    """Return how much the skip encoder alters what the edit `move` does in the hole.

    The error is 0 if the edit survives unchanged, 1 if it is cancelled, and relative in each octave
    from the skip encoder's resolution down: a single sum would ignore shapes, which change an image
    much less than colors do. `ws` is W_out, like `move` [N, num_ws, w_dim].
    """
    both = torch.cat([ws, ws + move])
    with torch.no_grad():
        bare = model.generator.synthesis(both, dtype=model.precision).float()
    edited = model.render(encoding.map(lambda part: torch.cat([part, part])), both)
    wanted, found = ((after - before) * hole for before, after in (bare.chunk(2), edited.chunk(2)))
    return relative_error(found, wanted, model.config.skip_resolution)


def relative_error(found: Tensor, wanted: Tensor, side: int) -> Tensor:
    """Return squared error / mean square of `wanted`, averaged over octaves and images."""
    errors = [
        (have - want).square().mean(dim=(1, 2, 3)) / (want.square().mean(dim=(1, 2, 3)) + _FLOOR)
        for have, want in zip(octaves(found, side), octaves(wanted, side), strict=True)
    ]
    return torch.stack(errors).mean()


def octaves(images: Tensor, side: int) -> list[Tensor]:
    """Split [N, C, R, R] into octaves from `side` px down, and the low-pass residual."""
    x = F.adaptive_avg_pool2d(images, side)
    bands = []
    while x.shape[-1] > _LAST:
        low = F.avg_pool2d(x, 2)
        bands.append(x - F.interpolate(low, scale_factor=2.0))
        x = low
    return [*bands, x]
