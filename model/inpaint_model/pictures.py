"""Between a document and the model: find the frame, look through it, lay the fill back.

`prepare` gives one `Placement` for each group of holes: what the model shall see, and where its
output belongs. `lay` turns an output of the model into the document's own pixels. Nothing outside
the hole ever changes, at any bit depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from inpaint_model import frames, holes
from inpaint_model.frames import Box, Frame, Matrix
from inpaint_model.holes import Bytes
from inpaint_model.membrane import continued
from inpaint_model.pixels import (
    FULL_SCALE,
    Bools,
    Floats,
    Pixels,
    display_from_document,
    document_from_display,
    quantise,
)
from inpaint_model.resampling import resample

Mode = Literal["auto", "box", "explicit"]

_OPAQUE = 0.5  # alpha from which a pixel's colour counts as known
_MAX_GROUPS = 32
_NOTABLE_ENLARGEMENT = 1.5


@dataclass(frozen=True)
class DocumentPicture:
    """Pixels of a document: the whole, a crop at full resolution, or an overview.

    `origin` is where the top left corner of `pixels` lies in the document, `size` the document's
    (width, height). `scale` is pixels per document pixel, 1 except for overviews.
    """

    pixels: Pixels
    linear: bool = False
    origin: tuple[int, int] = (0, 0)
    size: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3, 4) or 0 in shape:
            raise ValueError(
                f"A picture must be [height, width, 1, 3 or 4 channels], not {list(shape)}."
            )
        if self.pixels.dtype not in FULL_SCALE:
            raise ValueError(
                f"Samples of {self.pixels.dtype} are not supported; "
                "convert to uint8, uint16, float16 or float32."
            )

    @classmethod
    def overview(
        cls, pixels: Pixels, size: tuple[int, int], linear: bool = False
    ) -> DocumentPicture:
        """A small picture of a whole document of `size` (width, height)."""
        scale = (pixels.shape[1] / size[0], pixels.shape[0] / size[1])
        return cls(pixels, linear, (0, 0), size, scale)

    @cached_property
    def document_size(self) -> tuple[int, int]:
        return self.size or (self.pixels.shape[1], self.pixels.shape[0])

    @cached_property
    def from_document(self) -> Matrix:
        """The matrix from document px to px of `pixels`."""
        moved = frames.translation(-self.origin[0], -self.origin[1])
        return frames.compose(frames.scaling(*self.scale), moved)


@dataclass(frozen=True)
class BlendSettings:
    """How the fill is fitted to its surroundings, inside the hole only."""

    colour_match: bool = True
    gradient: bool = True
    feather_px: float = 0.0
    grain: bool = True


RAW = BlendSettings(colour_match=False, gradient=False, grain=False)
"""The model's pixels as they are."""


class Source(NamedTuple):
    """What the model sees: uint8 [R, R, 3] with zeros in the hole, and the hole, 0 or 255."""

    erased: Bytes
    hole: Bytes


@dataclass(frozen=True, eq=False)
class Placement:
    """One group of holes with its frame: what goes into the model and where its output belongs."""

    picture: DocumentPicture
    box: Box  # of the group's hole, document px
    coverage: Bytes  # [box.height, box.width]
    frame: Frame
    mode: Mode  # how the frame was found; "box" where "auto" fell back
    confidence: float  # 0..1 that the frame shows what the model knows; 1 if explicit
    warning: str  # empty, or what the user should know
    source: Source = field(repr=False)

    @property
    def resolution(self) -> int:
        """Side of the model's square, px."""
        return len(self.source.hole)

    @property
    def enlargement(self) -> float:
        """Document pixels per model pixel; above 1 the fill is enlarged."""
        return self.frame.side / self.resolution

    @cached_property
    def document(self) -> Pixels:
        """The document's own pixels inside the box."""
        x, y = self.picture.origin
        return self.box.moved(-x, -y).cut(self.picture.pixels)


class Patch(NamedTuple):
    """The pixels of one group.

    `fill` is valid where `coverage` > 0 and holds the document's own pixels elsewhere; coverage is
    not applied to it.
    """

    fill: Pixels
    coverage: Bytes
    box: Box


class Model(Protocol):
    """What framing needs to know of an inpainter."""

    @property
    def resolution(self) -> int: ...


