"""Fit fills to large holes in little memory.

`blending` needs about 250 bytes per pixel, or 16 GB for a hole of 8000 px. A large hole is
therefore reduced and fitted like any other. What the reduction removed is added tile by tile: the
finest octaves of detail and grain or texture, the feather, and the remaining difference at the
border, most of which the reduced membrane has absorbed. Gains, grain and the sources of texture
follow from the entire hole, and noise depends only on the position, so that tiles do not show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.document.backdrop import Matte
from inpaint_model.document.blending import BlendContext, BlendSettings, RegionFit
from inpaint_model.document.borders import grown
from inpaint_model.document.detail_matching import (
    BlockNoise,
    DetailGain,
    apply_detail_gains,
    gain,
    octaves,
    root,
    split,
)
from inpaint_model.document.geometry import Box
from inpaint_model.document.harmonic_fill import harmonic_fill
from inpaint_model.document.pyramid import block_means, doubled
from inpaint_model.document.skin_tone import Skin
from inpaint_model.document.smooth_fill import OCTAVES_OF, RING
from inpaint_model.document.texture import MOST_OCTAVES, Exemplar, Needs, Texture

LARGE = 2 << 20  # px; larger regions are reduced to fit
_TILE = 768  # side without the margin, px
_AROUND = 64  # margin, px: the ring, and differences at the border
_BLOCK = 4  # as in `detail_matching`, and in `texture`
_CELL = 128  # side of a square of noise, px
_NOISE_STD = 0.90355  # of the detail of white noise (`split`)

Shown = Callable[[Box], Tensor]
"""Renders a box of the region, [3, H, W]."""


class Grain(NamedTuple):
    """The change of one octave."""

    gain: float
    strength: Tensor | None  # [3, 3], factor of unit noise


class Known(NamedTuple):
    """One octave of the document on the ring."""

    energy: Tensor  # [3], per channel
    floor: Tensor | None  # [3, 3], covariance of the noise


class LargeFit(NamedTuple):
    """The fit of one fill and its edits."""

    settings: BlendSettings
    reduced: RegionFit
    grains: list[Grain]  # of the octaves that the reduction removed
    shown: Shown
    texture: Texture | None


class Tile(NamedTuple):
    """A part of the region, in its px."""

    box: Box
    around: Box  # with its margin

    def inner(self, planes: Tensor, octave: int = 0) -> Tensor:
        """Cut the margin off planes [..., H, W]."""
        inner = halved(self.box.moved(-self.around.x, -self.around.y), octave)
        return planes[..., inner.y : inner.bottom, inner.x : inner.right]


def halved(box: Box, octave: int) -> Box:
    """Return a box after `octave` halvings; its corner must be a multiple of 2^octave."""
    x, y = box.x >> octave, box.y >> octave
    return Box(x, y, -(-box.right >> octave) - x, -(-box.bottom >> octave) - y)


@dataclass(frozen=True, eq=False)
class LargeHole:
    """A `BlendContext` whose full-size arrays are never in memory at once."""

    width: int
    height: int
    most_px: int  # after reduction
    cut: Callable[[Box], BlendContext]  # of a box of the region

    @cached_property
    def octave(self) -> int:
        """How often the region is halved."""
        times = 0
        while self.width * self.height >> 2 * times > self.most_px:
            times += 1
        return times

    @cached_property
    def reduced(self) -> BlendContext:
        """The reduced region; a pixel is known if all that it averages are."""
        color = torch.empty(3, *self._reduced_size)
        hole, beyond, known, preserved, visible = (
            torch.empty(self._reduced_size, dtype=torch.bool) for _ in range(5)
        )
        for tile in self._tiles(0):
            part, at = self.cut(tile.box), self._place(tile.box)
            color[:, *at] = self._means(part.color)
            beyond[at] = self._any(part.beyond)
            hole[at] = self._any(part.hole) & ~beyond[at]
            known[at] = ~self._any(~part.known)
            preserved[at] = ~self._any(~part.preserved)
            visible[at] = ~self._any(~part.visible)
        return BlendContext(
            color,
            hole,
            beyond,
            known,
            preserved,
            visible,
            part.upscale_factor,
            part.transition / 2**self.octave,
            part.seed,
            self.octave,
            self._background,
        )

    def _background(self) -> Tensor | None:
        """Return the reduced `BlendContext.find_background`."""
        background = torch.empty(self._reduced_size, dtype=torch.bool)
        for tile in self._tiles(0):
            find = self.cut(tile.box).find_background
            part = None if find is None else find()
            if part is None:
                return None
            background[self._place(tile.box)] = ~self._any(~part)
        return background

    def prepare(self, settings: BlendSettings) -> None:
        """Compute what all fits share."""
        self.reduced.prepare(replace(settings, feather_px=0))
        if settings.grain:
            _ = self.known
        if settings.grain and self._reaches_beyond:
            _ = self.smooth_grains

    @cached_property
    def known(self) -> list[Known]:
        """The octaves that the reduction removes, finest first."""
        reduced = self.reduced
        count = min(self.octave, octaves(reduced.upscale_factor)) if reduced.matchable else 0
        return self._known(count, lambda part: part.ring)

    @cached_property
    def smooth_grains(self) -> list[Grain]:
        """The grain of smooth fills in those octaves."""

        def ring(part: BlendContext) -> Tensor:
            return grown(part.whole, RING) & part.preserved

        known = self._known(min(self.octave, octaves(OCTAVES_OF)), ring)
        return [Grain(1.0, None if each.floor is None else root(each.floor)) for each in known]

    def fit(
        self,
        shown: Shown,
        settings: BlendSettings,
        exemplar: Exemplar | None = None,
        matte: Matte | None = None,
        skin: Skin | None = None,
    ) -> LargeFit:
        """Return how to change an unedited fill; the octaves of texture are not matched."""
        known = self.known if settings.grain else []
        fill, own = self._measured(shown, known)
        unmatched = 0 if exemplar is None else exemplar.octaves
        fit = self.reduced.fit(
            fill,
            replace(settings, feather_px=0),
            unmatched=max(unmatched - self.octave, 0),
            matte=matte,
            skin=skin,
        )
        tone = torch.ones(3) if fit.tone is None else fit.tone.gain
        grains = [each.grain(octave, tone) for each, octave in zip(own, known, strict=True)]
        grains[:unmatched] = [Grain(1.0, None)] * min(unmatched, len(grains))
        texture = None if exemplar is None else exemplar.texture(self._needs(shown, fit, unmatched))
        return LargeFit(settings, fit, grains, shown, texture)

    def fitted(self, fit: LargeFit) -> Iterator[tuple[Box, Tensor]]:
        """Yield boxes and the fitted fill in them, [3, H, W]."""
        base, shares = self.reduced.fitted(fit.reduced), fit.reduced.shares
        return self._detailed(base, fit.settings, fit, fit.shown, shares)

    def fit_edit(
        self, shown: Shown, fit: LargeFit, matte: Matte | None = None
    ) -> Iterator[tuple[Box, Tensor]]:
        """Yield an edit or mixture with the fit of its fill, and its own matte."""
        fill, _ = self._measured(shown, [])
        base = self.reduced.fit_edit(fill, fit.reduced, matte)
        shares = self.reduced.shares(fill, fit.settings, matte)
        return self._detailed(base, fit.settings, fit, shown, shares)

    def smooth(self, settings: BlendSettings) -> Iterator[tuple[Box, Tensor]]:
        """Yield a fill made without a model."""
        base = self.reduced.smooth(replace(settings, feather_px=0))
        return self._detailed(base, settings)

    def _tiles(self, around: int) -> Iterator[Tile]:
        """Yield tiles that cut no block, of texture either, with at least `around` px of margin."""
        unit = _BLOCK << max(self.octave, MOST_OCTAVES)
        side, around = (-(-px // unit) * unit for px in (_TILE, around))
        for y in range(0, self.height, side):
            for x in range(0, self.width, side):
                box = Box(x, y, side, side)
                wide = box.grown(around).clipped(self.width, self.height)
                yield Tile(box.clipped(self.width, self.height), wide)

    @property
    def _reduced_size(self) -> tuple[int, int]:
        return -(-self.height >> self.octave), -(-self.width >> self.octave)

    def _place(self, box: Box) -> tuple[slice, slice]:
        small = halved(box, self.octave)
        return slice(small.y, small.bottom), slice(small.x, small.right)

    def _any(self, mask: Tensor) -> Tensor:
        return F.max_pool2d(mask[None].float(), 1 << self.octave, ceil_mode=True)[0] > 0

    def _means(self, planes: Tensor) -> Tensor:
        for _ in range(self.octave):
            planes = block_means(planes, 2)
        return planes

    def _enlarged(self, planes: Tensor, box: Box) -> Tensor:
        planes = planes[:, *self._place(box)]
        for octave in reversed(range(self.octave)):
            planes = doubled(planes, *(-(-size >> octave) for size in (box.height, box.width)))
        return planes

    def _known(self, count: int, ring: Callable[[BlendContext], Tensor]) -> list[Known]:
        energies = [torch.zeros(3) for _ in range(count)]
        noises = [BlockNoise() for _ in range(count)]
        for tile in self._tiles(_AROUND) if count else ():
            part = self.cut(tile.around)
            image, around = part.color.clamp(0, 1), ring(part)[None].float()
            if not bool(around.any()):
                continue
            for k in range(count):
                low, detail = split(image)
                inner, weight = tile.inner(detail, k), tile.inner(around, k)
                energies[k] += (inner.square() * weight).sum((1, 2))
                noises[k].add(inner, weight[0] > 0.999)
                image, around = low, block_means(around, 2)
        floors = [noise.floor() for noise in noises]
        return [Known(*each) for each in zip(energies, floors, strict=True)]

    def _measured(self, shown: Shown, known: list[Known]) -> tuple[Tensor, list[_Own]]:
        """Return a reduced fill [3, h, w] and its sums in the known octaves."""
        own = [_Own() for _ in known]
        small = torch.empty(3, *self._reduced_size)  # first, against fragmentation
        for tile in self._tiles(_AROUND if known else 0):
            fill = shown(tile.around)
            small[:, *self._place(tile.box)] = self._means(tile.inner(fill))
            if not known:
                continue
            part = self.cut(tile.around)
            image = part.color.clamp(0, 1)
            around, inside = part.ring[None].float(), part.hole[None].float()
            for k, each in enumerate(own):
                (fill, detail), (image, document) = split(fill), split(image)
                each.add(*(tile.inner(x, k) for x in (detail, document, around, inside)))
                around, inside = block_means(around, 2), block_means(inside, 2)
        return small, own

    def _needs(self, shown: Shown, fit: RegionFit, octaves: int) -> Needs:
        """Return what a fill needs of texture, with the color of its fit."""

        def empty(factor: int, dtype: torch.dtype) -> Tensor:
            return torch.empty(-(-self.height // factor), -(-self.width // factor), dtype=dtype)

        side = _BLOCK << octaves
        low = torch.stack([empty(1 << octaves, torch.float32)] * 3)
        energy, wanted = empty(side, torch.float32), empty(side, torch.bool)
        gain = torch.ones(3) if fit.tone is None else fit.tone.gain
        for tile in self._tiles(0):
            box = tile.box
            fill = shown(box) * gain[:, None, None]
            part = Needs.of(fill, self.cut(box).hole, octaves)
            small = halved(box, octaves)
            low[:, small.y : small.bottom, small.x : small.right] = part.low
            rows, columns = (
                slice(start // side, start // side + count)
                for start, count in zip((box.y, box.x), part.wanted.shape, strict=True)
            )
            energy[rows, columns], wanted[rows, columns] = part.energy, part.wanted
        if fit.tone is not None:
            low = fit.tone._replace(gain=torch.ones(3)).applied(low)
        return Needs(low, energy, wanted)

    @cached_property
    def _reaches_beyond(self) -> bool:
        return bool(self.reduced.beyond.any())

    def _detailed(
        self,
        base: Tensor,
        settings: BlendSettings,
        fit: LargeFit | None = None,
        shown: Shown | None = None,
        shares: Tensor | None = None,
    ) -> Iterator[tuple[Box, Tensor]]:
        """Yield a reduced fill [3, h, w] with its finest detail; it is smooth without `fit`.

        `shares` [h, w] say how much of the fill is shown before the wall.
        """
        tone = torch.ones(3) if fit is None or fit.reduced.tone is None else fit.reduced.tone.gain
        for tile in self._tiles(max(_AROUND, int(settings.feather_px) + 2)):
            part = self.cut(tile.around)
            fill = self._enlarged(base, tile.around)
            by_model = torch.zeros(()) if shown is None else self._by_model(part, tile, shares)
            if fit is not None and shown is not None:
                own = self._own(shown(tile.around), tone, fit.grains, tile)
                if fit.texture is not None:
                    own += fit.texture.cut(tile.around)
                fill += own * by_model
            if settings.grain and bool((by_model < 1).any()):
                nothing, white = torch.zeros_like(fill), torch.ones(3)
                fill += self._own(nothing, white, self.smooth_grains, tile) * (1 - by_model)
            if bool(part.border.any()):
                difference = torch.where(part.border, part.color - fill, 0.0)
                difference = harmonic_fill(difference, part.border, reach=2.0 * 2**self.octave)
                fill += difference if settings.gradient else difference * (1 - by_model)
            yield tile.box, tile.inner(part.feathered(fill, settings.feather_px))

    def _by_model(self, part: BlendContext, tile: Tile, shares: Tensor | None) -> Tensor:
        """Return the model's weight, 0..1: [H, W], or [] if it is 1 everywhere."""
        by_model = torch.ones(())
        if self._reaches_beyond:
            enlarged = self._enlarged(self.reduced.by_model[None], tile.around)[0]
            by_model = torch.where(part.beyond, 0.0, enlarged)
        if shares is not None:
            by_model = by_model * self._enlarged(shares[None], tile.around)[0]
        return by_model

    def _own(self, fill: Tensor, tone: Tensor, grains: list[Grain], tile: Tile) -> Tensor:
        """Return a fill's matched detail that the reduction removes, [3, H, W]."""
        fill = fill * tone[:, None, None]
        details, low = [], fill
        for k in range(self.octave):
            low, detail = split(low)
            if k < len(grains):
                details.append(detail)
        for k in reversed(range(self.octave)):
            low = doubled(low, *(-(-size >> k) for size in fill.shape[1:]))
        matches = []
        for k, (factor, strength) in enumerate(grains):
            noise = None
            if strength is not None:
                unit = noise_at(self.reduced.seed, k, halved(tile.around, k))
                noise = torch.einsum("ij,jhw->ihw", strength, unit)
            matches.append(DetailGain(factor, noise))
        return apply_detail_gains(fill - low, details, matches)


