"""Undo and redo of what sliders and switches are set to, beside the editor's own history.

Moving a slider renders again and leaves no step in the editor. So the plug-in remembers the values
itself: one entry for one drag, however many positions it passes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

Place = TypeVar("Place")
Value = TypeVar("Value")

MOST = 200  # entries; older ones are forgotten


@dataclass(frozen=True)
class Change(Generic[Place, Value]):
    """One action of the artist."""

    place: Place  # whose values they are, such as a candidate
    control: str
    before: Value
    after: Value


class ValueHistory(Generic[Place, Value]):
    """Changes in the order in which they were made."""

    def __init__(self) -> None:
        self._done: list[Change[Place, Value]] = []
        self._undone: list[Change[Place, Value]] = []
        self._is_open = False  # the control of the last change is still held

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a change was taken back, and nothing was changed since."""
        return bool(self._undone)

    def record(self, place: Place, control: str, before: Value, after: Value) -> None:
        """Remember a change; until `rest`, further ones of the same control belong to it."""
        self._undone.clear()
        last = self._done[-1] if self._done else None
        if last is not None and self._is_open and (last.place, last.control) == (place, control):
            self._done[-1] = replace(last, after=after)
        elif before != after:
            self._done = [*self._done, Change(place, control, before, after)][-MOST:]
            self._is_open = True

    def rest(self) -> None:
        """Take note that the control was let go; one that is back where it was changed nothing."""
        if self._is_open and self._done[-1].before == self._done[-1].after:
            self._done.pop()
        self._is_open = False

    def undo(self) -> Change[Place, Value] | None:
        """Return the last change, whose `before` is to be set; None if there is none."""
        self.rest()
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Change[Place, Value] | None:
        """Return the change that was taken back last, whose `after` is to be set."""
        self.rest()
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

    def forget(self) -> None:
        """Begin anew: the editor has a step now that an undo would come to first."""
        self._done.clear()
        self._undone.clear()
        self._is_open = False
