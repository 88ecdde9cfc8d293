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
