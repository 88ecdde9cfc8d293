"""Style mixing as chosen by the artist, with other results or a layer of the document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ..errors import InputError
from ..geometry import Box
from ..images import Picture
from ..info import Limits
from ..requests import Mixing, StyleLevel
from ..sentence import Sentence
from .mixer_pad import ONLY_TWO, MixerPad, amounts

Key = TypeVar("Key")


@dataclass(frozen=True)
class StyleMix(Generic[Key]):
    """Styles that a result takes from another result, from a layer, or from several results.

    A `Key` is the host's ID of a result or layer; empty keys (0, "") mean none. With a `pad`,
    there is no `other`, and the dot takes the place of `amount`.
    """

    other: Key | None = None
    levels: tuple[StyleLevel, ...] = tuple(StyleLevel)
    amount: float = 0.5  # 0..1: 0 = this result, 1 = the other
    pad: MixerPad[Key] | None = None

    @property
    def is_on(self) -> bool:
        """Whether the mix changes the result."""
        if self.pad is not None:
            return bool(self.levels) and self.pad.is_on
        return bool(self.other and self.levels and self.amount)

    def shows_as(self, mix: StyleMix[Key]) -> bool:
        """Return whether both mixes give the same image."""
        return self == mix or not (self.is_on or mix.is_on)

    def with_other(self, other: Key | None, is_result: bool) -> StyleMix[Key]:
        """Return the mix with another key: all styles of a result, only the colors of a layer."""
        levels = tuple(StyleLevel) if is_result else (StyleLevel.COLORS,)
        return replace(self, other=other, levels=levels, pad=None)

    def with_pad(self, pad: MixerPad[Key]) -> StyleMix[Key]:
        """Return the mix with a pad: all styles, unless one is used already."""
        levels = tuple(StyleLevel) if self.pad is None else self.levels
        return replace(self, other=None, levels=levels, pad=pad)

    def request(
        self,
        recipe_of: Callable[[Key], str],
        image_of: Callable[[Key], tuple[Picture, Box]],
        limits: Limits,
    ) -> tuple[Mixing, ...]:
        """Return what to request of the daemon; empty if nothing is mixed.

        Args:
            recipe_of: returns the recipe of another result; empty for a layer.
            image_of: returns the image of a layer around the hole, and its box.
            limits: of the daemon.

        Raises:
            InputError: the daemon cannot mix several, or a candidate in a corner is gone.
        """
        if not self.is_on:
            return ()
        if self.pad is not None:
            return self._several(self.pad, recipe_of, limits)
        assert self.other is not None
        if recipe := recipe_of(self.other):
            return (Mixing(recipe=recipe, levels=self.levels, amount=self.amount),)
        image, box = image_of(self.other)
        return (Mixing(levels=self.levels, amount=self.amount, image=image, image_box=box),)

    def _several(
        self, pad: MixerPad[Key], recipe_of: Callable[[Key], str], limits: Limits
    ) -> tuple[Mixing, ...]:
        mixings = []
        for key, amount in zip(pad.corners, amounts(pad.shares), strict=True):
            if not amount:
                continue
            recipe = recipe_of(key)
            if not recipe:
                raise InputError(
                    Sentence("A candidate in a corner of the mixer pad was deleted."),
                    Sentence("Choose another one for that corner."),
                )
            mixings.append(Mixing(recipe=recipe, levels=self.levels, amount=amount))
        if len(mixings) > max(1, limits.max_mixings):
            raise InputError(ONLY_TWO)
        return tuple(mixings)
