"""Fit a fill to its surroundings, inside the hole only.

Steps, each of which can be turned off and none of which touches a known pixel:

1. color and light: contrast, color and a planar change of light, matched on the known ring;
2. sharpness: octaves of detail are raised or lowered as they have to be on the ring, where model
   and document show the same things;
3. grain: noise like that of the known pixels' flat parts is added where the fill has less;
4. gradient domain: what still differs at the border is continued into the hole by a membrane
   (Perez, Gangnet and Blake 2003, Poisson image editing, in its offset form);
5. feather: the fill fades in from the border inwards, over the document's own old pixels.

An edited fill is fitted as the unedited one is, so that nothing takes the edit back.

Where the hole reaches beyond the model's frame, the fitted fill blends into a smooth one: before
the feather, and never turned off.

All values are display values (sRGB curve, continued above 1), float32 [3, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from inpaint_model.document.borders import distance_to, fading_in, grown
from inpaint_model.document.color_matching import ColorTransform, RingStatistics
from inpaint_model.document.detail_matching import (
    DetailGain,
    KnownDetail,
    apply_detail_gains,
    detail_gains,
    known_detail,
    laplacian_bands,
    octaves,
)
from inpaint_model.document.harmonic_fill import harmonic_fill
from inpaint_model.document.smooth_fill import smooth_fill

MAX_FEATHER_PX = 256.0
_BORDER = 2  # px of known border that the membrane is hung on
_MIN_RING = 64  # known px below which there is nothing to match


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


def ring_px(upscale_factor: float) -> int:
    """Return how wide the ring of known pixels is that fills are matched on, 24 to 64 px.

    upscale_factor: document px per model px.
    """
    return int(min(max(24.0, 6 * upscale_factor), 64.0))


class RegionFit(NamedTuple):
    """How one fill is fitted to its surroundings; its edits are laid in the same way."""

    settings: BlendSettings
    tone: ColorTransform | None
    matches: list[DetailGain] | None  # sharpness and grain
    matched: Tensor  # [3, H, W]: the fill after these
    offset: Tensor | None  # [3, H, W]: what the membrane adds


@dataclass(frozen=True, eq=False)
class BlendContext:
    """A hole with its ring of known pixels: what every fill of the hole is fitted to."""

    color: Tensor = field(repr=False)  # [3, H, W]: the document
    hole: Tensor = field(repr=False)  # bool [H, W]: what the model fills
    beyond: Tensor = field(repr=False)  # bool [H, W]: the hole where the model's frame has ended
    known: Tensor = field(repr=False)  # bool [H, W]: seen by the document and by the model
    preserved: Tensor = field(
        repr=False
    )  # bool [H, W]: seen when all is filled, by the model or not
    visible: Tensor = field(repr=False)  # bool [H, W]: where the document is not transparent
    upscale_factor: float  # document px per model px
    transition: float  # px inside the frame over which the fill blends into what is beyond
    seed: int  # of the grain
    octave: int = 0  # the document was halved so often; `large_hole` fits what is finer

    @cached_property
    def ring_px(self) -> int:
        """How wide the ring of known pixels is that fills are matched on, px of these pixels."""
        return ring_px(self.upscale_factor) >> self.octave

    @cached_property
    def ring(self) -> Tensor:
        """Which pixels are known and near the hole, bool [H, W]."""
        return grown(self.hole, self.ring_px) & self.known

    @cached_property
    def matchable(self) -> bool:
        """Whether there are enough known pixels near the hole to match fills on."""
        return int(self.ring.sum()) >= _MIN_RING

    @cached_property
    def border(self) -> Tensor:
        """Which pixels touch the hole and stay, bool [H, W]."""
        return grown(self.hole, _BORDER) & self.preserved

    @cached_property
    def detail(self) -> list[KnownDetail]:
        """The octaves of the document's detail, the finest first."""
        count = octaves(self.upscale_factor) - self.octave
        return known_detail(self.color, self.hole, self.ring, count, self.seed)

    @cached_property
    def whole(self) -> Tensor:
        """All that is to be filled, bool [H, W]."""
        return self.hole | self.beyond

    @cached_property
    def depth(self) -> Tensor:
        """Distance of the hole's pixels to the nearest pixel outside it, px, [H, W]."""
        return distance_to(~self.whole)

    @cached_property
    def by_model(self) -> Tensor:
        """How much of each pixel of the hole is the model's, 0..1, [H, W]; 1 far from `beyond`."""
        return fading_in(distance_to(self.beyond), self.transition)

    @cached_property
    def ring_statistics(self) -> RingStatistics:
        """The document's colors on the ring, block by block."""
        return RingStatistics.of(self.color, self.ring, self.upscale_factor / 2**self.octave)

    def prepare(self, settings: BlendSettings) -> None:
        """Make what the fits with these settings have in common, before there is a fill."""
        if settings.colour_match and self.matchable:
            _ = self.ring_statistics
        if settings.grain and self.matchable:
            _ = self.detail
        if settings.gradient:
            _ = self.border
        if settings.feather_px:
            _ = self.depth
        if bool(self.beyond.any()):
            _ = self.by_model

    def fit(self, fill: Tensor, settings: BlendSettings) -> RegionFit:
        """Return how a fill [3, H, W] without edits has to be changed."""
        tone, matches, offset = None, None, None
        if settings.colour_match and self.matchable:
            tone = self.ring_statistics.tone(fill)
            fill = tone.applied(fill)
        if settings.grain and self.matchable:
            fill_bands = laplacian_bands(fill, len(self.detail))
            matches = detail_gains(fill_bands, self.detail)
            fill = apply_detail_gains(fill, fill_bands, matches)
        if settings.gradient and bool(self.border.any()):
            offset = harmonic_fill(self.color - fill, self.border)
        return RegionFit(settings, tone, matches, fill, offset)

    def fitted(self, fit: RegionFit) -> Tensor:
        """Return the fill that `fit` was made for, as it should be in the hole, [3, H, W].

        Pixels outside the hole are meaningless.
        """
        fill = fit.matched if fit.offset is None else fit.matched + fit.offset
        return self._completed(fill, fit.settings)

    def smooth(self, settings: BlendSettings) -> Tensor:
        """Return what fills the hole without a model, [3, H, W]; see `smooth_fill`."""
        fill = self._smooth(self.color, self.whole, self.preserved, settings)
        return self.feathered(fill, settings.feather_px)

    def fit_edit(self, fill: Tensor, fit: RegionFit) -> Tensor:
        """Return an edited or mixed rendering of that fill [3, H, W], changed in the same way.

        A ring that turned blonde with the hole is what was asked for, and no error to be taken
        back. Only at the border an edit fades in.
        """
        if fit.tone is not None:
            fill = fit.tone.applied(fill)
        if fit.matches is not None:
            fill = apply_detail_gains(fill, laplacian_bands(fill, len(fit.matches)), fit.matches)
        if fit.offset is not None:
            at_border = harmonic_fill(fit.matched - fill, self.border)
            fill = fill + fit.offset + at_border * (1 - self.inwards(self.ring_px))
        return self._completed(fill, fit.settings)

    def inwards(self, width: float) -> Tensor:
        """Return weights [H, W]: 0 at the hole's border, smoothly 1 from `width` px inside."""
        return fading_in(self.depth, width)

    def _completed(self, fill: Tensor, settings: BlendSettings) -> Tensor:
        """Return a fitted fill with what lies beyond the frame, feathered."""
        if bool(self.beyond.any()):
            fill = self._continued_beyond(fill, settings)
        return self.feathered(fill, settings.feather_px)

    def _continued_beyond(self, fill: Tensor, settings: BlendSettings) -> Tensor:
        """Return a fill that blends into a smooth one before its frame ends."""
        by_model = self.by_model
        kept = self.hole & (by_model == 1)
        values = torch.where(kept, fill, self.color)
        unknown, known = self.whole & ~kept, self.preserved | kept
        if not bool(known.any()):
            return fill
        smooth = self._smooth(values, unknown, known, settings)
        mixed = torch.where(self.hole, smooth + (fill - smooth) * by_model, smooth)
        return torch.where(unknown, mixed, fill)

    def _smooth(
        self, values: Tensor, hole: Tensor, known: Tensor, settings: BlendSettings
    ) -> Tensor:
        return smooth_fill(values, hole, known, self.seed, grain=settings.grain, octave=self.octave)

    def feathered(self, fill: Tensor, width: float) -> Tensor:
        """Return a fill that fades in over the document, `width` px from the border inwards."""
        if width == 0:
            return fill
        faded = self.color + (fill - self.color) * self.inwards(width)
        return torch.where(self.visible, faded, fill)
