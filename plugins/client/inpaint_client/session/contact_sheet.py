"""The contact sheet of a run: one image to judge its candidates by, without an editor.

It shows the image around the selection before the fill, and then every candidate with a caption.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..geometry import Box, Extent
from ..sentence import Sentence
from . import layer_names
from .history import Result

CELL = 512  # px: the longer side of a cell's image; less if the document has fewer
TEXT = 22  # px: height of the captions' font
BACKGROUND = (96, 96, 96)  # neutral, and dark enough for light text
INK = (245, 245, 245)
CONTEXT = 2.2  # the longer side of what is shown, relative to that of the selection
_MARGIN = 36
_GAP = 24
_CAPTION_GAP = 8  # between an image and its caption
_LEAST_COLUMN = 260  # px: room for a seed of ten digits
_ASPECT = 1.5  # of the sheet, as screens and prints are


class Caption(NamedTuple):
    """The words below a cell."""

    title: Sentence
    is_starred: bool = False
    changes: tuple[str, ...] = ()  # edits and mixing, in the editor's language

    def lines(self, title: str, fits: Callable[[str], bool]) -> list[str]:
        """Return the lines: the translated title, then the changes, as many in a line as fit."""
        lines = [f"★ {title}" if self.is_starred else title]
        for number, change in enumerate(self.changes):
            longer = f"{lines[-1]}, {change}"
            if number and fits(longer):
                lines[-1] = longer
            else:
                lines.append(change)
        return lines


class Place(NamedTuple):
    """The boxes of a cell in the sheet."""

    image: Box
    caption: Box


class Layout(NamedTuple):
    """The size of a sheet and the places of its cells, in reading order."""

    extent: Extent
    places: tuple[Place, ...]


def before() -> Caption:
    """Return the caption of the first cell, which shows the image without the fill."""
    return Caption(Sentence("Before"))


def caption(
    number: int,
    seed: int,
    *,
    is_smooth: bool = False,
    copy: int = 0,
    is_starred: bool = False,
    changes: Sequence[str] = (),
) -> Caption:
    """Return the caption of a candidate; its title is the first part of its layer's name.

    Args:
        number: position of the candidate in its run, from 1.
        seed: the candidate's seed.
        is_smooth: whether it was made without the model, and so has no seed.
        copy: 0 = the candidate itself, 1 = its first copy, ...
        is_starred: whether the artist has starred it.
        changes: the edits and the mixing, in the editor's language.
    """
    title = (
        layer_names.smooth(number, copy)
        if is_smooth
        else layer_names.candidate(number, seed, copy=copy)
    )
    return Caption(title, is_starred, tuple(changes))


def captions_of(
    results: Sequence[Result], describe: Callable[[Result], Sequence[str]]
) -> list[Caption]:
    """Return the captions of results; `describe` puts a result's changes into words."""
    return [
        caption(
            result.index + 1,
            result.seed,
            is_smooth=result.is_smooth,
            is_starred=result.starred,
            changes=describe(result),
        )
        for result in results
    ]


def area_around(hole: Box, canvas: Box) -> Box:
    """Return what the cells show: a square around the hole, moved into the canvas."""
    side = round(hole.extent.longest * CONTEXT)
    x, y = hole.x + (hole.width - side) // 2, hole.y + (hole.height - side) // 2
    return Box(x, y, side, side).moved_into(canvas)


def cell_extent(area: Extent) -> Extent:
    """Return the size of a cell's image: that of the document, but at most `CELL` px."""
    scale = min(1.0, CELL / area.longest)
    return Extent(max(1, round(area.width * scale)), max(1, round(area.height * scale)))


def column_width(image: Extent) -> int:
    """Return the width of a column, and so of a caption."""
    return max(image.width, _LEAST_COLUMN)


def arrange(image: Extent, caption_heights: Sequence[int]) -> Layout:
    """Arrange cells in rows, each as high as its highest caption requires.

    Args:
        image: the size of each cell's image.
        caption_heights: the height of each cell's caption; at least one.
    """
    count, width = len(caption_heights), column_width(image)

    def rows(columns: int) -> list[Sequence[int]]:
        return [caption_heights[start : start + columns] for start in range(0, count, columns)]

    def extent(columns: int) -> Extent:
        heights = [image.height + _CAPTION_GAP + max(row) for row in rows(columns)]
        return Extent(
            2 * _MARGIN + columns * (width + _GAP) - _GAP,
            2 * _MARGIN + sum(heights) + (len(heights) - 1) * _GAP,
        )

    def flaw(columns: int) -> float:
        """Return how far the sheet is from its aspect, and how much of a row stays empty."""
        size = extent(columns)
        return abs(math.log(size.width / size.height / _ASPECT)) + -count % columns / columns

    columns = min(range(1, count + 1), key=flaw)
    places, y = [], _MARGIN
    for row in rows(columns):
        below = y + image.height + _CAPTION_GAP
        for column in range(len(row)):
            x = _MARGIN + column * (width + _GAP)
            places.append(
                Place(
                    Box(x + (width - image.width) // 2, y, *image),
                    Box(x, below, width, max(row)),
                )
            )
        y = below + max(row) + _GAP
    return Layout(extent(columns), tuple(places))
