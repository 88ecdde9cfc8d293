"""Fit a fill to its surroundings, inside the hole only.

Five steps, each of which can be turned off and none of which touches a known pixel:

1. colour and light: contrast, colour and a planar change of light, matched on the known ring;
2. sharpness: octaves of detail are raised or lowered as they have to be on the ring, where model
   and document show the same things;
3. grain: noise like that of the known pixels' flat parts is added where the fill has less;
4. gradient domain: what still differs at the border is continued into the hole by a membrane
   (Perez, Gangnet and Blake 2003, Poisson image editing, in its offset form);
5. feather: the fill fades in from the border inwards, over the document's own old pixels.

An edited fill is fitted as the unedited one is, so that nothing takes the edit back.

All values are display values (sRGB curve, continued above 1), float32 [3, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from inpaint_model.detail import Octave, detail_matches, known_detail, matched_detail
from inpaint_model.membrane import continued
from inpaint_model.tone import RingMeans

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
    staying: Tensor = field(repr=False)  # bool [H, W]: seen when all is filled, by the model or not
    visible: Tensor = field(repr=False)  # bool [H, W]: where the document is not transparent
    enlargement: float  # document px per model px
    seed: int  # of the grain

    @cached_property
    def ring(self) -> Tensor:
        """bool [H, W]: the known pixels near the hole."""
        return grown(self.hole, ring_px(self.enlargement)) & self.known

    @cached_property
    def border(self) -> Tensor:
        """bool [H, W]: the pixels that touch the hole and stay."""
        return grown(self.hole, _BORDER) & self.staying

    @cached_property
    def detail(self) -> list[Octave]:
        return known_detail(self.colour, self.hole, self.ring, self.enlargement, self.seed)

    @cached_property
    def depth(self) -> Tensor:
        """[H, W]: distance of the hole's pixels to the nearest pixel outside it, px."""
        return torch.from_numpy(ndimage.distance_transform_edt(self.hole.numpy())).float()

    def inwards(self, width: float) -> Tensor:
        """[H, W]: 0 at the border of the hole, smoothly 1 from `width` px inside."""
        share = ((self.depth - 0.5) / width).clamp(0, 1)
        return share * share * (3 - 2 * share)

    @cached_property
    def ring_means(self) -> RingMeans:
        return RingMeans.of(self.colour, self.ring, self.enlargement)

    def fitted(
        self, fill: Tensor, settings: BlendSettings, unedited: Tensor | None = None
    ) -> Tensor:
        """The fill [3, H, W] as it should be laid into the hole (other pixels are meaningless).

        unedited: the same candidate without edits and mixing; None if `fill` is that. It is what
        the steps are measured on, and the fill is changed alike: a ring that turned blonde with the
        hole is what was asked for, and no error to be taken back. Only at the border an edit fades
        in.
        """
        shown = [fill] if unedited is None else [unedited, fill]
        matchable = int(self.ring.sum()) >= _LEAST_RING
        if settings.colour_match and matchable:
            tone = self.ring_means.tone(shown[0])
            shown = [tone.applied(picture) for picture in shown]
        if settings.grain and matchable:
            matches = detail_matches(shown[0], self.detail)
            shown = [matched_detail(picture, matches) for picture in shown]
        fill = shown[-1]
        if settings.gradient and bool(self.border.any()):
            fill = fill + continued(self.colour - shown[0], self.border)
            if unedited is not None:
                at_border = continued(shown[0] - shown[1], self.border)
                fill += at_border * (1 - self.inwards(ring_px(self.enlargement)))
        if settings.feather_px > 0:
            share = self.inwards(settings.feather_px)
            fill = torch.where(self.visible, self.colour + (fill - self.colour) * share, fill)
        return fill


def grown(mask: Tensor, px: int) -> Tensor:
    """The mask [H, W] with `px` px more on every side (a square neighbourhood)."""
    wide = ndimage.maximum_filter(mask.numpy().view(np.uint8), size=2 * px + 1)
    return torch.from_numpy(wide.view(np.bool_))
