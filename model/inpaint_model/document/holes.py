"""Holes: their boxes, their groups, and how they look to the model.

A hole is where coverage > 0. 1 (255) is the hole and 0 is known, everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inpaint_model.document.arrays import BoolMask, Coordinates, Matrix
from inpaint_model.document.geometry import Box, inverse, through

MAX_PARTS = 1000

_ROWS_AT_ONCE = 512  # bounds the memory that the coordinates of a large hole take


def bounds(hole: BoolMask) -> Box | None:
    """Return the smallest box around the hole bool [H, W], or None without one."""
    rows = np.flatnonzero(hole.any(axis=1))
    columns = np.flatnonzero(hole.any(axis=0))
    if not rows.size:
        return None
    x, y = int(columns[0]), int(rows[0])
    return Box(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


class Components(NamedTuple):
    """The connected parts of a hole."""

    labels: npt.NDArray[np.signedinteger[Any]]
    """[H, W]: 0 where known, else the part's number, from 1."""
    boxes: list[Box]
    """The box of part 1, 2, ..."""

    def mask(self, numbers: Sequence[int]) -> BoolMask:
        """Return where the parts of these numbers lie, bool [H, W]."""
        return np.isin(self.labels, numbers)


def components(hole: BoolMask) -> Components:
    """Return the connected parts of the hole; pixels that touch at a corner are connected.

    A selection of specks (a colour range of a noisy picture) has millions of them. Where there are
    more than a thousand, parts near each other count as one: the nearest that suffice.
    """
    labels = np.zeros(hole.shape, np.int32)
    box = bounds(hole)
    if box is None:
        return Components(labels, [])
    part = box.cut(hole)
    found, count = _labelled(part)
    reach = 1
    while count > MAX_PARTS:
        reach *= 2
        near = ndimage.maximum_filter(part, 2 * reach + 1)
        found, count = _labelled(near)
    np.copyto(box.cut(labels), found, where=part)
    slices = ndimage.find_objects(labels)
    boxes = [Box(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in slices]
    return Components(labels, boxes)


def _labelled(hole: BoolMask) -> tuple[npt.NDArray[np.signedinteger[Any]], int]:
    labels, count = ndimage.label(hole, structure=np.ones((3, 3), np.int8))
    return labels, int(count)


def seen_by_model(hole: BoolMask, document_from_model: Matrix, resolution: int) -> BoolMask:
    """Return the hole at model resolution, bool [resolution, resolution], by maximum.

    A model pixel is in the hole if the centre of any covered document pixel falls into it, or if
    its own centre falls into one; so at every scale each covered document pixel is in the hole.

    Args:
        hole: bool [H, W], document pixels.
        document_from_model: from model px to the coordinates of `hole`.
        resolution: the model's side, px.
    """
    seen = np.zeros((resolution, resolution), np.bool_)
    model_from_document = inverse(document_from_model)
    for top in range(0, hole.shape[0], _ROWS_AT_ONCE):
        y, x = np.nonzero(hole[top : top + _ROWS_AT_ONCE])
        centres = through(model_from_document, x + 0.5, y + (top + 0.5))
        column, row, inside = _pixels_at(centres, seen.shape)
        seen[row[inside], column[inside]] = True
    column, row, inside = _pixels_at(_centres(seen.shape, document_from_model), hole.shape)
    seen[inside] |= hole[row[inside], column[inside]]
    return seen


def reached_by_picture(
    shape: tuple[int, ...], picture_from_model: Matrix, resolution: int
) -> BoolMask:
    """Return which model pixels have their centre inside a picture, bool [resolution, resolution].

    Args:
        shape: of the picture (rows, columns).
        picture_from_model: from model px to px of the picture.
        resolution: the model's side, px.
    """
    _, _, inside = _pixels_at(_centres((resolution, resolution), picture_from_model), shape)
    return inside


def inside_unit_square(shape: tuple[int, ...], unit_from_picture: Matrix) -> BoolMask:
    """Return which pixels of a picture have their centre in a unit square, bool [rows, columns].

    Args:
        shape: of the picture (rows, columns).
        unit_from_picture: from px of the picture to the square, which is 0..1 in x and y.
    """
    _, _, inside = _pixels_at(_centres(shape, unit_from_picture), (1, 1))
    return inside


def _centres(shape: tuple[int, ...], matrix: Matrix) -> tuple[Coordinates, Coordinates]:
    """Return x and y [rows, columns] of the centres of a picture's pixels, through a matrix."""
    return through(matrix, np.arange(shape[1]) + 0.5, np.arange(shape[0])[:, None] + 0.5)


def _pixels_at(
    points: tuple[Coordinates, Coordinates], shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], BoolMask]:
    """Columns and rows of the pixels that hold the points, and which of them exist."""
    column, row = (np.floor(values).astype(np.intp) for values in points)
    inside = (column >= 0) & (column < shape[1]) & (row >= 0) & (row < shape[0])
    return column, row, inside
