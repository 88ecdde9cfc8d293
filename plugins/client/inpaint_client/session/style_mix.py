"""Style mixing as chosen by the artist, with another result or a layer of the document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ..geometry import Box
from ..images import Picture
from ..requests import Mixing, StyleLevel

Key = TypeVar("Key")


@dataclass(frozen=True)
class StyleMix(Generic[Key]):
    """Styles that a result takes from another result or from a layer.

    A `Key` is the host's ID of a result or layer; empty keys (0, "") mean none.
    """

    other: Key | None = None
    levels: tuple[StyleLevel, ...] = tuple(StyleLevel)
    amount: float = 0.5  # 0..1: 0 = this result, 1 = the other

    @property
    def is_on(self) -> bool:
        """Whether the mix changes the result."""
        return bool(self.other and self.levels and self.amount)

    def shows_as(self, mix: StyleMix[Key]) -> bool:
        """Return whether both mixes give the same image."""
        return self == mix or not (self.is_on or mix.is_on)

    def with_other(self, other: Key | None, is_result: bool) -> StyleMix[Key]:
        """Return the mix with another key: all styles of a result, only the colors of a layer."""
        return replace(
            self, other=other, levels=tuple(StyleLevel) if is_result else (StyleLevel.COLORS,)
        )

    def request(self, recipe: str, image_of: Callable[[Key], tuple[Picture, Box]]) -> Mixing | None:
        """Return the request to the daemon; None if nothing is mixed.

        Args:
            recipe: recipe of the other result; empty if it is a layer.
            image_of: returns the image of a layer around the hole, and its box.
        """
        if not self.is_on or self.other is None:
            return None
        if recipe:
            return Mixing(recipe=recipe, levels=self.levels, amount=self.amount)
        image, box = image_of(self.other)
        return Mixing(levels=self.levels, amount=self.amount, image=image, image_box=box)
