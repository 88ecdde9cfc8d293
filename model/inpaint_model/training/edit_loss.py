"""A loss that keeps edits: what they change in the hole shall survive the skip encoder.

Not the paper's. Its losses reward a skip encoder that continues what the surroundings show, such as
the outline of hair, against what the codes say; an edit of shapes then moves the codes and not the
image.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel

SHARE = 4  # of a step's images, every fourth is enough
_LAST = 4  # px, the side of the last octave
_FLOOR = 1e-5  # of a change's mean square: about half a step of 8 bits; less counts for nothing


def moves(w: Tensor, other: Tensor, draws: Tensor) -> Tensor:
    """Return edits to learn from: part of the way from one code to another, in a range of styles.

    Differences of sampled codes change what images of the generator differ in, shapes too; a
    random vector hardly does.

    Args:
        w: codes [B, num_ws, w_dim] to start from.
        other: codes [B, num_ws, w_dim] to go toward.
        draws: uniform numbers [B, 3]: where the range begins and ends, and how far to go.

    Returns:
        [B, num_ws, w_dim], zero outside of each one's range of styles.
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
    """Return the error of an edit's change in the hole, compared with no skip encoder.

    Squared, octave by octave, down from the resolution at which the skip encoder works: shapes
    change an image by much less than colors do, and would not count in one sum.

    Args:
        model: the model in training.
        encoding: of N erased images.
        ws: W_out, [N, num_ws, w_dim].
        move: what is added to it, [N, num_ws, w_dim].
        hole: [N, 1, R, R].

    Returns:
        The error relative to the change itself, the mean of octaves and images: 0 where the edit
        survives as it is, 1 where it is cancelled.
    """
    both = torch.cat([ws, ws + move])
    with torch.no_grad():
        bare = model.generator.synthesis(both, dtype=model.precision).float()
    edited = model.render(Encoding(*(torch.cat([part, part]) for part in encoding)), both)
    wanted, found = ((after - before) * hole for before, after in (bare.chunk(2), edited.chunk(2)))
    return relative_error(found, wanted, model.config.skip_resolution)


def relative_error(found: Tensor, wanted: Tensor, side: int) -> Tensor:
    """Return squared errors / what is wanted, mean over octaves and images [N, C, R, R]."""
    errors = [
        (have - want).square().mean(dim=(1, 2, 3)) / (want.square().mean(dim=(1, 2, 3)) + _FLOOR)
        for have, want in zip(octaves(found, side), octaves(wanted, side), strict=True)
    ]
    return torch.stack(errors).mean()


def octaves(images: Tensor, side: int) -> list[Tensor]:
    """Divide images [N, C, R, R] from `side` px down: what each octave adds, and what is left."""
    x = F.adaptive_avg_pool2d(images, side)
    bands = []
    while x.shape[-1] > _LAST:
        low = F.avg_pool2d(x, 2)
        bands.append(x - F.interpolate(low, scale_factor=2.0))
        x = low
    return [*bands, x]
