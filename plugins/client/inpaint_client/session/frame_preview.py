"""Preview of the frame of a fill, as far as it can be predicted without the daemon."""

from __future__ import annotations

from math import cos, radians, sin

from ..geometry import Box, Extent, Frame

CONTEXT = 2.0  # side of the square, as a multiple of the longer side of the selection
ROUNDING = 1e-6  # px


def square_around(hole: Box, document: Extent, resolution: int = 0) -> Frame:
    """Return the square that the daemon uses around a connected selection.

    Args:
        hole: the selection's box, document px.
        document: size of the document.
        resolution: the model's resolution, px; the square is at least this large, if it fits into
            the document.
    """
    longer = hole.extent.longest
    wanted = max(round(CONTEXT * longer), resolution)
    side = float(max(min(wanted, document.width, document.height), longer))
    return Frame(
        _inside(hole.x + hole.width / 2, side, document.width),
        _inside(hole.y + hole.height / 2, side, document.height),
        side,
    )


def leaves(hole: Box, frame: Frame) -> bool:
    """Return whether any part of a selection's box lies outside a frame."""
    angle = radians(frame.angle)
    reach = frame.side / 2 + ROUNDING
    for x, y in (
        (hole.x, hole.y),
        (hole.right, hole.y),
        (hole.x, hole.bottom),
        (hole.right, hole.bottom),
    ):
        dx, dy = x - frame.cx, y - frame.cy
        along = dx * cos(angle) - dy * sin(angle), dx * sin(angle) + dy * cos(angle)
        if max(map(abs, along)) > reach:
            return True
    return False


def _inside(center: float, side: float, length: int) -> float:
    """Return the center of a side moved inside `length`, or centered if the side is longer."""
    if side >= length:
        return length / 2
    return min(max(center, side / 2), length - side / 2)
