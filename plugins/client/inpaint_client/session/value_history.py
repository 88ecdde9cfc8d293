"""Undo and redo of the values of sliders and switches, separate from the editor's own history.

Moving a slider renders again without creating an undo step in the editor. So the plug-in records
the values itself, with one entry per drag.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

Place = TypeVar("Place")
Value = TypeVar("Value")

MOST = 200  # entries; older ones are dropped


@dataclass(frozen=True)
class Change(Generic[Place, Value]):
    """One action of the artist."""

    place: Place  # the object whose values they are, such as a candidate
    control: str
    before: Value
    after: Value


class ValueHistory(Generic[Place, Value]):
    """List of changes in the order in which they were made."""

    def __init__(self) -> None:
        self._done: list[Change[Place, Value]] = []
        self._undone: list[Change[Place, Value]] = []
        self._is_open = False  # whether the control of the last change is still being dragged

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a change was undone and nothing was changed since."""
        return bool(self._undone)

    def record(self, place: Place, control: str, before: Value, after: Value) -> None:
        """Record a change; until `rest`, further changes of the same control are merged into it."""
        self._undone.clear()
        last = self._done[-1] if self._done else None
        if last is not None and self._is_open and (last.place, last.control) == (place, control):
            self._done[-1] = replace(last, after=after)
        elif before != after:
            self._done = [*self._done, Change(place, control, before, after)][-MOST:]
            self._is_open = True

    def rest(self) -> None:
        """Note that the control was released; drop the change if the value is the old one."""
        if self._is_open and self._done[-1].before == self._done[-1].after:
            self._done.pop()
        self._is_open = False

    def undo(self) -> Change[Place, Value] | None:
        """Return the last change, whose `before` the caller must set; None if there is none."""
        self.rest()
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Change[Place, Value] | None:
        """Return the change that was undone last, whose `after` the caller must set."""
        self.rest()
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]

    def forget(self) -> None:
        """Discard all changes, because the editor now has a newer step to undo."""
        self._done.clear()
        self._undone.clear()
        self._is_open = False