def prepare(
    model: Model,
    picture: DocumentPicture,
    coverage: Bytes,
    *,
    mode: Mode = "auto",
    frame: Frame | None = None,
    overview: DocumentPicture | None = None,
) -> list[Placement]:
    """Find a frame for each group of the hole and look through it.

    Args:
        model: the inpainter that will fill.
        picture: the document, or the crop of it around the hole.
        coverage: uint8 [H, W], same size as the picture; the hole is where it is above 0.
        mode: "auto" asks the model's framer and falls back to "box" where it is unsure; "box" is
            the square around the selection with context; "explicit" is `frame`.
        frame: with "explicit", document px.
        overview: the whole document at low resolution, for what lies beyond a crop.

    Raises:
        ValueError: the selection is empty, or does not meet the frame, or the sizes differ.
    """
    _check(picture, coverage)
    if mode == "explicit":
        if frame is None:
            raise ValueError('Mode "explicit" needs a frame.')
        return [place(picture, coverage, frame, model.resolution, overview=overview)]
    parts = holes.components(coverage > 0)
    placements = []
    for members, chosen in _groups(parts.boxes, picture, model.resolution):
        group = np.where(parts.mask(members), coverage, np.uint8(0))
        placements.append(
            place(picture, group, chosen, model.resolution, mode="box", overview=overview)
        )
    return placements


def place(
    picture: DocumentPicture,
    coverage: Bytes,
    frame: Frame,
    resolution: int,
    *,
    mode: Mode = "explicit",
    confidence: float = 1.0,
    warning: str = "",
    overview: DocumentPicture | None = None,
) -> Placement:
    """The placement of one group with a known frame (a recipe's, or the user's).

    The part of the selection that lies outside the frame is not filled.
    """
    _check(picture, coverage)
    inside = _inside_frame(coverage, picture, frame)
    if inside is None:
        raise ValueError("The frame does not meet the selection. Move the frame over it.")
    box, kept = inside
    sentences = [warning]
    if np.count_nonzero(kept) < np.count_nonzero(coverage):
        sentences.append("The selection is larger than the frame; only the part inside is filled.")
    enlargement = frame.side / resolution
    if enlargement > _NOTABLE_ENLARGEMENT:
        sentences.append(f"Filled at {resolution} px, enlarged {enlargement:.1f} times.")
    source = look(picture, coverage, frame, resolution, overview)
    x, y = picture.origin
    return Placement(
        picture, box.moved(x, y), kept, frame, mode, confidence,
        " ".join(filter(None, sentences)), source,
    )  # fmt: skip


def look(
    picture: DocumentPicture,
    coverage: Bytes,
    frame: Frame,
    resolution: int,
    overview: DocumentPicture | None = None,
) -> Source:
    """What the model sees through a frame.

    Nothing of the hole's old content shows in the known pixels: before the document is reduced, the
    hole is filled smoothly from its surroundings. Transparent pixels, and what neither the picture
    nor the overview reaches, count as hole.
    """
    to_document = frames.document_from_model(frame, resolution)
    known = coverage == 0
    view, hole, reached = _seen(picture, known, to_document, resolution)
    if overview is not None and not reached.all():
        blank = np.ones(overview.pixels.shape[:2], np.bool_)
        far, far_hole, far_reached = _seen(overview, blank, to_document, resolution)
        view = np.where(reached[..., None], view, far)
        hole = np.where(reached, hole, far_hole)
        reached |= far_reached
    hole |= ~reached
    erased = quantise(np.where(hole[..., None], np.float32(0), view), np.uint8)
    return Source(erased, hole.astype(np.uint8) * np.uint8(255))


def lay(placement: Placement, output: Floats, blending: BlendSettings | None = None) -> Patch:
    """The model's output as pixels of the document.

    Args:
        placement: where the output belongs.
        output: float32 [R, R, 3], nominally 0..1.
        blending: how it is fitted to the surroundings; None for the defaults.
    """
    box, picture = placement.box, placement.picture
    matrix = frames.compose(
        frames.model_from_document(placement.frame, placement.resolution),
        frames.translation(box.x, box.y),
    )
    colour = resample(np.clip(output, 0, 1), matrix, box.width, box.height)
    document = placement.document
    fill = document_from_display(colour, document.dtype, document.shape[2], picture.linear)
    covered = placement.coverage[..., None] > 0
    return Patch(np.where(covered, fill, document), placement.coverage, box)


def laid_over(picture: DocumentPicture, patches: Sequence[Patch]) -> Pixels:
    """The picture with patches laid over it: known + (fill - known) * coverage.

    Pixels without coverage keep their bytes. Where there is alpha, colours are weighted by it, as
    an opaque layer with the coverage as its mask would be.
    """
    result = picture.pixels.copy()
    for patch in patches:
        x, y = picture.origin
        part = patch.box.moved(-x, -y).cut(result)
        rows, columns = np.nonzero(patch.coverage)
        amount = patch.coverage[rows, columns].astype(np.float64)[:, None] / 255
        part[rows, columns] = _mixed(part[rows, columns], patch.fill[rows, columns], amount)
    return result


