"""The mixer pad: a square with a candidate in each corner, whose styles a dot in it mixes.

The chosen candidate is in the top left corner, where the dot starts. The shares of the corners are
bilinear in the dot's position. An empty corner, when there are only three candidates, stands for
the mean of its neighbors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from ..info import Limits
from ..sentence import Sentence

Key = TypeVar("Key")

CORNERS = 3  # without the chosen candidate's: top right, bottom left, bottom right
LEAST_OTHERS = 2  # with one other candidate, the slider of the amount does the same
ONLY_TWO: Final = Sentence(
    "This daemon is older and can mix only two candidates. Update it to use the mixer pad."
)
SNAP = 0.04  # of the side: how close to a corner or edge the dot jumps to it


@dataclass(frozen=True)
class MixerPad(Generic[Key]):
    """The candidates in the corners, and the dot.

    A `Key` is the host's ID of a result; empty keys (0, "") mean none.
    """

    corners: tuple[Key, Key, Key]  # top right, bottom left, bottom right
    x: float = 0.0  # 0..1: left to right
    y: float = 0.0  # 0..1: top to bottom

    @property
    def is_on(self) -> bool:
        """Whether the dot has left the chosen candidate's corner."""
        return any(self.shares)

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares of the three corners, 0..1; the chosen candidate has the rest."""
        x, y = self.x, self.y
        right, below, across = x * (1 - y), (1 - x) * y, x * y
        if not self.corners[2]:
            right, below, across = right + across / 2, below + across / 2, 0.0
        return right, below, across

    def moved(self, x: float, y: float, snap: float = SNAP) -> MixerPad[Key]:
        """Return the pad with the dot elsewhere; it stays inside and snaps to the edges."""
        return replace(self, x=_snapped(x, snap), y=_snapped(y, snap))

    def with_corner(self, corner: int, key: Key) -> MixerPad[Key]:
        """Return the pad with another candidate in a corner; one in another corner changes places.

        Args:
            corner: index in `corners`.
            key: ID of a result.
        """
        corners = list(self.corners)
        if key in corners:
            corners[corners.index(key)] = corners[corner]
        corners[corner] = key
        return replace(self, corners=(corners[0], corners[1], corners[2]))


def amounts(shares: Sequence[float]) -> tuple[float, ...]:
    """Return the amounts of mixings, one after another, that give each other these shares.

    Args:
        shares: of the others, in the order in which they are mixed in; their sum is at most 1.

    Returns:
        For each: its share of what it and all before it have together; 0 if that is nothing.
    """
    total = max(0.0, 1 - sum(shares))  # of the chosen candidate
    steps = []
    for share in shares:
        total += share
        steps.append(min(1.0, share / total) if share else 0.0)
    return tuple(steps)


def starting_pad(others: Sequence[Key], none: Key) -> MixerPad[Key] | None:
    """Return a pad of the first candidates, with the dot in the chosen one's corner.

    Args:
        others: IDs of the candidates that can be mixed into the chosen one.
        none: the empty ID.

    Returns:
        The pad; None if there are too few candidates.
    """
    if len(others) < LEAST_OTHERS:
        return None
    right, below, across = (*others, none)[:CORNERS]
    return MixerPad((right, below, across))


def can_mix_several(limits: Limits) -> bool:
    """Return whether the daemon can mix all candidates of a pad; older ones cannot."""
    return limits.max_mixings >= CORNERS


def _snapped(value: float, snap: float) -> float:
    if value < snap:
        return 0.0
    return 1.0 if value > 1 - snap else round(value, 3)
