"""Which holes share a frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from inpaint_model.document import geometry
from inpaint_model.document.geometry import Box, Frame, Mode
from inpaint_model.document.notices import Notice, RefusalError

MAX_GROUPS = 32
MET = 0.5
"""Share of a hole that must lie inside a frame to be filled by it."""


class Choice(NamedTuple):
    """A frame and how it was found."""

    frame: Frame
    mode: Mode
    confidence: float
    notices: tuple[Notice, ...] = ()  # what the user should know


def grouped(boxes: list[Box], choose: Callable[[Box], Choice]) -> list[tuple[list[int], Choice]]:
    """Divide holes into groups that share a frame.

    The largest hole gets a frame, and all that lie at least half inside it join. Where joining
    changes the frame (a square around the selection grows), that is repeated until nobody else
    joins. So a group follows from its frame and the holes that are left: with the frames of a
    recipe the same groups are found again.

    Args:
        boxes: of the separate holes, document px.
        choose: the frame for a box.

    Returns:
        For each group the holes' numbers (from 1) and the choice.

    Raises:
        RefusalError: there are more than 32 groups.
    """
    left = sorted(range(len(boxes)), key=lambda i: -boxes[i].width * boxes[i].height)
    groups: list[tuple[list[int], Choice]] = []
    while left:
        if len(groups) == MAX_GROUPS:
            raise RefusalError("TOO_MANY_REGIONS", limit=MAX_GROUPS)
        members = {left[0]}
        while True:
            choice = choose(geometry.union([boxes[i] for i in members]))
            shares = geometry.shares_inside(choice.frame, [boxes[i] for i in left])
            joined = [
                i for i, share in zip(left, shares, strict=True) if i == left[0] or share >= MET
            ]
            if len(joined) == len(members) or choice.mode == "auto":
                break
            members = set(joined)
        groups.append(([i + 1 for i in joined], choice))
        gone = set(joined)
        left = [i for i in left if i not in gone]
    return groups
