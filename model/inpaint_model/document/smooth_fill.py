"""Fill a hole without any network: its surroundings, continued smoothly, with their grain.

The membrane of `harmonic_fill`, and noise like that of the known pixels' flat parts in every octave
that a smooth fill lacks. It invents nothing, which is right for a blemish on a cheek, a plain
background, and where a model's frame ends (docs/decisions/0038).
"""

from __future__ import annotations

from torch import Tensor

from inpaint_model.document.borders import grown
from inpaint_model.document.detail_matching import grained, known_detail, octaves
from inpaint_model.document.harmonic_fill import harmonic_fill

RING = 64  # px of known pixels around the hole whose grain is taken
_MIN_RING = 64  # known px below which no grain can be told
OCTAVES_OF = 8.0  # grain has as many octaves as a fill that is enlarged so much
_BORDER = 2  # px of known border that the grain fades into
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
    """Return values that continue the known ones into a hole.

    Args:
        values: display values [3, H, W]; what unknown pixels hold does not matter.
        hole: bool [H, W].
        known: bool [H, W], nothing of the hole.
        seed: of the grain.
        grain: whether there is any.
        octave: how often the document was halved: what is finer gets its grain elsewhere.

    Returns:
        [3, H, W], valid in the hole; zeros if nothing is known.
    """
    fill = harmonic_fill(values, known, sweeps=_SWEEPS)
    ring = grown(hole, RING >> octave) & known
    if not grain or int(ring.sum()) < _MIN_RING:
        return fill
    count = octaves(OCTAVES_OF) - octave
    rough = grained(fill, known_detail(fill, hole, ring, count, seed))
    return rough + harmonic_fill(fill - rough, grown(hole, _BORDER) & known)