class _Own:
    """Sums over one octave of a fill's detail."""

    def __init__(self) -> None:
        self.energy = torch.zeros(3)  # on the ring, per channel
        self.common = torch.zeros(3)  # shared with the document
        self.noise = BlockNoise()  # in the hole

    def add(self, detail: Tensor, document: Tensor, around: Tensor, inside: Tensor) -> None:
        self.energy += (detail.square() * around).sum((1, 2))
        self.common += (detail * document * around).sum((1, 2))
        self.noise.add(detail, inside[0] > 0.999)

    def grain(self, known: Known, tone: Tensor) -> Grain:
        """Return the change that matches the document; `tone` is the fill's color gain [3]."""
        energy, common = (self.energy * tone.square()).sum(), (self.common * tone).sum()
        factor = gain(known.energy.sum(), energy, lambda: common)
        present = self.noise.floor()
        if present is None or known.floor is None:
            return Grain(factor, None)
        present = present * tone[:, None] * tone
        return Grain(factor, root(known.floor - factor**2 * present))


def noise_at(seed: int, octave: int, box: Box) -> Tensor:
    """Return unit noise [3, H, W]; a pixel's value does not depend on the box.

    The box is in px of the octave, and its corner is even.
    """
    wide = box.grown(2)
    white = np.empty((3, wide.height, wide.width), np.float32)
    columns, rows = (
        range(start // _CELL, (end - 1) // _CELL + 1)
        for start, end in ((wide.x, wide.right), (wide.y, wide.bottom))
    )
    for row, column in product(rows, columns):
        cell = Box(column * _CELL, row * _CELL, _CELL, _CELL)
        place = [0, row + 1, column + 1, 0]  # not negative, also before the region
        random = np.random.Generator(np.random.Philox(key=(seed << 8) + octave, counter=place))
        values = random.standard_normal((_CELL, _CELL, 3), np.float32).transpose(2, 0, 1)
        shared = cell.intersection(wide)
        there = shared.moved(-wide.x, -wide.y)
        here = shared.moved(-cell.x, -cell.y)
        white[:, there.y : there.bottom, there.x : there.right] = values[
            :, here.y : here.bottom, here.x : here.right
        ]
    noise = split(torch.from_numpy(white))[1] / _NOISE_STD
    return noise[:, 2:-2, 2:-2]
