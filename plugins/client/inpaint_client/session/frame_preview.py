"""Preview of the frame of a fill, as far as it can be predicted without the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

from ..geometry import Box, Extent, Frame
from ..requests import FrameChoice, FrameMode
from ..sentence import Sentence

CONTEXT = 2.0  # side of the square, as a multiple of the longer side of the selection
ROUNDING = 1e-6  # px
LINE = 1.5  # px; width of the square's outline
OUTSIDE, INSIDE, OUTLINE = b"\0\0\0\x6e", b"\0\0\0\0", b"\xff\xff\xff\xff"  # RGBA


@dataclass(frozen=True)
class Expected:
    """What is known about the frame that a fill would use, and a description."""

    frame: Frame | None
    words: Sentence
    is_warning: bool = False


def expected(
    selection: Box | None, document: Extent, choice: FrameChoice, resolution: int
) -> Expected:
    """Return what is known about the frame before a fill.

    Args:
        selection: box of the selection; None if nothing is selected.
        document: size of the document.
        choice: how the frame will be chosen.
        resolution: of the model, px a side; 0 = unknown.
    """
    if selection is None or selection.is_empty:
        return Expected(None, Sentence("Nothing is selected."), is_warning=True)
    if isinstance(choice, Frame):
        if leaves(selection, choice):
            words = Sentence(
                "The selection extends beyond the frame. Only the part inside the frame is filled."
            )
            return Expected(choice, words, is_warning=True)
        return Expected(choice, Sentence("The model sees the frame shown here."))
    if choice is FrameMode.BOX:
        words = Sentence(
            "The model sees the square around the selection. Parts that are far apart get "
            "separate frames."
        )
        return Expected(square_around(selection, document, resolution), words)
    words = Sentence(
        "The daemon finds the frame during the fill, so it cannot be shown yet. If it "
        "finds no face, it uses the square around the selection."
    )
    return Expected(None, words)


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


def overlay(frame: Frame, document: Box, extent: Extent) -> bytes:
    """Return RGBA pixels that show a frame on a small image: its outline, and a shade outside.

    Args:
        frame: the frame, document px.
        document: the part of the document that the image shows.
        extent: size of the image.
    """
    x_scale, y_scale = extent.width / document.width, extent.height / document.height

    def corners(side: float) -> list[tuple[float, float]]:
        square = frame._replace(side=max(0.0, side)).corners()
        return [((x - document.x) * x_scale, (y - document.y) * y_scale) for x, y in square]

    outer = corners(frame.side)
    inner = corners(frame.side - 2 * LINE / min(x_scale, y_scale))
    rows = []
    for y in range(extent.height):
        left, right = _span(outer, y + 0.5, extent.width)
        start, end = _span(inner, y + 0.5, extent.width)
        if start >= end:
            start = end = right
        rows += [
            OUTSIDE * left,
            OUTLINE * (start - left),
            INSIDE * (end - start),
            OUTLINE * (right - end),
            OUTSIDE * (extent.width - right),
        ]
    return b"".join(rows)


def _span(corners: list[tuple[float, float]], y: float, width: int) -> tuple[int, int]:
    """Return the columns of a convex shape in a row: the first, and the one after the last."""
    crossings = [
        x0 + (x1 - x0) * (y - y0) / (y1 - y0)
        for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True)
        if min(y0, y1) <= y < max(y0, y1)
    ]
    if not crossings:
        return width, width
    return _column(min(crossings), width), _column(max(crossings), width)


def _column(x: float, width: int) -> int:
    return round(min(max(x, 0.0), width))


def _inside(center: float, side: float, length: int) -> float:
    """Return the center of a side moved inside `length`, or centered if the side is longer."""
    if side >= length:
        return length / 2
    return min(max(center, side / 2), length - side / 2)
