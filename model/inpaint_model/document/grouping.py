"""Group the parts of a hole that share a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from inpaint_model.document import geometry
from inpaint_model.document.arrays import Points
from inpaint_model.document.geometry import Box, Frame, Mode
from inpaint_model.document.notices import Notice, RefusalError

MAX_GROUPS = 32
MIN_OVERLAP = 0.5
"""Fraction of a part that must lie inside a frame for it to join the frame's group."""
NEAR = 0.1
"""Distance of a crumb from the box of a group's largest part over the box's larger side."""
CRUMB = 0.001
"""Largest box of a crumb over that of the group's largest part."""
FEW = 8
"""Maximum number of thin parts that are framed one by one; more count as scratches."""


class Choice(NamedTuple):
    """A frame and how it was found."""

    frame: Frame
    mode: Mode
    confidence: float
    notices: tuple[Notice, ...] = ()


class Part(NamedTuple):
    """One connected part of a hole."""

    box: Box  # document px
    points: Points  # [N, 2]: centers of some of its pixels, document px
    is_thin: bool = False  # a speck or a hairline


def are_scratches(left: Sequence[Part]) -> bool:
    """Return whether parts are scratches and dust, which form one group (docs/decisions/0040)."""
    return len(left) > FEW and all(part.is_thin for part in left)


def grouped(
    parts: Sequence[Part],
    choose: Callable[[Box], Choice],
    are_together: Callable[[Sequence[Part]], bool] = are_scratches,
) -> list[tuple[list[int], Choice]]:
    """Return groups of parts (numbers from 1) that share a frame.

    The largest part gets a frame, and all parts at least half inside it join; if this changes the
    frame (a square around the group grows), it repeats. Crumbs beside that part join as well: the
    edge of a soft selection consists of them, and filling them separately would take another pass
    of the model for a few pixels, most often with the same frame. Thin parts do not grow the frame,
    since dust would lead from hole to hole; they are framed last, together if `are_together`. A
    group thus depends only on its frame and the remaining parts, so that the frames of a recipe
    reproduce its groups.

    Raises:
        RefusalError: There are more than 32 groups.
    """
    left = sorted(
        range(len(parts)),
        key=lambda i: (parts[i].is_thin, -parts[i].box.area),
    )
    groups: list[tuple[list[int], Choice]] = []
    while left:
        if len(groups) == MAX_GROUPS:
            raise RefusalError("TOO_MANY_REGIONS", limit=MAX_GROUPS)
        together = are_together([parts[i] for i in left])
        members = left if together else [left[0]]
        while True:
            choice = choose(geometry.union([parts[i].box for i in members]))
            if together:
                joined = left
                break
            joined = _inside(choice.frame, parts, left)
            grown = [i for i in joined if i == left[0] or not parts[i].is_thin]
            if len(grown) == len(members) or choice.mode == "auto":
                break
            members = grown
        groups.append(([i + 1 for i in joined], choice))
        gone = set(joined)
        left = [i for i in left if i not in gone]
    return groups


def _inside(frame: Frame, parts: Sequence[Part], left: Sequence[int]) -> list[int]:
    """Return which of the parts that are left belong in a frame; the first one always does."""
    shares = geometry.overlap_fractions(frame, [parts[i].points for i in left])
    largest = parts[left[0]].box
    around = largest.grown(round(NEAR * max(largest.width, largest.height)))
    return [
        i
        for i, share in zip(left, shares, strict=True)
        if i == left[0]
        or share >= MIN_OVERLAP
        or (
            parts[i].box.area <= CRUMB * largest.area
            and around.intersection(parts[i].box) == parts[i].box
        )
    ]
