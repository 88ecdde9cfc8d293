"""The outline of a coverage, as a few rectangles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from inpaint_client.geometry import Box

CELLS = 160  # along the longest side of the document
_SELECTED = re.compile(rb"[\x80-\xff]+")  # at least half


def rectangles(bands: Iterable[tuple[Box, bytes]], cell: int) -> Iterator[Box]:
    """Yield rectangles of cells that approximate what is at least half selected.

    Args:
        bands: coverage in bands as wide as the document, from top to bottom.
        cell: side of a cell, px.
    """
    growing: dict[tuple[int, int], int] = {}  # x and width of each rectangle -> its top
    bottom = 0
    for box, coverage in bands:
        for y in range(-(-box.y // cell) * cell, box.bottom, cell):
            start = (y - box.y) * box.width
            row = coverage[start : start + box.width : cell]
            runs = {
                (found.start() * cell, (found.end() - found.start()) * cell)
                for found in _SELECTED.finditer(row)
            }
            for x, width in growing.keys() - runs:
                top = growing.pop((x, width))
                yield Box(x, top, width, y - top)
            growing |= dict.fromkeys(runs - growing.keys(), y)
            bottom = y + cell
    for (x, width), top in growing.items():
        yield Box(x, top, width, bottom - top)
