"""What an artist has chosen to mix a result with: another result, or a layer of the document."""

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
    """Styles that a result takes from another result or a layer.

    A `Key` is how the host names results and layers; the empty ones (0, "") stand for nothing.
    """

    other: Key | None = None
    levels: tuple[StyleLevel, ...] = tuple(StyleLevel)
    amount: float = 0.5  # 0..1: 0 = this result, 1 = the other

    @property
    def is_on(self) -> bool:
        """Whether it changes the result."""
        return bool(self.other and self.levels and self.amount)

    def shows_as(self, mix: StyleMix[Key]) -> bool:
        """Return whether both make the same image."""
        return self == mix or not (self.is_on or mix.is_on)

    def with_other(self, other: Key | None, is_result: bool) -> StyleMix[Key]:
        """Return the mix with another one: all styles of a result, an image's colors only."""
        return replace(
            self, other=other, levels=tuple(StyleLevel) if is_result else (StyleLevel.COLORS,)
        )

    def request(self, recipe: str, image_of: Callable[[Key], tuple[Picture, Box]]) -> Mixing | None:
        """Return what the daemon is asked for, or None if nothing is mixed.

        recipe: the other one's if it is a result, or empty: then `image_of` tells what the layer
        shows around the hole, and where that is.
        """
        if not self.is_on or self.other is None:
            return None
        if recipe:
            return Mixing(recipe=recipe, levels=self.levels, amount=self.amount)
        image, box = image_of(self.other)
        return Mixing(levels=self.levels, amount=self.amount, image=image, image_box=box)
