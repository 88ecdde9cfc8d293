"""Selections: Krita's own and those stored with past runs."""

from __future__ import annotations

from typing import Protocol

from inpaint_client.geometry import Box
from inpaint_client.pixels import crop, paste


class Selection(Protocol):
    """The part of Krita's Selection used here; vector selections support it too."""

    def x(self) -> int: ...
    def y(self) -> int: ...
    def width(self) -> int: ...
    def height(self) -> int: ...
    def pixelData(self, x: int, y: int, width: int, height: int) -> bytes: ...


def box_of(selection: Selection) -> Box:
    return Box(selection.x(), selection.y(), selection.width(), selection.height())


def reduced(selection: Selection, canvas: Box, step: int) -> tuple[Box, bytes]:
    """Return the coverage of every `step`th pixel of a canvas, and its box in such steps."""
    box = canvas.clamp(box_of(selection))
    columns, rows = (
        range(-(-first // step) * step, end, step)
        for first, end in ((box.x, box.right), (box.y, box.bottom))
    )
    if not columns or not rows:
        return Box(0, 0, 0, 0), b""
    width = box.right - columns.start
    coverage = b"".join(selection.pixelData(columns.start, y, width, 1)[::step] for y in rows)
    return Box(columns.start // step, rows.start // step, len(columns), len(rows)), coverage


class KeptSelection:
    """The coverage of a past run, with the interface of a selection."""

    def __init__(self, box: Box, coverage: bytes) -> None:
        self._box = box
        self._coverage = coverage

    def x(self) -> int:
        return self._box.x

    def y(self) -> int:
        return self._box.y

    def width(self) -> int:
        return self._box.width

    def height(self) -> int:
        return self._box.height

    def pixelData(self, x: int, y: int, width: int, height: int) -> bytes:
        wanted = Box(x, y, width, height)
        common = self._box.clamp(wanted)
        result = bytearray(wanted.extent.area)
        if not common.is_empty:
            data = crop(self._coverage, self._box.extent, common.relative(self._box))
            paste(result, wanted.extent, data, common.relative(wanted))
        return bytes(result)
