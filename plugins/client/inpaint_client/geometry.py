"""Boxes, frames, and how much of a document travels.

Continuous document pixels: the origin is the top left corner of the top left pixel, x right, y
down. Boxes are in whole pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import cos, isqrt, radians, sin
from typing import NamedTuple

from .errors import InputError
from .sentence import Sentence

CROP_GROWTH = 4  # a crop is this many times the larger side of the hole's box ...
CROP_MIN_SIDE = 1024  # ... but at least this, px
WHOLE_CANVAS_SIDE = 2048  # up to this the whole canvas is sent, px
OVERVIEW_SIDE = 512  # longest side of an overview, px
WHOLE_CROP_BYTES = 16 << 20  # of crops above it only what is near the hole travels in full
CONTEXT_SIDE = 1024  # longest side of the reduced image of the rest, px
NEAR_PX = 64  # around a hole; the daemon fits fills to as much of the known pixels at most
MIXED_SIDE = 1024  # longest side of an image whose styles are taken, px
MAX_SIDE = 8192  # the daemon's default limits; Info tells those in force
MAX_IMAGE_BYTES = 512 << 20


class Point(NamedTuple):
    """A place in the document, px."""

    x: float
    y: float


class Extent(NamedTuple):
    """A size in whole pixels."""

    width: int
    height: int

    @property
    def longest(self) -> int:
        """The longer side, px."""
        return max(self)

    @property
    def area(self) -> int:
        """How many pixels it has."""
        return self.width * self.height


class Box(NamedTuple):
    """A rectangle of whole pixels; right and bottom are exclusive. Empty if a side is 0."""

    x: int
    y: int
    width: int
    height: int

    @staticmethod
    def from_corners(left: int, top: int, right: int, bottom: int) -> Box:
        """Return the box between two corners, empty if they are crossed."""
        return Box(left, top, max(0, right - left), max(0, bottom - top))

    @staticmethod
    def of_extent(extent: Extent) -> Box:
        """Return the box of a whole image."""
        return Box(0, 0, *extent)

    @property
    def right(self) -> int:
        """The first column beyond the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below the box."""
        return self.y + self.height

    @property
    def extent(self) -> Extent:
        """Its size."""
        return Extent(self.width, self.height)

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.width <= 0 or self.height <= 0

    def contains(self, other: Box) -> bool:
        """Return whether `other` lies inside entirely; an empty box always does."""
        return other.is_empty or self.clamp(other) == other

    def union(self, other: Box) -> Box:
        """Return the smallest box around both; an empty one does not count."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Box.from_corners(
            min(self.x, other.x),
            min(self.y, other.y),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def clamp(self, other: Box) -> Box:
        """Return the part of `other` inside this box; empty if there is none."""
        return Box.from_corners(
            max(self.x, other.x),
            max(self.y, other.y),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def grow(self, margin: int) -> Box:
        """Return the box larger by `margin` px on every side (smaller if negative)."""
        return Box.from_corners(
            self.x - margin, self.y - margin, self.right + margin, self.bottom + margin
        )

    def relative(self, origin: Box) -> Box:
        """Return the same box in coordinates whose origin is the top left corner of `origin`."""
        return Box(self.x - origin.x, self.y - origin.y, self.width, self.height)

    def moved_into(self, canvas: Box) -> Box:
        """Return it shifted so that as much as possible lies on `canvas`, then cut to it."""
        x = max(canvas.x, min(self.x, canvas.right - self.width))
        y = max(canvas.y, min(self.y, canvas.bottom - self.height))
        return canvas.clamp(Box(x, y, self.width, self.height))

    def strips(self, rows: int) -> Iterator[Box]:
        """Yield this box from top to bottom in pieces of at most `rows` rows."""
        for y in range(self.y, self.bottom, rows):
            yield Box(self.x, y, self.width, min(rows, self.bottom - y))


def union_of(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around all of them; an empty box for none."""
    result = Box(0, 0, 0, 0)
    for box in boxes:
        result = result.union(box)
    return result


class Frame(NamedTuple):
    """The square, possibly rotated, that the model sees, in document pixels.

    `angle` is in degrees; the model's x axis points along (cos a, -sin a) in the document.
    """

    cx: float
    cy: float
    side: float
    angle: float = 0.0

    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Return top left, top right, bottom right, bottom left, as the model sees them."""
        c, s = cos(radians(self.angle)), sin(radians(self.angle))
        half = self.side / 2

        def at(u: float, v: float) -> Point:
            return Point(self.cx + half * (u * c + v * s), self.cy + half * (v * c - u * s))

        return at(-1, -1), at(1, -1), at(1, 1), at(-1, 1)


def largest_side(
    pixel_bytes: int, max_side: int = MAX_SIDE, max_bytes: int = MAX_IMAGE_BYTES
) -> int:
    """Return the longest side of a square crop that the daemon accepts, px."""
    return min(max_side, isqrt(max_bytes // pixel_bytes))


def crop_for_hole(
    hole: Box,
    canvas: Box,
    pixel_bytes: int = 4,
    max_side: int = MAX_SIDE,
    max_bytes: int = MAX_IMAGE_BYTES,
) -> Box:
    """Return the part of the document to send for a hole: enough for the model's context, no more.

    The whole canvas when it is at most 2048 px; else a square around the hole of 4 times its
    larger side, at least 1024 px, moved inside the canvas and cut to it.

    Args:
        hole: the box of the selection, document px; what lies beyond the canvas is ignored.
        canvas: the document, usually `Box.of_extent(extent)`.
        pixel_bytes: bytes of one pixel of the crop as it will be sent.
        max_side: the daemon's limit, px (`DaemonInfo.limits`).
        max_bytes: the daemon's limit of an image (`DaemonInfo.limits`).

    Raises:
        InputError: the hole is empty, lies outside the canvas, or is too large for one crop.
    """
    hole = canvas.clamp(hole)
    if hole.is_empty:
        raise InputError(
            Sentence("The selection is empty or lies outside the canvas."),
            Sentence("Select the region to fill."),
        )
    limit = largest_side(pixel_bytes, max_side, max_bytes)
    if hole.extent.longest > limit:
        raise InputError(
            Sentence(
                "The selection is {width} x {height} px, and at most {limit} x {limit} px "
                "can be filled at once in this document.",
                width=hole.width,
                height=hole.height,
                limit=limit,
            ),
            Sentence("Fill it in smaller parts."),
        )
    if canvas.extent.longest <= min(WHOLE_CANVAS_SIDE, limit):
        return canvas
    side = min(max(CROP_GROWTH * hole.extent.longest, CROP_MIN_SIDE), limit)
    x = hole.x + (hole.width - side) // 2
    y = hole.y + (hole.height - side) // 2
    return Box(x, y, side, side).moved_into(canvas)


class Parts(NamedTuple):
    """Which parts of a document travel for a hole."""

    crop: Box  # at full resolution
    context: Box | None = None  # reduced; None: the crop shows all that is needed
    step: int = 1  # document px a side for one px of the context

    def shows(self, canvas: Box) -> bool:
        """Whether the whole document is among them, but for a last part of a step."""
        seen = self.context or self.crop
        return seen.grow(self.step - 1).contains(canvas)


def parts_for_hole(
    hole: Box,
    canvas: Box,
    pixel_bytes: int = 4,
    max_side: int = MAX_SIDE,
    max_bytes: int = MAX_IMAGE_BYTES,
    max_context_side: int = 0,
) -> Parts:
    """Return what to send for a hole: the crop of `crop_for_hole`, or of a large one less.

    The model sees a few hundred pixels of a large crop, and a fill is fitted to the known pixels
    right beside the hole. So what is near travels at full resolution and the rest reduced.

    Args:
        hole: as for `crop_for_hole`, like the next four.
        canvas: the document.
        pixel_bytes: of one pixel of the crop as it will be sent.
        max_side: the daemon's limit, px.
        max_bytes: the daemon's limit of an image.
        max_context_side: the daemon's limit of a context, px; 0 = it does not know of any.

    Raises:
        InputError: as `crop_for_hole`.
    """
    wide = crop_for_hole(hole, canvas, pixel_bytes, max_side, max_bytes)
    if not max_context_side or wide.extent.area * pixel_bytes <= WHOLE_CROP_BYTES:
        return Parts(wide)
    near = near_hole(canvas.clamp(hole), wide)
    step = reducing_step(wide.extent, min(CONTEXT_SIDE, max_context_side))
    width, height = wide.width // step * step, wide.height // step * step
    return Parts(near, wide._replace(width=width, height=height), step)


def near_hole(hole: Box, canvas: Box) -> Box:
    """Return the hole's box with the known pixels around it that a fill is fitted to."""
    return canvas.clamp(hole.grow(max(NEAR_PX, hole.extent.longest // 8)))


def overview_step(document: Extent) -> int:
    """Return how many document px a side an overview has one pixel for."""
    return reducing_step(document, OVERVIEW_SIDE)


def reducing_step(extent: Extent, longest: int) -> int:
    """Return the smallest whole number that divides an extent to at most `longest` px a side."""
    return -(-extent.longest // longest)
