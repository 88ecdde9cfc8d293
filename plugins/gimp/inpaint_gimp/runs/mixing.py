"""Style mixing: a result takes styles of another result, or of any layer of the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from inpaint_client import Box, InputError, Mixing, Picture, StyleLevel, StyleMix
from inpaint_client.session.history import Result

from ..host.parasites import named, tattoo_of
from ..translation import _
from .edits import format_levels, parse_levels

Look = Callable[[int], tuple[Picture, Box]]  # what the layer of a key shows around the hole


Mix = StyleMix[int]  # with the key of an `Other`
NOTHING = Mix()


class Other(NamedTuple):
    """One whose styles can be taken: a result, or a layer that is looked at."""

    key: int  # a layer's tattoo; negative for what is no layer of the image (yet)
    name: str
    recipe: str = ""  # of a result; empty: a layer that is looked at

    @property
    def label(self) -> str:
        return self.name if self.recipe else _("Layer: {name}").format(name=self.name)


class Mixed(NamedTuple):
    """What a result remembers of its mixing, so that it can be changed or taken away later."""

    unmixed: str  # the result's own recipe before
    levels: tuple[StyleLevel, ...]
    amount: float
    recipe: str = ""  # of the other result; or
    tattoo: int = 0  # GIMP's lasting number of the layer that was looked at

    @classmethod
    def of(cls, result: Result) -> Mixed | None:
        """Return what a layer remembers; None if nothing is mixed in."""
        if not result.unmixed:
            return None
        mix, other = result.mix, tattoo_of(result.mix.other)
        return cls(result.unmixed, mix.levels, mix.amount, result.mixed_recipe, other)

    def into(self, result: Result) -> Result:
        """Return the result of a run that remembers it."""
        return replace(
            result,
            mix=StyleMix(named(self.tattoo) or None, self.levels, self.amount),
            unmixed=self.unmixed,
            mixed_recipe=self.recipe,
        )


class Layers(Protocol):
    """The image's layers as something to mix with (image_layers.ImageLayers)."""

    def others(self, recipe: str) -> Sequence[Other]:
        """Those that a result with this recipe can be mixed with."""

    def look(self, key: int) -> tuple[Picture, Box]:
        """What a layer shows around the hole, and where. Raises InputError if that is nothing."""


class NoLayers:
    """Results can still be mixed with each other."""

    def others(self, recipe: str) -> Sequence[Other]:
        return ()

    def look(self, key: int) -> tuple[Picture, Box]:
        raise nothing_there()


def nothing_there() -> InputError:
    return InputError(_("The layer to mix with is empty or was deleted."))


def with_other(mix: Mix, other: Other) -> Mix:
    """The styles of another one."""
    return mix.with_other(other.key, is_result=bool(other.recipe))


def read_mix(value_of: Callable[[str], object], others: Sequence[Other]) -> Mix:
    """From the values of the edit procedure, looked up by argument name.

    Raises:
        InputError: there is no such layer, or the levels cannot be read.
    """
    name = str(value_of("mix") or "")
    if not name.strip():
        return NOTHING
    other = next((each for each in others if each.name == name), None)
    if other is None:
        raise InputError(
            _("There is no layer “{layer}” to mix with.").format(layer=name),
            _("Name another layer of the image that is not a group."),
        )
    mix = with_other(NOTHING, other)
    levels = parse_levels(str(value_of("levels") or ""))
    amount = value_of("amount")
    assert isinstance(amount, int | float)
    return replace(mix, levels=levels or mix.levels, amount=float(amount))


def mix_values(mix: Mix, others: Sequence[Other]) -> dict[str, object]:
    """The values that `read_mix` reads back; no name for what is off or gone."""
    names = [each.name for each in others if each.key == mix.other]
    return {
        "mix": names[0] if names and mix.is_on else "",
        "levels": format_levels(mix.levels),
        "amount": mix.amount,
    }


def mixing_of(mix: Mix, others: Sequence[Other], look: Look) -> Mixing | None:
    """What the daemon is asked for; None where nothing is mixed.

    Raises:
        InputError: the other one is gone, or shows nothing around the hole.
    """
    recipes = (each.recipe for each in others if each.key == mix.other)
    return mix.request(next(recipes, ""), look)


def mixed_of(unmixed: str, mix: Mix, mixing: Mixing | None) -> Mixed | None:
    """What to remember of what the daemon was asked for."""
    if mixing is None:
        return None
    tattoo = 0 if mixing.recipe else mix.other or 0
    return Mixed(unmixed, mixing.levels, mixing.amount, mixing.recipe, tattoo)
