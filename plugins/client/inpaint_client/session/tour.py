"""The tour for newcomers: three bubbles that follow what the artist does.

Each bubble points at one part of the interface. It gives way to the next as soon as the artist has
done what it says, so the tour never holds anyone up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Stop(IntEnum):
    """What a bubble is about."""

    SELECTION = 1
    FILL = 2
    CANDIDATES = 3


@dataclass(frozen=True)
class Tour:
    """Where the artist is on the tour."""

    stop: Stop | None = None  # whose bubble is shown; None: not on the tour

    @property
    def is_last(self) -> bool:
        """Whether the last bubble is shown."""
        return self.stop is max(Stop)

    def next(self) -> Tour:
        """Go on, or end after the last bubble."""
        if self.stop is None or self.is_last:
            return Tour()
        return Tour(Stop(self.stop + 1))

    def follow(self, *, is_selected: bool, is_filling: bool) -> Tour:
        """Go on if the artist has done what the bubble says.

        The last bubble stays until it is closed.
        """
        if self.stop is Stop.SELECTION and is_selected and not is_filling:
            return Tour(Stop.FILL)
        if self.stop in {Stop.SELECTION, Stop.FILL} and is_filling:
            return Tour(Stop.CANDIDATES)
        return self
