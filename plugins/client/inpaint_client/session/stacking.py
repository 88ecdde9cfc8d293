"""Where the layers of a new fill go in the stack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ..geometry import Box

L = TypeVar("L")


def seen_above(target: L, higher: Sequence[L], box: Box, fill_box: Callable[[L], Box | None]) -> L:
    """Return the layer that a fill of `box` goes directly above, so that it is seen.

    An earlier fill that overlaps the new one would cover it. The artist's own layers above the
    target cover it as they cover the target.

    Args:
        target: the layer that is filled.
        higher: its siblings above it, from the lowest to the highest.
        box: of the new fill, in document pixels.
        fill_box: the box of a sibling that is an earlier fill; None for any other layer.
    """
    above = target
    for layer in higher:
        filled = fill_box(layer)
        if filled is not None and not filled.clamp(box).is_empty:
            above = layer
    return above
