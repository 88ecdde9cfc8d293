"""Place groups of holes in frames, and turn outputs of the model into patches of the document."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import torch

from inpaint_model.document import geometry
from inpaint_model.document.arrays import FloatImage, Pixels
from inpaint_model.document.backdrop import Backdrop, Matte
from inpaint_model.document.blending import BlendContext, BlendSettings, RegionFit, ring_px
from inpaint_model.document.borders import distance_within, fading_in
from inpaint_model.document.color import display_from_document, document_from_display
from inpaint_model.document.compositing import Patch
from inpaint_model.document.document_image import OPAQUE, DocumentImage
from inpaint_model.document.geometry import Box, Frame, Mode
from inpaint_model.document.hole import Hole, inside_frame
from inpaint_model.document.large_hole import LARGE, LargeFit, LargeHole
from inpaint_model.document.model_view import ModelInput, extract_model_view
from inpaint_model.document.monochrome import Tint, find_tint, has_shades
from inpaint_model.document.notices import Notice, RefusalError
from inpaint_model.document.resampling import resample
from inpaint_model.document.skin_tone import Skin
from inpaint_model.document.texture import (
    MOST_PX,
    MOST_SQUARES,
    SQUARE,
    Exemplar,
    Square,
    texture_octaves,
)

_NOTABLE_ENLARGEMENT = 1.5
_SMALLEST_FRAME = 1.0  # document px
_LARGEST_FRAME = 64.0  # times the document's larger side
_KNOWN_SHARE = 0.5  # of a square from which texture is copied
_BESIDE = 0.25  # how far from the frame texture is copied, over its side: the wall behind hair
_GOLDEN = 0.618034  # multiples of it are spread evenly over 0..1
_TRANSITION = 0.1  # width of the fade toward the part beyond, over the frame's side


class FramePart(NamedTuple):
    """A part of what a frame shows."""

    pixels: FloatImage  # [h, w, 3], nominally 0..1
    origin: tuple[int, int]  # x and y of its corner in the frame
    resolution: int  # side of the frame, px of this part

    @classmethod
    def of(cls, output: FloatImage) -> FramePart:
        """Return an output of the model, [R, R, 3], which shows all of the frame."""
        return cls(output, (0, 0), len(output))


_OF_PLACING = {"SMOOTH_BEYOND", "ONLY_INSIDE", "ENLARGED"}  # notices that `place` adds


@dataclass(frozen=True, eq=False)
class Placement:
    """One group of holes in its frame."""

    image: DocumentImage
    hole: Hole  # the part of the group to fill, cut to its bounds
    frame: Frame
    mode: Mode  # "box" also where "auto" fell back to it
    confidence: float  # 0..1 that the frame shows a face; 1 if explicit
    notices: tuple[Notice, ...]
    source: ModelInput = field(repr=False)
    filled: Hole = field(repr=False)  # of all groups, of the image's size and origin
    whole: bool  # fill the group also beyond the frame
    most_px: int | None = None  # limit of pixels fitted at once; None: `LARGE`
    find_backdrop: Callable[[Placement], Backdrop | None] | None = field(default=None, repr=False)
    _exemplars: dict[int, Exemplar | None] = field(default_factory=dict, init=False, repr=False)

    @property
    def box(self) -> Box:
        """Box of the hole, document px."""
        return self.hole.box

    @property
    def warning(self) -> str:
        """All notices in English."""
        return " ".join(notice.text for notice in self.notices)

    @property
    def resolution(self) -> int:
        """Side of the model's square, px."""
        return len(self.source.hole)

    @property
    def upscale_factor(self) -> float:
        """Document px per model px."""
        return self.frame.side / self.resolution

    @property
    def full_resolution(self) -> float:
        """Resolution of a model that would show every document pixel, px.

        It ignores that a square around the hole was enlarged to the resolution of its model.
        """
        if self.mode == "box":
            return geometry.box_frame(self.box, *self.image.document_size).side
        return self.frame.side

    @property
    def reach(self) -> float:
        """The hole's larger side over the frame's."""
        return max(self.box.width, self.box.height) / self.frame.side

    def smooth(self, blending: BlendSettings) -> Patch:
        """Fill the hole without a model (`smooth_fill`)."""
        around = self.surroundings
        if isinstance(around, LargeHole):
            return _patch(self, around.smooth(blending), self.tint)
        return _patch(self, self._all(around.smooth(blending)), self.tint)

    @cached_property
    def document(self) -> Pixels:
        """The document's pixels inside the box."""
        x, y = self.image.origin
        return self.box.moved(-x, -y).cut(self.image.pixels)

    @cached_property
    def region(self) -> Box:
        """The box with the ring of known pixels, document px."""
        x, y = self.image.origin
        height, width = self.image.pixels.shape[:2]
        grown = self.box.grown(ring_px(self.upscale_factor)).moved(-x, -y)
        return grown.clipped(width, height).moved(x, y)

    @cached_property
    def backdrop(self) -> Backdrop | None:
        """The plain background around the hole, if there is one and it was looked for."""
        return None if self.find_backdrop is None else self.find_backdrop(self)

    @cached_property
    def surroundings(self) -> BlendContext | LargeHole:
        """What all fills are fitted to."""
        region = self.region
        if self.fitted_px == region.width * region.height:
            return self._surroundings(region)
        return LargeHole(region.width, region.height, self.fitted_px, self._cut)

    def preparations(self, settings: BlendSettings) -> list[Callable[[], object]]:
        """Return functions that compute what all fits share, each in a thread of its own."""
        prepared: list[Callable[[], object]] = [lambda: self.surroundings.prepare(settings)]
        if settings.gradient:
            prepared.append(self._prepare_wall)
        return prepared

    def _prepare_wall(self) -> None:
        around = self.surroundings
        _ = (around.reduced if isinstance(around, LargeHole) else around).wall

    def _all(self, values: torch.Tensor) -> list[tuple[Box, torch.Tensor]]:
        return [(Box(0, 0, self.region.width, self.region.height), values)]

    @property
    def fitted_px(self) -> int:
        """Number of pixels fitted at once, which bounds the memory."""
        return min(self.region.width * self.region.height, self.most_px or LARGE)

    @cached_property
    def tint(self) -> Tint | None:
        """The tint of a monochrome image; None in color.

        What the model sees decides; where that is hardly more than a wall, the whole image.
        """
        colors = self.source.known
        if not has_shades(colors):
            width, height = self.image.document_size
            whole = Frame(width / 2, height / 2, max(width, height))
            view = extract_model_view(self.image, self.filled, whole, self.resolution)
            colors = view.known
        return find_tint(colors) if has_shades(colors) else None

    @property
    def has_surroundings(self) -> bool:
        """Whether a smooth fill has known pixels to continue."""
        around = self.surroundings
        around = around.reduced if isinstance(around, LargeHole) else around
        return bool(around.preserved.any())

    def exemplar(self, resolution: int) -> Exemplar | None:
        """Return where fills get their texture from, if they need any and enough is known.

        `resolution` is that of fills with detail. Fills without get no texture: too much would be
        missing below it.
        """
        octaves = texture_octaves(self.frame.side / resolution)
        if resolution <= self.resolution or octaves == 0:
            return None
        if octaves not in self._exemplars:
            parts = map(self._surroundings, self._known_squares(SQUARE << octaves))
            squares = (Square(part.color, part.preserved) for part in parts)
            self._exemplars[octaves] = Exemplar.of(squares, octaves)
        return self._exemplars[octaves]

    @property
    def texture_bytes(self) -> int:
        """Memory of `exemplar`."""
        made = list(self._exemplars.values())
        return sum(each.num_bytes for each in made if each is not None)

    def _known_squares(self, side: int) -> list[Box]:
        """Return squares near the hole of which half is known, document px."""
        R = self.resolution
        to_document = geometry.document_from_model(self.frame, R)
        corners = geometry.transform_points(to_document, [(0, 0), (R, 0), (0, R), (R, R)])
        x, y = self.image.origin
        height, width = self.image.pixels.shape[:2]
        seen = geometry.bounding_box(corners).grown(round(_BESIDE * self.frame.side))
        seen = seen.moved(-x, -y).clipped(width, height).moved(x, y)
        ranked: list[tuple[float, float, Box]] = []
        for top in range(seen.y, seen.bottom - side + 1, side):
            for left in range(seen.x, seen.right - side + 1, side):
                box = Box(left, top, side, side)
                if self.filled.cut(box).mask.mean() > 1 - _KNOWN_SHARE:
                    continue
                away = (
                    max(self.box.x - box.right, box.x - self.box.right, 0),
                    max(self.box.y - box.bottom, box.y - self.box.bottom, 0),
                )
                # Of those equally far away, take some from all sides.
                spread = len(ranked) * _GOLDEN % 1
                ranked.append((math.hypot(*away) // side, spread, box))
        return [box for *_, box in sorted(ranked)[: min(MOST_SQUARES, MOST_PX // side**2)]]

    def _cut(self, box: Box) -> BlendContext:
        return self._surroundings(box.moved(self.region.x, self.region.y))

    def _surroundings(self, region: Box) -> BlendContext:
        x, y = self.image.origin
        part = region.moved(-x, -y)
        color, alpha = display_from_document(part.cut(self.image.pixels), self.image.linear)
        hole = np.zeros((region.height, region.width), np.bool_)
        shared = self.box.intersection(region)
        shared.moved(-region.x, -region.y).cut(hole)[...] = self.hole.cut(shared).mask
        inside = inside_frame(self.frame, region)
        visible = np.ones_like(hole) if alpha is None else alpha >= OPAQUE
        preserved = torch.from_numpy(visible & ~self.filled.cut(region).mask)
        planes = torch.from_numpy(color).permute(2, 0, 1).contiguous()
        return BlendContext(
            planes,
            torch.from_numpy(hole & inside),
            torch.from_numpy(hole & ~inside),
            preserved & torch.from_numpy(inside),
            preserved,
            torch.from_numpy(visible),
            self.upscale_factor,
            transition=_TRANSITION * self.frame.side,
            seed=zlib.crc32(repr(self.box).encode()),
            find_background=partial(self._background, region, preserved, planes),
        )

    def _background(
        self, region: Box, preserved: torch.Tensor, color: torch.Tensor
    ) -> torch.Tensor | None:
        """Return which preserved pixels of a region show a plain background, if there is one."""
        if self.backdrop is None:
            return None
        return preserved & self.backdrop.background(region, color)


def place(
    image: DocumentImage,
    hole: Hole,
    frame: Frame,
    resolution: int,
    *,
    mode: Mode = "explicit",
    confidence: float = 1.0,
    notices: tuple[Notice, ...] = (),
    selection: Hole | None = None,
    overview: DocumentImage | None = None,
    whole: bool = False,
) -> Placement:
    """Place one group of holes in a known frame.

    `selection` marks all pixels hidden from the model and matches the image; None = only `hole`.
    `whole` also fills the part beyond the frame, smoothly; otherwise the fill fades out toward it.

    Raises:
        ValueError: The selection is empty or does not match the image, the frame's side is out of
            range, or (unless `whole`) the frame does not overlap the group.
    """
    if selection is None:
        selection = hole
    check_hole(image, selection)
    _check_frame(frame, image)
    told = list(notices)
    group, filled = _trimmed(hole), selection
    if not inside_frame(frame, group.box)[group.mask].all():
        told.append(Notice("SMOOTH_BEYOND" if whole else "ONLY_INSIDE"))
        if not whole:
            inside = group.inside(frame)
            if inside is None:
                raise RefusalError("FRAME_BESIDE_SELECTION")
            rest = group.without(inside)
            filled = selection.without(rest)
            group = _faded(inside, rest, _TRANSITION * frame.side)
    upscale_factor = frame.side / resolution
    if upscale_factor > _NOTABLE_ENLARGEMENT:
        told.append(
            Notice("ENLARGED", {"resolution": str(resolution), "times": f"{upscale_factor:.1f}"})
        )
    source = extract_model_view(image, selection, frame, resolution, overview)
    return Placement(
        image,
        group,
        frame,
        mode,
        confidence,
        tuple(told),
        source,
        filled,
        whole,
    )


def placed_anew(
    placement: Placement, frame: Frame, resolution: int, overview: DocumentImage | None = None
) -> Placement:
    """Place a whole group as before, for a model of another resolution."""
    return place(
        placement.image,
        placement.hole,
        frame,
        resolution,
        mode=placement.mode,
        confidence=placement.confidence,
        notices=tuple(each for each in placement.notices if each.code not in _OF_PLACING),
        selection=placement.filled,
        overview=overview,
        whole=True,
    )


def sharing_memory(placements: Sequence[Placement]) -> list[Placement]:
    """Limit the groups of a hole to the memory of one large hole in total."""
    regions = (placement.region for placement in placements)
    if sum(region.width * region.height for region in regions) <= LARGE:
        return list(placements)
    return [replace(placement, most_px=LARGE // len(placements)) for placement in placements]


def _trimmed(hole: Hole) -> Hole:
    assert hole.bounds is not None
    return hole.cut(hole.bounds)


def _faded(inside: Hole, rest: Hole, width: float) -> Hole:
    """Fade `inside` out over `width` px toward the rest, to a coverage of at least 1."""
    distance = distance_within(torch.from_numpy(rest.mask), width + 1).numpy()
    x, y = rest.origin
    weight = fading_in(torch.from_numpy(inside.box.moved(-x, -y).cut(distance)), width).numpy()
    faded = np.rint(inside.coverage * weight).clip(1).astype(np.uint8)
    return Hole(np.where(inside.mask, faded, np.uint8(0)), inside.origin)


@dataclass(frozen=True, eq=False)
class BlendFit:
    """One output of the model, fitted to the document; its edits use the same fit."""

    placement: Placement
    fit: RegionFit | LargeFit = field(repr=False)
    tint: Tint | None = field(repr=False)  # of the document; None: the model's own colors

    @classmethod
    def of(
        cls,
        placement: Placement,
        output: FloatImage | FramePart,
        blending: BlendSettings | None = None,
        matte: Matte | None = None,
        skin: Skin | None = None,
    ) -> BlendFit:
        """Fit an unedited output: [R, R, 3], nominally 0..1, or a part around the hole.

        With a matte, only what is in front of the background is shown; `skin` gets the tint of the
        known skin.
        """
        around, settings = placement.surroundings, blending or BlendSettings()
        tint = placement.tint if settings.colour_match else None
        part = _tinted(output, tint)
        exemplar = placement.exemplar(part.resolution) if settings.detail else None
        if isinstance(around, LargeHole):
            shown = partial(_shown, placement, part)
            return cls(placement, around.fit(shown, settings, exemplar, matte, skin), tint)
        fill = _shown(placement, part)
        return cls(placement, around.fit(fill, settings, exemplar, matte=matte, skin=skin), tint)

    def to_patch(self) -> Patch:
        """Return the output as document pixels."""
        around, fit = self.placement.surroundings, self.fit
        if isinstance(around, LargeHole):
            assert isinstance(fit, LargeFit)
            return _patch(self.placement, around.fitted(fit), self.tint)
        assert isinstance(fit, RegionFit)
        return _patch(self.placement, self.placement._all(around.fitted(fit)), self.tint)

    def edit_to_patch(self, output: FloatImage | FramePart, matte: Matte | None = None) -> Patch:
        """Return an edit or mixture of the output, of the same size, as document pixels."""
        around, fit = self.placement.surroundings, self.fit
        part = _tinted(output, self.tint)
        if isinstance(around, LargeHole):
            assert isinstance(fit, LargeFit)
            shown = partial(_shown, self.placement, part)
            return _patch(self.placement, around.fit_edit(shown, fit, matte), self.tint)
        assert isinstance(fit, RegionFit)
        fill = around.fit_edit(_shown(self.placement, part), fit, matte)
        return _patch(self.placement, self.placement._all(fill), self.tint)


def _tinted(output: FloatImage | FramePart, tint: Tint | None) -> FramePart:
    part = output if isinstance(output, FramePart) else FramePart.of(output)
    return part if tint is None else part._replace(pixels=tint.applied(part.pixels))


def _shown(placement: Placement, part: FramePart, box: Box | None = None) -> torch.Tensor:
    """Resample the output to the region, or a box of it: [3, H, W]."""
    region = placement.region
    shown = region if box is None else box.moved(region.x, region.y)
    matrix = geometry.compose(
        geometry.model_from_document(placement.frame, part.resolution),
        geometry.translation(shown.x, shown.y),
    )
    x, y = part.origin
    matrix = geometry.compose(geometry.translation(-x, -y), matrix)
    seen = resample(np.clip(part.pixels, 0, 1), matrix, shown.width, shown.height)
    return torch.from_numpy(seen).permute(2, 0, 1).contiguous()


def _patch(
    placement: Placement, parts: Iterable[tuple[Box, torch.Tensor]], tint: Tint | None
) -> Patch:
    """Assemble boxes of the region; in a gray image, of exactly gray pixels."""
    hole, box, region, document = (
        placement.hole,
        placement.box,
        placement.region,
        placement.document,
    )
    fill = document.copy()
    for where, values in parts:
        part = where.moved(region.x, region.y)
        shared = box.intersection(part)
        inner = shared.moved(-part.x, -part.y)
        color = np.ascontiguousarray(inner.cut(values.permute(1, 2, 0).numpy()))
        if tint is not None and tint.is_gray:
            color = tint.applied(color)  # fitting has left differences of rounding
        to_patch = document_from_display(
            color, document.dtype, document.shape[2], placement.image.linear
        )
        there = shared.moved(-box.x, -box.y).cut(fill)
        np.copyto(there, to_patch, where=hole.cut(shared).mask[..., None])
    return Patch(fill, hole.coverage, hole.box)


def check_hole(image: DocumentImage, hole: Hole) -> None:
    """Raise ValueError if a hole is empty or does not have the size and origin of an image."""
    if hole.coverage.shape != image.pixels.shape[:2]:
        raise ValueError(
            f"The selection is {hole.coverage.shape[1]} x {hole.coverage.shape[0]} px, "
            f"the image {image.pixels.shape[1]} x {image.pixels.shape[0]} px; "
            "they must have the same size."
        )
    if hole.origin != image.origin:
        raise ValueError(
            f"The selection's top left corner is at {hole.origin}, the image's at "
            f"{image.origin}; they must be at the same place."
        )
    if hole.bounds is None:
        raise RefusalError("NOTHING_SELECTED")


def is_usable(frame: Frame, image: DocumentImage) -> bool:
    """Return whether a frame's numbers are finite and its side is in range."""
    largest = _LARGEST_FRAME * max(image.document_size)
    return bool(np.isfinite(frame).all()) and _SMALLEST_FRAME <= frame.side <= largest


def _check_frame(frame: Frame, image: DocumentImage) -> None:
    if not is_usable(frame, image):
        largest = _LARGEST_FRAME * max(image.document_size)
        raise RefusalError(
            "FRAME_SIZE",
            side=f"{frame.side:g}",
            smallest=f"{_SMALLEST_FRAME:g}",
            largest=f"{largest:g}",
        )
