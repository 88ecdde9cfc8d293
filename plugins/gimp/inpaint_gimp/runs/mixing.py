"""Style mixing: mix the styles of another result, or of any layer of the image, into a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from inpaint_client import Box, InputError, Mixing, Picture, StyleLevel, StyleMix
from inpaint_client.session.history import Result

from ..host.parasites import named, tattoo_of
from ..translation import _
from .edits import format_levels, parse_levels

Look = Callable[[int], tuple[Picture, Box]]  # from a layer's key to its pixels around the hole


Mix = StyleMix[int]  # refers to the key of an `Other`
NOTHING = Mix()


class Other(NamedTuple):
    """A source of styles: a result, or a layer whose pixels are used."""

    key: int  # a layer's tattoo; negative for a result that is not a layer (yet)
    name: str
    recipe: str = ""  # of a result; empty for a layer whose pixels are used

    @property
    def label(self) -> str:
        return self.name if self.recipe else _("Layer: {name}").format(name=self.name)


class Mixed(NamedTuple):
    """The mixing stored with a result, so that it can be changed or removed later."""

    unmixed: str  # the result's recipe before mixing
    levels: tuple[StyleLevel, ...]
    amount: float
    recipe: str = ""  # of the other result, or
    tattoo: int = 0  # of the layer whose pixels were used

    @classmethod
    def of(cls, result: Result) -> Mixed | None:
        """Return the mixing stored with a result; None if nothing is mixed in."""
        if not result.unmixed:
            return None
        mix, other = result.mix, tattoo_of(result.mix.other)
        return cls(result.unmixed, mix.levels, mix.amount, result.mixed_recipe, other)

    def into(self, result: Result) -> Result:
        """Return the result with this mixing stored."""
        return replace(
            result,
            mix=StyleMix(named(self.tattoo) or None, self.levels, self.amount),
            unmixed=self.unmixed,
            mixed_recipe=self.recipe,
        )


class Layers(Protocol):
    """The image's layers as sources for mixing (image_layers.ImageLayers)."""

    def others(self, recipe: str) -> Sequence[Other]:
        """Return the layers that a result with this recipe can be mixed with."""

    def look(self, key: int) -> tuple[Picture, Box]:
        """Return a layer's pixels around the hole, and their box.

        Raises:
            InputError: the layer is gone or has no pixels there.
        """


class NoLayers:
    """No layers: results can be mixed only with each other."""

    def others(self, recipe: str) -> Sequence[Other]:
        return ()

    def look(self, key: int) -> tuple[Picture, Box]:
        raise nothing_there()


def nothing_there() -> InputError:
    return InputError(_("The layer to mix with is empty or was deleted."))


def with_other(mix: Mix, other: Other) -> Mix:
    """Return the mix with another source."""
    return mix.with_other(other.key, is_result=bool(other.recipe))


def read_mix(value_of: Callable[[str], object], others: Sequence[Other]) -> Mix:
    """Read the mix from the values of the edit procedure, given by argument name.

    Raises:
        InputError: there is no layer of that name, or the levels cannot be parsed.
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
    """Return the values for `read_mix`; the name is empty if the mix is off or its source gone."""
    names = [each.name for each in others if each.key == mix.other]
    return {
        "mix": names[0] if names and mix.is_on else "",
        "levels": format_levels(mix.levels),
        "amount": mix.amount,
    }


def mixing_of(mix: Mix, others: Sequence[Other], look: Look) -> Mixing | None:
    """Return the mixing to request; None if nothing is mixed.

    Raises:
        InputError: the source is gone, or has no pixels around the hole.
    """
    recipes = (each.recipe for each in others if each.key == mix.other)
    return mix.request(next(recipes, ""), look)


def mixed_of(unmixed: str, mix: Mix, mixing: Mixing | None) -> Mixed | None:
    """Return the mixing to store for a request."""
    if mixing is None:
        return None
    tattoo = 0 if mixing.recipe else mix.other or 0
    return Mixed(unmixed, mixing.levels, mixing.amount, mixing.recipe, tattoo)