def _mixed(known: Pixels, fill: Pixels, amount: npt.NDArray[np.float64]) -> Pixels:
    """Pixels [N, C] of both, `amount` [N, 1] of the fill."""
    white = FULL_SCALE[known.dtype]
    below, above = known.astype(np.float64), fill.astype(np.float64)
    weight = amount
    if known.shape[1] == 4:
        alpha = above[:, 3:] / white * amount
        weight = alpha / np.maximum(alpha + below[:, 3:] / white * (1 - alpha), 1e-12)
    mixed = below + (above - below) * weight
    if known.shape[1] == 4:
        mixed[:, 3:] = below[:, 3:] + (above[:, 3:] - below[:, 3:]) * amount
    exact = np.where(amount == 1, above, mixed)
    return (
        exact.astype(known.dtype) if known.dtype.kind == "f" else np.rint(exact).astype(known.dtype)
    )


def _check(picture: DocumentPicture, coverage: Bytes) -> None:
    if coverage.shape != picture.pixels.shape[:2]:
        raise ValueError(
            f"The selection is {coverage.shape[1]} x {coverage.shape[0]} px, "
            f"the picture {picture.pixels.shape[1]} x {picture.pixels.shape[0]}; "
            "they must be of the same size."
        )
    if not coverage.any():
        raise ValueError("The selection is empty. Select the region to fill.")


def _groups(
    boxes: list[Box], picture: DocumentPicture, resolution: int
) -> list[tuple[list[int], Frame]]:
    """Parts that share a frame: their numbers (from 1) and the square around them."""
    width, height = picture.document_size
    open_parts = sorted(range(len(boxes)), key=lambda i: -boxes[i].width * boxes[i].height)
    groups: list[tuple[list[int], Frame]] = []
    while open_parts:
        hole = boxes[open_parts[0]]
        members: list[int] = []
        while True:
            frame = frames.box_frame(hole.moved(*picture.origin), width, height, resolution)
            joined = [i for i in open_parts if _holds(frame, boxes[i].moved(*picture.origin))]
            if len(joined) == len(members):
                break
            members = joined
            hole = frames.union([boxes[i] for i in members])
        groups.append(([i + 1 for i in members], frame))
        open_parts = [i for i in open_parts if i not in set(members)]
        if len(groups) > _MAX_GROUPS:
            raise ValueError(
                f"The selection falls into more than {_MAX_GROUPS} regions far apart. "
                "Fill them in several steps."
            )
    return groups


def _holds(frame: Frame, box: Box) -> bool:
    """Whether the box lies inside the frame."""
    ends = [(x, y) for x in (box.x, box.right) for y in (box.y, box.bottom)]
    seen = frames.apply(frames.model_from_document(frame, 1), ends)
    return bool((seen > -1e-6).all() and (seen < 1 + 1e-6).all())


def _inside_frame(
    coverage: Bytes, picture: DocumentPicture, frame: Frame
) -> tuple[Box, Bytes] | None:
    """The part of the selection inside the frame: its box (picture px) and coverage there."""
    box = holes.bounds(coverage > 0)
    if box is None:
        return None
    x, y = picture.origin
    kept = box.cut(coverage)
    if not _holds(frame, box.moved(x, y)):
        to_frame = frames.compose(
            frames.model_from_document(frame, 1), frames.translation(box.x + x, box.y + y)
        )
        kept = np.where(holes.inside_unit_square(kept.shape, to_frame), kept, np.uint8(0))
        smaller = holes.bounds(kept > 0)
        if smaller is None:
            return None
        kept, box = smaller.cut(kept), smaller.moved(box.x, box.y)
    return box, np.ascontiguousarray(kept)


def _seen(
    picture: DocumentPicture, known: Bools, document_from_model: Matrix, resolution: int
) -> tuple[Floats, Bools, Bools]:
    """Through a frame: display values [R, R, 3], the hole, and what the picture reaches."""
    matrix = frames.compose(picture.from_document, document_from_model)
    reached = holes.reached_by_picture(known.shape, matrix, resolution)
    margin = resolution // 16 + 8  # model px: more than the reducing kernel sees
    low, high = -margin, resolution + margin
    seen = frames.apply(matrix, [(low, low), (high, low), (high, high), (low, high)])
    region = frames.bounding_box(seen).clipped(known.shape[1], known.shape[0])
    if region.width == 0 or region.height == 0:
        nothing = np.zeros((resolution, resolution), np.bool_)
        return np.zeros((resolution, resolution, 3), np.float32), ~nothing, nothing
    matrix = frames.compose(frames.translation(-region.x, -region.y), matrix)
    colour, alpha = display_from_document(region.cut(picture.pixels), picture.linear)
    visible = region.cut(known)
    if alpha is not None:
        visible = visible & (alpha >= _OPAQUE)
    hole = holes.seen_by_model(~visible, matrix, resolution)
    smooth = continued(
        torch.from_numpy(colour).clamp_(0, 1).permute(2, 0, 1),
        torch.from_numpy(np.ascontiguousarray(visible)),
        sweeps=1,
    )
    view = resample(smooth.permute(1, 2, 0).contiguous().numpy(), matrix, resolution, resolution)
    return view, hole, reached
