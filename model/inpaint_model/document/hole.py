"""Holes: the regions of a document to fill, where the coverage is above 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inpaint_model.document import geometry
from inpaint_model.document.arrays import BoolMask, Coordinates, MaskU8, Matrix, Points, covered
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.grouping import Choice, Part, are_scratches, grouped

MAX_PARTS = 1000

_POINTS = 64  # sample points of a part

_ROWS_AT_ONCE = 512  # bounds the memory of coordinates


@dataclass(frozen=True, eq=False)
class Hole:
    """Coverage and position of a hole."""

    coverage: MaskU8  # [H, W]
    origin: tuple[int, int] = (0, 0)  # top left corner in the document, px

    @property
    def mask(self) -> BoolMask:
        """Bool [H, W]; not cached, to save memory."""
        return covered(self.coverage)

    @property
    def box(self) -> Box:
        """The rectangle of the coverage, document px."""
        height, width = self.coverage.shape
        return Box(*self.origin, width, height)

    @cached_property
    def bounds(self) -> Box | None:
        """The smallest box around the hole, document px; None if empty."""
        box = _bounds(self.mask)
        return None if box is None else box.moved(*self.origin)

    def cut(self, box: Box) -> Hole:
        """Return the part in a box inside `self.box`; its coverage is a view."""
        x, y = self.origin
        return Hole(box.moved(-x, -y).cut(self.coverage), (box.x, box.y))

    def is_thin(self, px: int) -> bool:
        """Return whether no square larger than `px` px fits into the hole."""
        return not _wide(self.mask, px).any()

    def inside(self, frame: Frame) -> Hole | None:
        """Return the part inside a frame, cut to its bounds; None if empty."""
        if self.bounds is None:
            return None
        part = self.cut(self.bounds)._only(inside_frame(frame, self.bounds))
        return None if part.bounds is None else part.cut(part.bounds)

    def reduced(self, image: DocumentImage) -> Hole:
        """Return the hole in a reduced image: all pixels that would show its old content."""
        height, width = image.pixels.shape[:2]
        coverage = np.zeros((height, width), np.uint8)
        if self.bounds is None:
            return Hole(coverage)
        x, y = self.bounds.x - image.origin[0], self.bounds.y - image.origin[1]
        columns = np.floor((x + 0.5 + np.arange(self.bounds.width)) * image.scale[0])
        rows = np.floor((y + 0.5 + np.arange(self.bounds.height)) * image.scale[1])
        across, down = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
        mask = self.cut(self.bounds).mask[down][:, across]
        if not mask.size:
            return Hole(coverage)
        columns, left = np.unique(columns[across], return_index=True)
        rows, top = np.unique(rows[down], return_index=True)
        some = np.logical_or.reduceat(np.logical_or.reduceat(mask, top, axis=0), left, axis=1)
        coverage[np.ix_(rows.astype(np.intp), columns.astype(np.intp))] = some * np.uint8(255)
        return Hole(coverage)

    def without(self, part: Hole) -> Hole:
        """Return the hole without a part, whose box lies inside `self.box`."""
        left = Hole(self.coverage.copy(), self.origin)
        left.cut(part.box).coverage[part.mask] = 0
        return left

    def groups(
        self,
        choose: Callable[[Box], Choice],
        are_together: Callable[[Sequence[Part]], bool] = are_scratches,
        thin: int = 0,
    ) -> list[tuple[Hole, Choice]]:
        """Return groups of connected parts, cut to their bounds, with their frames.

        `grouping.grouped` divides them; `thin` is the largest width of a hairline, px.

        Raises:
            ValueError: There are more than 32 groups.
        """
        found = components(self.mask)
        places = zip(found.boxes, found.points(), found.are_thin(thin), strict=True)
        parts = [
            Part(box.moved(*self.origin), points + np.array(self.origin), is_thin)
            for box, points, is_thin in places
        ]
        groups = []
        for numbers, choice in grouped(parts, choose, are_together):
            box, mask = found.united(numbers)
            groups.append((self.cut(box.moved(*self.origin))._only(mask), choice))
        return groups

    def _only(self, mask: BoolMask) -> Hole:
        return Hole(np.where(mask, self.coverage, np.uint8(0)), self.origin)


class Components(NamedTuple):
    """The connected parts of a mask."""

    bounds: Box
    """Box around all parts."""
    labels: npt.NDArray[np.signedinteger[Any]]
    """Labels [H, W] within `bounds`: the number of the part, from 1; 0 where the mask is False."""
    boxes: list[Box]
    """Boxes of parts 1, 2, ..."""

    def united(self, numbers: Sequence[int]) -> tuple[Box, BoolMask]:
        """Return the box around some parts and their mask in it."""
        box = geometry.union([self.boxes[k - 1] for k in numbers])
        labels = box.moved(-self.bounds.x, -self.bounds.y).cut(self.labels)
        return box, labels == numbers[0] if len(numbers) == 1 else np.isin(labels, numbers)

    def points(self) -> list[Points]:
        """Return up to 64 evenly spread pixel centers of each part."""
        width = self.labels.shape[1]
        sizes = np.zeros(len(self.boxes) + 1, np.intp)
        for _, numbers in self._some_rows():
            sizes += np.bincount(numbers, minlength=len(sizes))
        counts = np.minimum(sizes, _POINTS)
        wanted = [
            (np.arange(count) * 2 + 1) * size // (2 * max(count, 1))
            for count, size in zip(counts.tolist(), sizes.tolist(), strict=True)
        ]
        found: list[list[npt.NDArray[np.intp]]] = [[] for _ in wanted]
        before = np.zeros_like(sizes)
        for first, labels in self._some_rows():
            places = np.flatnonzero(labels)
            numbers = labels[places]
            # Stable, to keep a part's pixels in order; fast for 16 bits.
            places = places[np.argsort(numbers.astype(np.uint16), kind="stable")] + first * width
            here = np.bincount(numbers, minlength=len(sizes))
            starts = np.cumsum(here) - here
            for k in np.flatnonzero(here).tolist():
                ranks = wanted[k] - before[k]
                ranks = ranks[(ranks >= 0) & (ranks < here[k])]
                found[k].append(places[starts[k] + ranks])
            before += here
        corner = np.array([self.bounds.x, self.bounds.y]) + 0.5
        ordered = (np.divmod(np.concatenate(places), width) for places in found[1:])
        return [np.stack([x, y], axis=-1) + corner for y, x in ordered]

    def are_thin(self, px: int) -> list[bool]:
        """Return for each part what `Hole.is_thin` returns."""
        result = np.ones(len(self.boxes) + 1, np.bool_)
        wide = _wide(self.labels > 0, px)
        for first, numbers in self._some_rows():
            result[numbers[wide[first : first + _ROWS_AT_ONCE].ravel()]] = False
        thin: list[bool] = result[1:].tolist()
        return thin

    def _some_rows(self) -> Iterator[tuple[int, npt.NDArray[np.signedinteger[Any]]]]:
        for first in range(0, len(self.labels), _ROWS_AT_ONCE):
            yield first, self.labels[first : first + _ROWS_AT_ONCE].ravel()


def components(mask: BoolMask) -> Components:
    """Return the connected parts of a mask; pixels that touch at a corner are connected.

    A color range of a noisy image can have millions. Above a thousand, nearby parts are merged.
    """
    box = _bounds(mask)
    if box is None:
        return Components(Box(0, 0, 0, 0), np.zeros((0, 0), np.int32), [])
    part = box.cut(mask)
    labels, count = _labeled(part)
    reach = 1
    while count > MAX_PARTS:
        reach *= 2
        near = ndimage.maximum_filter(part, 2 * reach + 1)
        labels, count = _labeled(near)
    if reach > 1:
        labels *= part
    slices = ndimage.find_objects(labels)
    boxes = [Box(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in slices]
    return Components(box, labels, [each.moved(box.x, box.y) for each in boxes])


def _labeled(mask: BoolMask) -> tuple[npt.NDArray[np.signedinteger[Any]], int]:
    labels, count = ndimage.label(mask, structure=np.ones((3, 3), np.int8))
    return labels, int(count)


def _wide(mask: BoolMask, px: int) -> BoolMask:
    """Return the centers of squares wider than `px` px that fit into a mask, bool [H, W]."""
    if px < 1:
        return mask
    wide = ndimage.minimum_filter(mask.view(np.uint8), px + 1, mode="constant", cval=0)
    return np.asarray(wide, np.uint8).view(np.bool_)


def _bounds(mask: BoolMask) -> Box | None:
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    x, y = int(columns[0]), int(rows[0])
    return Box(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def seen_by_model(mask: BoolMask, image_from_model: Matrix, resolution: int) -> BoolMask:
    """Return a mask at model resolution, bool [resolution, resolution].

    A model pixel is True if it contains the center of a True pixel or its own center lies in one,
    so that at every scale all of a hole is in the model's.
    """
    seen = np.zeros((resolution, resolution), np.bool_)
    model_from_image = geometry.inverse(image_from_model)
    for top in range(0, mask.shape[0], _ROWS_AT_ONCE):
        y, x = np.nonzero(mask[top : top + _ROWS_AT_ONCE])
        centers = geometry.transform_xy(model_from_image, x + 0.5, y + (top + 0.5))
        column, row, inside = _pixels_at(centers, seen.shape)
        seen[row[inside], column[inside]] = True
    column, row, inside = _pixels_at(_centers(seen.shape, image_from_model), mask.shape)
    seen[inside] |= mask[row[inside], column[inside]]
    return seen


def reached_by_image(shape: tuple[int, ...], image_from_model: Matrix, resolution: int) -> BoolMask:
    """Return which model pixels have their center in an image, bool [resolution, resolution]."""
    _, _, inside = _pixels_at(_centers((resolution, resolution), image_from_model), shape)
    return inside


def inside_frame(frame: Frame, box: Box) -> BoolMask:
    """Return which pixels of a box have their center in a frame, bool [H, W]."""
    shape = box.height, box.width
    if geometry.contains(frame, box):
        return np.ones(shape, np.bool_)
    to_frame = geometry.compose(
        geometry.unit_from_document(frame), geometry.translation(box.x, box.y)
    )
    inside = np.empty(shape, np.bool_)
    x, y = np.arange(box.width) + 0.5, np.arange(box.height)[:, None] + 0.5
    for top in range(0, box.height, _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        inside[rows] = _pixels_at(geometry.transform_xy(to_frame, x, y[rows]), (1, 1))[2]
    return inside


def _centers(shape: tuple[int, ...], matrix: Matrix) -> tuple[Coordinates, Coordinates]:
    return geometry.transform_xy(
        matrix, np.arange(shape[1]) + 0.5, np.arange(shape[0])[:, None] + 0.5
    )


def _pixels_at(
    points: tuple[Coordinates, Coordinates], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], BoolMask]:
    column, row = (np.floor(values).astype(np.intp) for values in points)
    inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    return column, row, inside
