"""Composite patches over an image: known + (fill - known) * coverage.

It imports only numpy, so that the `inpaint` command starts fast (docs/decisions/0036).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from inpaint_model.document.arrays import BoolMask, MaskU8, Pixels, covered
from inpaint_model.document.color import FULL_SCALE
from inpaint_model.document.geometry import Box


class Patch(NamedTuple):
    """The fill of one group of holes, in the image's own colors, channels and sample type.

    `fill` [h, w, C] holds the image's pixels outside the hole; `coverage` has not been applied.
    """

    fill: Pixels
    coverage: MaskU8  # [h, w]
    box: Box  # document px

    @property
    def covered(self) -> BoolMask:
        """The pixels that are filled, [h, w]."""
        return covered(self.coverage)


def composite(image: Pixels, patches: Sequence[Patch], origin: tuple[int, int] = (0, 0)) -> Pixels:
    """Composite patches over an image [H, W, C] whose top left corner is at `origin`.

    With two and four channels the last is alpha, which weights colors as for an opaque layer with a
    mask. Pixels outside the holes are unchanged.
    """
    x, y = origin
    result = image.copy()
    has_alpha = image.shape[2] in (2, 4)
    for patch in patches:
        part = patch.box.moved(-x, -y).cut(result)
        covered = patch.covered
        amount = patch.coverage[covered].astype(np.float64)[:, None] / 255
        known = part[covered].astype(np.float64)
        fill = patch.fill[covered].astype(np.float64)
        weight = amount
        if has_alpha:
            white = FULL_SCALE[image.dtype]
            # Alpha outside 0..1, possible in floats, would extrapolate beyond both colors.
            under = (known[:, -1:] / white).clip(0, 1)
            over = (fill[:, -1:] / white).clip(0, 1) * amount
            weight = over / np.maximum(over + under * (1 - over), 1e-12)
        mixed = known + (fill - known) * weight
        if has_alpha:
            mixed[:, -1:] = known[:, -1:] + (fill[:, -1:] - known[:, -1:]) * amount
        mixed = np.where(amount == 1, fill, mixed)
        part[covered] = mixed if image.dtype.kind == "f" else np.rint(mixed)
    return result
