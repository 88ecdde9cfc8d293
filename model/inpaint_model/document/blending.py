"""Fit a fill to its surroundings, inside the hole only.

First, where the document is finer, the fill gets detail (`pipeline.enlarging`), and where it is
much finer, texture replaces the second step in the finest octaves (`texture`). The steps, each
optional; none changes a known pixel:

1. Color and light: match the ring of known pixels (`color_matching`).
2. Sharpness and grain: match the ring, octave by octave (`detail_matching`).
3. Background: a plain one is continued behind what the fill shows (`backdrop`).
4. Gradient domain: extend the remaining difference at the border into the hole with a membrane
   (Perez, Gangnet and Blake 2003, Poisson image editing, in its offset form).
5. Skin: give it the tint of the known skin (`skin_tone`).
6. Feather: fade from the document's old pixels at the border to the fill.

Edits use the fit of the unedited fill, so that fitting does not undo them. Where the hole extends
beyond the model's frame, the fill always blends into a smooth one, before the feather. See
docs/research/finding-and-fitting.md.

All values are display values (`color`), float32 [3, H, W].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from inpaint_model.document.backdrop import Matte
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
from inpaint_model.document.geometry import Box
from inpaint_model.document.harmonic_fill import harmonic_fill
from inpaint_model.document.skin_tone import Skin
from inpaint_model.document.smooth_fill import smooth_fill, smooth_grain
from inpaint_model.document.texture import Exemplar, Needs

MAX_FEATHER_PX = 256.0
_BORDER = 2  # width of the border that bounds the membrane, px
_MIN_RING = 64  # fewest known pixels for matching, or for a background
_ALIKE = 0.08  # difference at the border up to which all of it is continued into the hole
_SKIN_FADE = 12.0  # px of the model over which the tint of skin fades in from the border
_IN_FRONT = 0.5  # share of the fill from which a pixel of the border does not show the wall
_MOST_ALIKE = 3.0  # or this many times its median


@dataclass(frozen=True)
class BlendSettings:
    """How to fit a fill to its surroundings."""

    colour_match: bool = True
    gradient: bool = True
    feather_px: float = 0.0
    grain: bool = True  # sharpness and grain
    detail: bool = True  # add what the model's resolution lacks, if the bundle has a detail network

    def __post_init__(self) -> None:
        if not 0 <= self.feather_px <= MAX_FEATHER_PX:
            raise ValueError(
                f"A feather of {self.feather_px:g} px is out of range; "
                f"choose 0 to {MAX_FEATHER_PX:g} px."
            )


RAW = BlendSettings(colour_match=False, gradient=False, grain=False, detail=False)
"""No fitting."""


def ring_px(upscale_factor: float) -> int:
    """Return the width of the ring that fills are matched on, 24 to 64 document px."""
    return int(min(max(24.0, 6 * upscale_factor), 64.0))


class RegionFit(NamedTuple):
    """The fit of one fill and its edits."""

    settings: BlendSettings
    tone: ColorTransform | None
    matches: list[DetailGain]  # sharpness, grain and texture; may be empty
    matched: Tensor  # [3, H, W]: the fill before the membrane
    offset: Tensor | None  # [3, H, W]: the membrane, and the tint of skin
    shares: Tensor | None  # [H, W]: how much of the fill is shown before the wall; None: all


@dataclass(frozen=True, eq=False)
class BlendContext:
    """A hole and the known pixels around it; masks are bool [H, W]."""

    color: Tensor = field(repr=False)  # [3, H, W]: the document
    hole: Tensor = field(repr=False)  # inside the frame
    beyond: Tensor = field(repr=False)  # the hole outside the frame
    known: Tensor = field(repr=False)  # preserved, and inside the frame
    preserved: Tensor = field(repr=False)  # visible, and in no group's hole
    visible: Tensor = field(repr=False)  # not transparent
    upscale_factor: float  # document px per model px
    transition: float  # width of the blend toward `beyond`, px
    seed: int  # of the grain
    octave: int = 0  # how often the document was halved (`large_hole`)
    # Returns the preserved pixels of a plain background, if there is one.
    find_background: Callable[[], Tensor | None] | None = field(default=None, repr=False)

    @cached_property
    def ring_px(self) -> int:
        """Width of the ring, px at this octave."""
        return ring_px(self.upscale_factor) >> self.octave

    @cached_property
    def ring(self) -> Tensor:
        """Known pixels near the hole."""
        return grown(self.hole, self.ring_px) & self.known

    @cached_property
    def matchable(self) -> bool:
        """Whether the ring has enough known pixels."""
        return int(self.ring.sum()) >= _MIN_RING

    @cached_property
    def border(self) -> Tensor:
        """Preserved pixels that touch the hole."""
        return grown(self.hole, _BORDER) & self.preserved

    @cached_property
    def detail(self) -> list[KnownDetail]:
        """Octaves of the document's detail, finest first."""
        count = octaves(self.upscale_factor) - self.octave
        return known_detail(self.color, self.hole, self.ring, count, self.seed)

    @cached_property
    def whole(self) -> Tensor:
        """All pixels to fill."""
        return self.hole | self.beyond

    @cached_property
    def depth(self) -> Tensor:
        """Distance of hole pixels from the border, px, [H, W]."""
        return distance_to(~self.whole)

    @cached_property
    def by_model(self) -> Tensor:
        """The model's weight, 0..1, [H, W]."""
        return fading_in(distance_to(self.beyond), self.transition)

    @cached_property
    def ring_statistics(self) -> RingStatistics:
        """Colors on the ring."""
        return RingStatistics.of(self.color, self.ring, self.upscale_factor / 2**self.octave)

    def prepare(self, settings: BlendSettings) -> None:
        """Compute what all fits share, but for `wall`, which another thread prepares."""
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
            if settings.grain:
                _ = self._grain

    def fit(
        self,
        fill: Tensor,
        settings: BlendSettings,
        exemplar: Exemplar | None = None,
        unmatched: int = 0,
        matte: Matte | None = None,
        skin: Skin | None = None,
    ) -> RegionFit:
        """Return how to change an unedited fill [3, H, W].

        The octaves of an exemplar's texture, or the first `unmatched` ones, are not matched. The
        matte says what is in front of the background, and `skin` what is skin.
        """
        tone, offset = None, None
        shares = self.shares(fill, settings, matte)
        matches: list[DetailGain] = []
        if settings.colour_match and self.matchable:
            tone = self.ring_statistics.tone(fill)
            fill = tone.applied(fill)
        if settings.grain and self.matchable:
            fill_bands = laplacian_bands(fill, len(self.detail))
            matches = detail_gains(fill_bands, self.detail)
        if exemplar is not None:
            unmatched = exemplar.octaves
        if unmatched:
            matches = [DetailGain(1.0, None)] * unmatched + matches[unmatched:]
        if exemplar is not None:
            texture = exemplar.texture(Needs.of(fill, self.hole, exemplar.octaves))
            height, width = self.hole.shape
            matches[0] = DetailGain(1.0, texture.cut(Box(0, 0, width, height)))
        if matches:
            fill = apply_detail_gains(fill, laplacian_bands(fill, len(matches)), matches)
        if settings.gradient and bool(self.border.any()):
            if shares is None:
                offset = self._membrane(self.color - fill)
            else:  # the light of what is in front; the rest is continued last, with the wall
                border = self.border & (shares > _IN_FRONT)
                difference = self.color - fill
                offset = harmonic_fill(difference, self._alike(difference, border))
        if skin is not None and settings.colour_match:
            change = self._skin_tint(fill if offset is None else fill + offset, skin)
            if change is not None:
                offset = change if offset is None else offset + change
        return RegionFit(settings, tone, matches, fill, offset, shares)

    def _skin_tint(self, fill: Tensor, skin: Skin) -> Tensor | None:
        """Return the change of a fill's skin, [3, H, W]; 0 at the border."""
        px = self.upscale_factor / 2**self.octave
        mask = skin.shown(fill.shape[1], fill.shape[2], self.octave)
        change = skin.tint(fill, mask, self.hole, px)
        if change is None:
            return None
        return change[:, None, None] * (mask * self.inwards(_SKIN_FADE * px))

    def shares(self, fill: Tensor, settings: BlendSettings, matte: Matte | None) -> Tensor | None:
        """Return how much of a fill [3, H, W] is shown before the wall, [H, W]; None: all of it."""
        if matte is None or not settings.gradient or self.wall is None:
            return None
        by_model = self.by_model if bool(self.beyond.any()) else torch.ones(fill.shape[1:])
        return matte.shares(fill, by_model, self.octave)

    @cached_property
    def wall(self) -> Tensor | None:
        """The background, continued behind the person, without grain, [3, H, W], if known."""
        background = None if self.find_background is None else self.find_background()
        if background is None or int(background.sum()) < _MIN_RING:
            return None
        return harmonic_fill(self.color, background)

    def _before_wall(self, fill: Tensor, shares: Tensor, settings: BlendSettings) -> Tensor:
        assert self.wall is not None
        wall = self.wall + self._grain if settings.grain else self.wall
        return wall + (fill - wall) * shares

    def _alike(self, difference: Tensor, border: Tensor) -> Tensor:
        """Return at which pixels of a border a difference [3, H, W] can be continued, [H, W].

        Where a few pixels of the border differ much more than the others, the model shows something
        else there, for example a wall beside an ear. That is not another light, and would stain the
        hole.
        """
        size = difference.abs().amax(dim=0)
        usual = float(size[border].median()) if bool(border.any()) else 0.0
        return border & (size <= max(_MOST_ALIKE * usual, _ALIKE))

    def _membrane(self, difference: Tensor) -> Tensor:
        """Continue the difference at the border [3, H, W] into the hole.

        Where it differs from that of the rest of the border, it continues only over a few pixels.
        """
        alike = self._alike(difference, self.border)
        offset = harmonic_fill(difference, alike)
        if bool((alike == self.border).all()):
            return offset
        return offset + self._near_border(torch.where(self.border, difference - offset, 0.0))

    def fitted(self, fit: RegionFit) -> Tensor:
        """Return the fitted fill, [3, H, W]; it is meaningless outside the hole."""
        fill = fit.matched if fit.offset is None else fit.matched + fit.offset
        return self._completed(fill, fit.settings, fit.shares)

    def smooth(self, settings: BlendSettings) -> Tensor:
        """Return a fill made by `smooth_fill`, [3, H, W]."""
        fill = smooth_fill(
            self.color,
            self.whole,
            self.preserved,
            self.seed,
            grain=settings.grain,
            octave=self.octave,
        )
        return self.feathered(fill, settings.feather_px)

    def fit_edit(self, fill: Tensor, fit: RegionFit, matte: Matte | None = None) -> Tensor:
        """Apply the fit of a fill to an edit or mixture of it, [3, H, W], with its own matte.

        Its changes around the hole, such as lighter hair, are not corrected; near the border, the
        edit is faded in.
        """
        shares = self.shares(fill, fit.settings, matte)
        if fit.tone is not None:
            fill = fit.tone.applied(fill)
        if fit.matches:
            fill = apply_detail_gains(fill, laplacian_bands(fill, len(fit.matches)), fit.matches)
        if fit.offset is not None:
            at_border = harmonic_fill(fit.matched - fill, self.border)
            fill = fill + fit.offset + at_border * (1 - self.inwards(self.ring_px))
        return self._completed(fill, fit.settings, shares)

    def inwards(self, width: float) -> Tensor:
        """Return weights [H, W] from 0 at the border to 1 at `width` px inside."""
        return fading_in(self.depth, width)

    def _completed(self, fill: Tensor, settings: BlendSettings, shares: Tensor | None) -> Tensor:
        if bool(self.beyond.any()):
            fill = self._continued_beyond(fill, settings)
        if shares is not None:
            fill = self._before_wall(fill, shares, settings)
            fill = fill + self._near_border(torch.where(self.border, self.color - fill, 0.0))
        return self.feathered(fill, settings.feather_px)

    def _near_border(self, difference: Tensor) -> Tensor:
        """Continue a difference at the border [3, H, W] a few pixels into the hole."""
        return harmonic_fill(difference, self.border, reach=self.upscale_factor / 2**self.octave)

    def _continued_beyond(self, fill: Tensor, settings: BlendSettings) -> Tensor:
        known = self.preserved | self._kept
        if not bool(known.any()):
            return fill
        values = torch.where(self._kept, fill, self.color)
        smooth = smooth_fill(values, self._continued, known, self.seed, grain=False)
        if settings.grain:
            smooth += self._grain
        mixed = torch.where(self.hole, smooth + (fill - smooth) * self.by_model, smooth)
        return torch.where(self._continued, mixed, fill)

    @cached_property
    def _kept(self) -> Tensor:
        """Hole pixels of the model alone."""
        return self.hole & (self.by_model == 1)

    @cached_property
    def _continued(self) -> Tensor:
        """Hole pixels where the smooth fill counts."""
        return self.whole & ~self._kept

    @cached_property
    def _grain(self) -> Tensor:
        """The grain of smooth parts; that of the document, so all fills share it."""
        smooth = harmonic_fill(self.color, self.preserved, sweeps=1)
        return smooth_grain(smooth, self.whole, self.preserved, self.seed, self.octave)

    def feathered(self, fill: Tensor, width: float) -> Tensor:
        """Fade a fill in over the document, within `width` px of the border."""
        if width == 0:
            return fill
        faded = self.color + (fill - self.color) * self.inwards(width)
        return torch.where(self.visible, faded, fill)
