"""The strip of renderings in a dialog: their order, their keys, and which one is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from inpaint_client.session.ranking import is_ranked, most_natural_first

from ..runs.layers import Rendering, layer_name
from ..runs.mixing import Other


@dataclass(eq=False)
class Slot:
    """A position in the strip; its rendering changes with the sliders."""

    rendering: Rendering
    key: int  # as `Other.key`


class Strip:
    """Renderings in the order in which the view shows them."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.chosen = 0  # position
        self._keys = 0  # number of slots created so far

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def renderings(self) -> list[Rendering]:
        return [slot.rendering for slot in self.slots]

    @property
    def chosen_slot(self) -> Slot | None:
        return self.slots[self.chosen] if self.slots else None

    @property
    def keyed(self) -> dict[int, Rendering]:
        """The renderings by `Other.key`."""
        return {slot.key: slot.rendering for slot in self.slots}

    @property
    def results(self) -> list[Other]:
        """The renderings that have styles to mix in."""
        return [
            Other(slot.key, layer_name(slot.rendering), slot.rendering.candidate.recipe)
            for slot in self.slots
            if not slot.rendering.is_smooth
        ]

    def new_slot(self, rendering: Rendering) -> Slot:
        """Return a slot with a new key, which is not in the strip yet."""
        self._keys += 1
        return Slot(rendering, -self._keys)

    def put(self, slots: Iterable[Slot]) -> None:
        """Replace all slots, and keep the chosen position."""
        self.slots = list(slots)

    def reset(self, *slots: Slot) -> None:
        """Replace all slots and choose the first."""
        self.slots, self.chosen = list(slots), 0

    def copy_chosen(self) -> Slot:
        """Insert a copy of the chosen rendering after it, and return its slot."""
        chosen = self.slots[self.chosen].rendering
        index = chosen.candidate.index
        copies = (each.copy for each in self.renderings if each.candidate.index == index)
        copy = self.new_slot(chosen._replace(copy=max(copies) + 1))
        self.slots.insert(self.chosen + 1, copy)
        return copy

    def delete_chosen(self) -> None:
        """Remove the chosen rendering, and choose the next or the last one."""
        del self.slots[self.chosen]
        self.chosen = max(0, min(self.chosen, len(self.slots) - 1))

    def sort(self, *, choose_first: bool) -> bool:
        """Sort the renderings, the most natural first.

        Args:
            choose_first: choose the first one; otherwise the chosen one stays chosen.

        Returns:
            False if the naturalness of fewer than two candidates is known; the order stays.
        """
        ranked = [each.ranked for each in self.renderings]
        if not is_ranked(ranked):
            return False
        order = most_natural_first(ranked)
        self.chosen = 0 if choose_first else order.index(self.chosen)
        self.slots = [self.slots[position] for position in order]
        return True
