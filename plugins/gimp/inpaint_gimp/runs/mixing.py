"""Style mixing: mix the styles of another result, or of any layer of the image, into a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from inpaint_client import Box, InputError, Limits, Mixing, Picture, StyleLevel, StyleMix
from inpaint_client.session.history import Result
from inpaint_client.session.mixer_pad import MixerPad, starting_pad

from ..host.parasites import named, tattoo_of
from ..translation import _
from .edits import format_levels, parse_levels

Look = Callable[[int], tuple[Picture, Box]]  # from a layer's key to its pixels around the hole


Mix = StyleMix[int]  # refers to the key of an `Other`
Pad = MixerPad[int]
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
    # Of a mixer pad: the recipes in its corners (empty = none), and the position of the dot.
    corners: tuple[str, ...] = ()
    x: float = 0.0
    y: float = 0.0

    @classmethod
    def of(cls, result: Result) -> Mixed | None:
        """Return the mixing stored with a result; None if nothing is mixed in."""
        if not result.unmixed:
            return None
        mix, other = result.mix, tattoo_of(result.mix.other)
        mixed = cls(result.unmixed, mix.levels, mix.amount, result.mixed_recipe, other)
        if mix.pad is None or len(result.corner_recipes) != len(mix.pad.corners):
            return mixed
        return mixed._replace(corners=result.corner_recipes, x=mix.pad.x, y=mix.pad.y)

    @property
    def recipes(self) -> tuple[str, ...]:
        """The recipes of all results that are mixed in, each once."""
        return tuple(dict.fromkeys(filter(None, (self.recipe, *self.corners))))

    def into(self, result: Result) -> Result:
        """Return the result with this mixing stored."""
        return replace(
            result,
            mix=StyleMix(
                named(self.tattoo) or None,
                self.levels,
                self.amount,
                MixerPad(("", "", ""), self.x, self.y) if self.corners else None,
            ),
            corner_recipes=self.corners,
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


def first_pad(others: Sequence[Other]) -> Pad | None:
    """Return a mixer pad with the first other results; None if there are too few."""
    return starting_pad([each.key for each in others if each.recipe], 0)


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


def mixing_of(mix: Mix, others: Sequence[Other], look: Look, limits: Limits) -> tuple[Mixing, ...]:
    """Return the mixing to request; empty if nothing is mixed.

    Raises:
        InputError: the source is gone, or has no pixels around the hole; or the daemon cannot mix
            several.
    """
    return mix.request(_recipes(others), look, limits)


def mixed_of(
    unmixed: str, mix: Mix, mixing: Sequence[Mixing], others: Sequence[Other]
) -> Mixed | None:
    """Return the mixing to store for a request, which was made with the same `others`."""
    if not mixing:
        return None
    if (pad := mix.pad) is not None:
        right, below, across = map(_recipes(others), pad.corners)
        return Mixed(unmixed, mix.levels, mix.amount, "", 0, (right, below, across), pad.x, pad.y)
    recipe = mixing[0].recipe
    return Mixed(unmixed, mix.levels, mix.amount, recipe, 0 if recipe else mix.other or 0)


def _recipes(others: Sequence[Other]) -> Callable[[int], str]:
    """Return a function from a key to its recipe, empty for a layer whose pixels are used."""
    known = {each.key: each.recipe for each in others}
    return lambda key: known.get(key, "")
