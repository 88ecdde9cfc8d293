"""Frames, boxes, and the affine matrices between document and model.

Coordinates are continuous: the origin is the top left corner of the top left pixel, and pixel
centers lie at + 0.5. A frame's angle turns the model's x axis to (cos a, -sin a) in the document:
counterclockwise on the screen, where y points down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from inpaint_model.document.arrays import Coordinates, Float64Array, Matrix, Points


class Frame(NamedTuple):
    """The rotated square that the model sees. Document px; degrees."""

    cx: float
    cy: float
    side: float
    angle: float = 0.0


class Box(NamedTuple):
    """A rectangle in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column after the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.y + self.height

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def grown(self, margin: int) -> Box:
        """Add `margin` px on every side."""
        return Box(self.x - margin, self.y - margin, self.width + 2 * margin,
                   self.height + 2 * margin)  # fmt: skip

    def moved(self, x: int, y: int) -> Box:
        """Move the box right and down."""
        return Box(self.x + x, self.y + y, self.width, self.height)

    def clipped(self, width: int, height: int) -> Box:
        """Return the part inside an image; it may be empty."""
        left, right = (min(max(v, 0), width) for v in (self.x, self.right))
        top, bottom = (min(max(v, 0), height) for v in (self.y, self.bottom))
        return Box(left, top, right - left, bottom - top)

    def intersection(self, other: Box) -> Box:
        """Return the part inside another box; it may be empty."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        right = max(left, min(self.right, other.right))
        return Box(left, top, right - left, max(top, min(self.bottom, other.bottom)) - top)

    def cut(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a view of the box in an image [H, W, ...], which must contain it."""
        return image[self.y : self.bottom, self.x : self.right]


def document_from_model(frame: Frame, resolution: int) -> Matrix:
    """Return the matrix from model px (0..resolution) to document px."""
    scale = frame.side / resolution
    turn = math.radians(frame.angle)
    across, down = scale * math.cos(turn), scale * math.sin(turn)
    half = resolution / 2
    return np.array(
        [
            [across, down, frame.cx - half * (across + down)],
            [-down, across, frame.cy - half * (across - down)],
        ]
    )


def model_from_document(frame: Frame, resolution: int) -> Matrix:
    """Return the inverse of `document_from_model`."""
    return inverse(document_from_model(frame, resolution))


def unit_from_document(frame: Frame) -> Matrix:
    """Return the matrix from document px to 0..1 inside the frame."""
    return model_from_document(frame, 1)


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse map."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.hstack([linear, -linear @ matrix[:, 2:]])


def compose(outer: Matrix, inner: Matrix) -> Matrix:
    """Return the map that applies `inner` first, then `outer`."""
    linear = outer[:, :2] @ inner
    linear[:, 2] += outer[:, 2]
    return linear


def scaling(x: float, y: float) -> Matrix:
    """Return the map that scales x and y."""
    return np.array([[x, 0.0, 0.0], [0.0, y, 0.0]])


def translation(x: float, y: float) -> Matrix:
    """Return the map that adds (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


def transform_points(matrix: Matrix, points: npt.ArrayLike) -> Points:
    """Transform points [..., 2]."""
    x, y = np.moveaxis(np.asarray(points, np.float64), -1, 0)
    return np.stack(transform_xy(matrix, x, y), axis=-1)


def transform_xy(matrix: Matrix, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Transform coordinates, whose shapes must broadcast.

    A matrix product would wake numpy's threads, which busy-wait (docs/research/performance.md).
    """
    across, down = (row[0] * x + (row[1] * y + row[2]) for row in matrix)
    return across, down


def bounding_box(points: Points) -> Box:
    """Return the smallest box around points [N, 2]."""
    left, top = np.floor(points.min(axis=0)).astype(int)
    right, bottom = np.ceil(points.max(axis=0)).astype(int)
    return Box(int(left), int(top), int(right - left), int(bottom - top))


def contains(frame: Frame, box: Box) -> bool:
    """Return whether a box lies entirely inside."""
    ends = [(x, y) for x in (box.x, box.right) for y in (box.y, box.bottom)]
    seen = transform_points(unit_from_document(frame), ends)
    return bool((seen > -1e-6).all() and (seen < 1 + 1e-6).all())


def scale_to_contain(frame: Frame, box: Box) -> float:
    """Return the factor of the side, 1 or more, at which a frame contains a box."""
    ends = [(x, y) for x in (box.x, box.right) for y in (box.y, box.bottom)]
    seen = transform_points(unit_from_document(frame), ends)
    return max(1.0, float(2 * np.abs(seen - 0.5).max()))


def overlap_fraction(frame: Frame, box: Box) -> float:
    """Return the fraction of a box inside a frame, 0..1 (sampled at 64 points)."""
    steps = (np.arange(8) + 0.5) / 8
    x, y = np.meshgrid(box.x + box.width * steps, box.y + box.height * steps)
    return float(overlap_fractions(frame, [np.stack([x, y], axis=-1).reshape(-1, 2)])[0])


def overlap_fractions(frame: Frame, parts: Sequence[Points]) -> Float64Array:
    """Return the fraction of each part's points [N, 2] inside a frame, 0..1."""
    seen = transform_points(unit_from_document(frame), np.concatenate(parts))
    inside = ((seen > 0) & (seen < 1)).all(axis=-1).astype(np.float64)
    counts = np.array([len(points) for points in parts])
    return np.asarray(np.add.reduceat(inside, np.cumsum(counts) - counts) / counts)


def union(boxes: Sequence[Box]) -> Box:
    """Return the smallest box around one or more boxes."""
    left, top = min(b.x for b in boxes), min(b.y for b in boxes)
    right, bottom = max(b.right for b in boxes), max(b.bottom for b in boxes)
    return Box(left, top, right - left, bottom - top)


def box_frame(
    hole: Box, width: int, height: int, resolution: int = 0, context: float = 2.0
) -> Frame:
    """Return the upright square around a hole, moved inside the document.

    Its side is `context` times the hole's larger side, or the model's `resolution` if larger, since
    enlarging the document gains nothing; at most the document's smaller side, but at least the
    hole's larger side, where it can extend beyond the document.
    """
    larger = max(hole.width, hole.height)
    wanted = max(round(context * larger), resolution)
    side = float(max(min(wanted, width, height), larger))
    cx = _moved_inside(hole.x + hole.width / 2, side, width)
    cy = _moved_inside(hole.y + hole.height / 2, side, height)
    return Frame(cx, cy, side)


def _moved_inside(center: float, side: float, length: int) -> float:
    if side >= length:
        return length / 2
    return min(max(center, side / 2), length - side / 2)


Mode = Literal["auto", "box", "explicit"]  # how a frame was found
FrameChoice = Literal["auto", "box"] | Frame  # how to find a frame, or an explicit one
