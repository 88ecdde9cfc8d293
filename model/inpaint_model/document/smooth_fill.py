"""Fill a hole without a network: its surroundings, continued smoothly, with their grain.

It invents no content, which suits blemishes on skin, plain backgrounds, and areas beyond a model's
frame (docs/decisions/0038).
"""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_model.document.borders import grown
from inpaint_model.document.detail_matching import grain_like, known_detail, octaves
from inpaint_model.document.harmonic_fill import harmonic_fill

RING = 64  # width of the ring in which grain is measured, px
_MIN_RING = 64  # fewest pixels to measure grain
OCTAVES_OF = 8.0  # grain has the octaves of a fill enlarged this many times
_BORDER = 2  # width of the known border that the grain fades into, px
_SWEEPS = 4


def smooth_fill(
    values: Tensor,
    hole: Tensor,
    known: Tensor,
    seed: int,
    *,
    grain: bool = True,
    octave: int = 0,
) -> Tensor:
    """Continue the known display values [3, H, W] into a hole; with zeros if nothing is known.

    `hole` and `known` are bool [H, W] and disjoint. The result is valid in the hole.
    `octave` is how often the document was halved; the caller adds the grain of finer octaves.
    """
    fill = harmonic_fill(values, known, sweeps=_SWEEPS)
    return fill + smooth_grain(fill, hole, known, seed, octave) if grain else fill


def smooth_grain(fill: Tensor, hole: Tensor, known: Tensor, seed: int, octave: int = 0) -> Tensor:
    """Return the grain of the known pixels around a hole, [3, H, W], for all of its smooth fills.

    It fades into the known pixels. The smooth fill [3, H, W] only keeps the old content of the hole
    out of the measurement. Zeros if too few pixels are known.
    """
    ring = grown(hole, RING >> octave) & known
    if int(ring.sum()) < _MIN_RING:
        return torch.zeros_like(fill)
    count = octaves(OCTAVES_OF) - octave
    found = known_detail(fill, hole, ring, count, seed)
    if not found:  # the image is too small
        return torch.zeros_like(fill)
    rough = grain_like(found)
    return rough - harmonic_fill(rough, grown(hole, _BORDER) & known)
