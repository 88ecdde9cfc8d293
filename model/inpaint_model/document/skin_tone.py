"""Give filled skin the tint of the skin around it.

A model that has seen some ten thousand faces often draws skin that is a little too red or too pale
for this person. At the hole's border the membrane corrects that, but the inside of a face stays as
it is. How far the tint of the known skin predicts that of the missing skin was measured on fills of
portraits (docs/research/finding-and-fitting.md): the tint may go some way toward it, the light may
not, since the sides of a face have different light.

All values are display values (`color`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from inpaint_model.document.arrays import BoolMask, FloatImage, Matrix
from inpaint_model.document.color import display_from_oklab, oklab_from_display
from inpaint_model.document.geometry import Box, compose, scaling, translation
from inpaint_model.document.resampling import enlarge

_TOWARD = 0.6  # share of the difference between known and filled skin that is corrected
_MOST = 0.03  # differences in Oklab count up to this size; beyond, it is a beard or colored light
_SURE = 0.9  # value of the mask from which a pixel is certainly skin
_FEWEST = 400  # pixels of the model, of known and of filled skin
_SAMPLES = 20_000  # pixels of which the median is taken


@dataclass(frozen=True, eq=False)
class Skin:
    """Where a frame with a fill shows the skin of a face, and the color that is known of it."""

    color: FloatImage  # [3]: median of the known skin
    mask: FloatImage = field(repr=False)  # [R, R], 0..1, with soft edges
    region: Box  # document px
    to_mask: Matrix  # document px to px of the mask

    @classmethod
    def of(
        cls, image: FloatImage, known: BoolMask, mask: FloatImage, region: Box, to_mask: Matrix
    ) -> Skin | None:
        """Return the skin of an image [R, R, 3]; None if hardly any of it is known, [R, R]."""
        sure = known & (mask > _SURE)
        if np.count_nonzero(sure) < _FEWEST:
            return None
        return cls(np.median(image[sure], axis=0).astype(np.float32), mask, region, to_mask)

    def shown(self, height: int, width: int, octave: int) -> Tensor:
        """Return the mask in the region, halved `octave` times, [H, W]."""
        matrix = compose(self.to_mask, translation(self.region.x, self.region.y))
        matrix = compose(matrix, scaling(1 << octave, 1 << octave))
        return torch.from_numpy(enlarge(self.mask[..., None], matrix, width, height))[..., 0]

    def tint(self, fill: Tensor, mask: Tensor, hole: Tensor, px: float) -> Tensor | None:
        """Return how to change the colors of filled skin, [3], at the same lightness.

        None if hardly any skin is filled.

        Args:
            fill: the fitted fill, [3, H, W].
            mask: what `shown` returns, [H, W].
            hole: bool [H, W].
            px: pixels of this size per pixel of the model, along a side.
        """
        sure = hole & (mask > _SURE)
        if int(sure.sum()) < _FEWEST * px**2:
            return None
        colors = fill[:, sure]
        colors = colors[:, :: max(colors.shape[1] // _SAMPLES, 1)]
        here = oklab_from_display(colors.median(dim=1).values.numpy())
        difference = oklab_from_display(self.color) - here
        difference[0] = 0  # lightness
        size = max(float(np.linalg.norm(difference)), 1e-6)
        wanted = here + difference * np.float32(_TOWARD * min(1, _MOST / size))
        return torch.from_numpy(display_from_oklab(wanted) - display_from_oklab(here))
