"""Position of the layers of a new fill in the layer stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ..geometry import Box

L = TypeVar("L")


def seen_above(target: L, higher: Sequence[L], box: Box, fill_box: Callable[[L], Box | None]) -> L:
    """Return the layer directly above which a new fill is inserted, so that it is visible.

    The new fill must be above earlier fills that overlap it. The artist's own layers above the
    target stay above the fill.

    Args:
        target: the layer that is filled.
        higher: its siblings above it, from lowest to highest.
        box: box of the new fill, document px.
        fill_box: returns the box of a sibling if that is an earlier fill; None otherwise.
    """
    above = target
    for layer in higher:
        filled = fill_box(layer)
        if filled is not None and not filled.clamp(box).is_empty:
            above = layer
    return above
