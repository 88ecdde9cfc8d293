"""Boxes, frames, and the parts of a document that are sent.

Coordinates are continuous document pixels. The origin is the top left corner of the top left pixel,
x points right and y points down. Boxes are in whole pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import cos, isqrt, radians, sin
from typing import NamedTuple

from .errors import InputError
from .sentence import Sentence

CROP_GROWTH = 4  # side of a crop, as a multiple of the larger side of the hole's box
CROP_MIN_SIDE = 1024  # smallest side of a crop, px
WHOLE_CANVAS_SIDE = 2048  # a canvas up to this size is sent entirely, px
OVERVIEW_SIDE = 512  # longest side of an overview, px
WHOLE_CROP_BYTES = 16 << 20  # of larger crops, only the area near the hole is sent in full
CONTEXT_SIDE = 1024  # longest side of the reduced image of the remaining area, px
NEAR_PX = 64  # margin around a hole; the daemon uses at most this much to match the surroundings
MIXED_SIDE = 1024  # longest side of an image for style mixing, px
MAX_SIDE = 8192  # the daemon's default limits; Info returns the actual ones
MAX_IMAGE_BYTES = 512 << 20


class Point(NamedTuple):
    """Position in the document, px."""

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
        """Number of pixels."""
        return self.width * self.height


class Box(NamedTuple):
    """A rectangle of whole pixels; right and bottom are exclusive. Empty if a side is 0."""

    x: int
    y: int
    width: int
    height: int

    @staticmethod
    def from_corners(left: int, top: int, right: int, bottom: int) -> Box:
        """Return the box between two corners; empty if they are reversed."""
        return Box(left, top, max(0, right - left), max(0, bottom - top))

    @staticmethod
    def of_extent(extent: Extent) -> Box:
        """Return the box of a whole image."""
        return Box(0, 0, *extent)

    @property
    def right(self) -> int:
        """The first column to the right of the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """The first row below the box."""
        return self.y + self.height

    @property
    def extent(self) -> Extent:
        """The size of the box."""
        return Extent(self.width, self.height)

    @property
    def is_empty(self) -> bool:
        """Whether the box contains no pixel."""
        return self.width <= 0 or self.height <= 0

    def contains(self, other: Box) -> bool:
        """Return whether `other` lies entirely inside; an empty box always does."""
        return other.is_empty or self.clamp(other) == other

    def union(self, other: Box) -> Box:
        """Return the smallest box around both; an empty box is ignored."""
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
        """Return the box grown by `margin` px on every side (shrunk if negative)."""
        return Box.from_corners(
            self.x - margin, self.y - margin, self.right + margin, self.bottom + margin
        )

    def relative(self, origin: Box) -> Box:
        """Return the same box in coordinates whose origin is the top left corner of `origin`."""
        return Box(self.x - origin.x, self.y - origin.y, self.width, self.height)

    def moved_into(self, canvas: Box) -> Box:
        """Return the box shifted as far as possible into `canvas`, then clipped to it."""
        x = max(canvas.x, min(self.x, canvas.right - self.width))
        y = max(canvas.y, min(self.y, canvas.bottom - self.height))
        return canvas.clamp(Box(x, y, self.width, self.height))

    def strips(self, rows: int) -> Iterator[Box]:
        """Yield this box from top to bottom in strips of at most `rows` rows."""
        for y in range(self.y, self.bottom, rows):
            yield Box(self.x, y, self.width, min(rows, self.bottom - y))


def union_of(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around all boxes; an empty box if there are none."""
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
        """Return the corners clockwise as the model sees them, starting at the top left."""
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
    """Return the part of the document to send for a hole: just enough for the model's context.

    It is the entire canvas if that is at most 2048 px. Otherwise it is a square around the hole,
    4 times its larger side but at least 1024 px, moved inside the canvas and clipped to it.

    Args:
        hole: the box of the selection, document px; the part outside the canvas is ignored.
        canvas: the document, usually `Box.of_extent(extent)`.
        pixel_bytes: bytes of one pixel of the crop as it will be sent.
        max_side: the daemon's limit of a side, px (`DaemonInfo.limits`).
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
                "The selection is {width} x {height} px, but at most {limit} x {limit} "
                "px of this document can be filled at once.",
                width=hole.width,
                height=hole.height,
                limit=limit,
            ),
            Sentence("Fill it in several smaller parts."),
        )
    if canvas.extent.longest <= min(WHOLE_CANVAS_SIDE, limit):
        return canvas
    side = min(max(CROP_GROWTH * hole.extent.longest, CROP_MIN_SIDE), limit)
    x = hole.x + (hole.width - side) // 2
    y = hole.y + (hole.height - side) // 2
    return Box(x, y, side, side).moved_into(canvas)


class Parts(NamedTuple):
    """The parts of a document that are sent for a hole."""

    crop: Box  # at full resolution
    context: Box | None = None  # at reduced size; None = the crop is sufficient
    step: int = 1  # document px per context px, along each side

    def shows(self, canvas: Box) -> bool:
        """Return whether they show the entire document, up to an incomplete last step."""
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
    """Return the parts of the document to send for a hole.

    A crop of moderate size is sent in full, as returned by `crop_for_hole`. The model sees a large
    crop at only a few hundred pixels, and a fill is matched to the known pixels next to the hole.
    So only the area near the hole is sent at full resolution, and the rest at reduced size.

    Args:
        hole: as for `crop_for_hole`, like the next four.
        canvas: the document.
        pixel_bytes: bytes of one pixel of the crop as it will be sent.
        max_side: the daemon's limit of a side, px.
        max_bytes: the daemon's limit of an image.
        max_context_side: the daemon's limit of a context, px; 0 = the daemon ignores contexts.

    Raises:
        InputError: as for `crop_for_hole`.
    """
    wide = crop_for_hole(hole, canvas, pixel_bytes, max_side, max_bytes)
    if not max_context_side or wide.extent.area * pixel_bytes <= WHOLE_CROP_BYTES:
        return Parts(wide)
    near = near_hole(canvas.clamp(hole), wide)
    step = reducing_step(wide.extent, min(CONTEXT_SIDE, max_context_side))
    width, height = wide.width // step * step, wide.height // step * step
    return Parts(near, wide._replace(width=width, height=height), step)


def near_hole(hole: Box, canvas: Box) -> Box:
    """Return the hole's box with the known pixels around it that a fill is matched to."""
    return canvas.clamp(hole.grow(max(NEAR_PX, hole.extent.longest // 8)))


def overview_step(document: Extent) -> int:
    """Return the number of document px per overview px, along each side."""
    return reducing_step(document, OVERVIEW_SIDE)


def reducing_step(extent: Extent, longest: int) -> int:
    """Return the smallest whole step that reduces an extent to at most `longest` px a side."""
    return -(-extent.longest // longest)
