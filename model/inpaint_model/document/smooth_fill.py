"""Fill a hole without a network: its surroundings, continued smoothly, with their grain.

It invents no content, which suits blemishes on skin, plain backgrounds, and areas beyond a model's
frame (docs/decisions/0038).
"""

from __future__ import annotations

from torch import Tensor

from inpaint_model.document.borders import grown
from inpaint_model.document.detail_matching import grained, known_detail, octaves
from inpaint_model.document.harmonic_fill import harmonic_fill

RING = 64  # width of the ring in which grain is measured, px
_MIN_RING = 64  # fewest pixels to measure grain
OCTAVES_OF = 8.0  # grain has the octaves of a fill enlarged this many times
_BORDER = 2  # width of the known border that the grain fades into, px
_SWEEPS = 8


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
    ring = grown(hole, RING >> octave) & known
    if not grain or int(ring.sum()) < _MIN_RING:
        return fill
    count = octaves(OCTAVES_OF) - octave
    rough = grained(fill, known_detail(fill, hole, ring, count, seed))
    return rough + harmonic_fill(fill - rough, grown(hole, _BORDER) & known)
