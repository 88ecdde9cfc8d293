"""Fit a fill to its surroundings, inside the hole only.

Five steps, each of which can be turned off and none of which touches a known pixel:

1. colour and light: contrast, colour and a planar change of light, matched on the known ring;
2. sharpness: octaves of detail are raised or lowered as they have to be on the ring, where model
   and document show the same things;
3. grain: noise like that of the known pixels' flat parts is added where the fill has less;
4. gradient domain: what still differs at the border is continued into the hole by a membrane
   (Perez, Gangnet and Blake 2003, Poisson image editing, in its offset form);
5. feather: the fill fades in from the border inwards, over the document's own old pixels.

All values are display values (sRGB curve, continued above 1), float32 [3, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from inpaint_model.detail import Octave, known_detail, matched_detail
from inpaint_model.membrane import continued

MAX_FEATHER_PX = 256.0
_BORDER = 2  # px of known border that the membrane is hung on
_LEAST_RING = 64  # known px below which there is nothing to match


@dataclass(frozen=True)
class BlendSettings:
    """How the fill is fitted to its surroundings, inside the hole only."""

    colour_match: bool = True
    gradient: bool = True
    feather_px: float = 0.0
    grain: bool = True  # sharpness and grain

    def __post_init__(self) -> None:
        if not 0 <= self.feather_px <= MAX_FEATHER_PX:
            raise ValueError(
                f"A feather of {self.feather_px:g} px is out of range; "
                f"choose 0 to {MAX_FEATHER_PX:g} px."
            )


RAW = BlendSettings(colour_match=False, gradient=False, grain=False)
"""The model's pixels as they are."""


def ring_px(enlargement: float) -> int:
    """How wide the ring of known pixels around a hole is that fills are matched on."""
    return int(min(max(24.0, 6 * enlargement), 64.0))


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A hole with its ring of known pixels: what every fill of the hole is fitted to."""

    colour: Tensor = field(repr=False)  # [3, H, W]: the document
    hole: Tensor = field(repr=False)  # bool [H, W]
    known: Tensor = field(repr=False)  # bool [H, W]: seen by the document and by the model
    visible: Tensor = field(repr=False)  # bool [H, W]: where the document is not transparent
    enlargement: float  # document px per model px
    seed: int  # of the grain

    @cached_property
    def ring(self) -> Tensor:
        """bool [H, W]: the known pixels near the hole."""
        return grown(self.hole, ring_px(self.enlargement)) & self.known

    @cached_property
    def border(self) -> Tensor:
        """bool [H, W]: the known pixels that touch the hole."""
        return grown(self.hole, _BORDER) & self.known

    @cached_property
    def detail(self) -> list[Octave]:
        return known_detail(self.colour, self.hole, self.ring, self.enlargement, self.seed)

    @cached_property
    def depth(self) -> Tensor:
        """[H, W]: distance of the hole's pixels to the nearest pixel outside it, px."""
        return torch.from_numpy(ndimage.distance_transform_edt(self.hole.numpy())).float()

    def fitted(self, fill: Tensor, settings: BlendSettings) -> Tensor:
        """The fill [3, H, W] as it should be laid into the hole (other pixels are meaningless)."""
        matchable = int(self.ring.sum()) >= _LEAST_RING
        if settings.colour_match and matchable:
            fill = self._matched(fill)
        if settings.grain and matchable:
            fill = matched_detail(fill, self.detail)
        if settings.gradient and bool(self.border.any()):
            offset = continued(self.colour - fill, self.border)
            fill = fill + offset
        if settings.feather_px > 0:
            share = ((self.depth - 0.5) / settings.feather_px).clamp(0, 1)
            share = share * share * (3 - 2 * share)
            fill = torch.where(self.visible, self.colour + (fill - self.colour) * share, fill)
        return fill

    def _matched(self, fill: Tensor) -> Tensor:
        """Contrast, colour and a planar change of light as the ring asks for.

        Compared are means over blocks of about two model pixels, since finer detail is what the
        model cannot have.
        """
        at, where, seen = self._ring_means
        shown = _block_means(fill, self.ring, self._block)[:, at]
        seen_mean, shown_mean = seen.mean(1, keepdim=True), shown.mean(1, keepdim=True)
        df, dk = shown - shown_mean, seen - seen_mean
        variance = df.square().mean(1, keepdim=True).clamp(min=1e-6)
        ratio = (dk.square().mean(1, keepdim=True).clamp(min=1e-6) / variance).sqrt()
        alike = ((df * dk).mean(1, keepdim=True) / (variance * ratio)).clamp(0, 1)
        gain = 1 + alike * (ratio.clamp(0.8, 1.25) - 1)
        coefficients = _plane(where, dk - df * gain)
        offset = seen_mean - shown_mean * gain + coefficients[:, :1]
        rows, columns = self.hole.shape
        y, x = torch.linspace(-1, 1, rows)[:, None], torch.linspace(-1, 1, columns)
        slope_x, slope_y = coefficients[:, 1:2, None], coefficients[:, 2:3, None]
        return fill * gain[..., None] + (offset[..., None] + slope_x * x) + slope_y * y

    @property
    def _block(self) -> int:
        return max(1, round(2 * self.enlargement))

    @cached_property
    def _ring_means(self) -> tuple[Tensor, Tensor, Tensor]:
        """Which blocks meet the ring [h, w]; their places -1..1 [2, n] and colours [3, n]."""
        size = self._block
        means = _block_means(self.colour.clamp(0, 1), self.ring, size)
        at = F.max_pool2d(self.ring[None].float(), size, ceil_mode=True)[0] > 0
        row, column = torch.nonzero(at, as_tuple=True)
        rows, columns = self.hole.shape
        x = ((column + 0.5) * size * 2 / columns - 1).clamp(max=1)
        y = ((row + 0.5) * size * 2 / rows - 1).clamp(max=1)
        return at, torch.stack([x, y]), means[:, at]


def _block_means(picture: Tensor, at: Tensor, size: int) -> Tensor:
    """Means of `picture` [3, H, W] over the pixels `at` of blocks of size x size px."""
    weight = at[None].float()
    sums = F.avg_pool2d(torch.cat([picture * weight, weight]), size, ceil_mode=True)
    return sums[:3] / sums[3:].clamp(min=1e-6)


def _plane(where: Tensor, values: Tensor) -> Tensor:
    """The least squares plane through values [3, n] at places [2, n]: [3, (1, x, y)].

    The slopes are held back, for a ring on one side only says little about them.
    """
    basis = torch.cat([torch.ones_like(where[:1]), where]).double()
    ridge = torch.diag(torch.tensor([0.0, 0.02, 0.02], dtype=torch.float64)) * basis.shape[1]
    normal = basis @ basis.T + ridge
    solution: Tensor = torch.linalg.solve(normal, basis @ values.double().T)
    return solution.T.float()


def grown(mask: Tensor, px: int) -> Tensor:
    """The mask [H, W] with `px` px more on every side (a square neighbourhood)."""
    wide = ndimage.maximum_filter(mask.numpy().view(np.uint8), size=2 * px + 1)
    return torch.from_numpy(wide.view(np.bool_))
