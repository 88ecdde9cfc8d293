"""What an artist mixes a result with, and what is asked of the daemon for it."""

from __future__ import annotations

import pytest
from inpaint_client import Box, InputError, Limits, Mixing, Picture, StyleLevel, StyleMix
from inpaint_client.session.mixer_pad import MixerPad

IMAGE, BOX = Picture(2, 1, 3, bytes(6)), Box(3, 4, 2, 1)


def image_of(key: int) -> tuple[Picture, Box]:
    assert key == 8
    return IMAGE, BOX


def never(key: int) -> tuple[Picture, Box]:
    raise AssertionError("a result's image is not read")


def test_a_result_gives_all_its_styles_and_an_image_its_colors() -> None:
    mix = StyleMix[int](amount=0.25)
    assert mix.with_other(8, is_result=True) == StyleMix(8, tuple(StyleLevel), 0.25)
    assert mix.with_other(8, is_result=False) == StyleMix(8, (StyleLevel.COLORS,), 0.25)


def recipe_of(key: int) -> str:
    return "" if key == 8 else f"recipe {key}"


LIMITS = Limits(max_mixings=8)


def test_the_request_names_the_recipe_or_shows_the_image() -> None:
    levels = (StyleLevel.FEATURES,)
    asked = StyleMix(7, levels, 0.25).request(recipe_of, never, LIMITS)
    assert asked == (Mixing(recipe="recipe 7", levels=levels, amount=0.25),)
    asked = StyleMix(8, levels, 0.25).request(recipe_of, image_of, Limits())
    assert asked == (Mixing(levels=levels, amount=0.25, image=IMAGE, image_box=BOX),)


PAD = MixerPad((2, 3, 4))
OFF: list[StyleMix[int]] = [
    StyleMix(),
    StyleMix(0),
    StyleMix(8, ()),
    StyleMix(8, amount=0.0),
    StyleMix(pad=PAD),
    StyleMix(levels=(), pad=PAD.moved(0.5, 0.5)),
]


@pytest.mark.parametrize("mix", OFF)
def test_a_mix_that_changes_nothing_asks_for_nothing(mix: StyleMix[int]) -> None:
    assert mix.request(recipe_of, never, LIMITS) == ()
    assert mix.shows_as(StyleMix())
    assert not mix.shows_as(StyleMix(8))


def test_a_pad_takes_the_place_of_another_result_and_the_other_way_round() -> None:
    mix = StyleMix(8, (StyleLevel.COLORS,)).with_pad(PAD)
    assert mix == StyleMix(pad=PAD)
    fewer = StyleMix[int](levels=(StyleLevel.COLORS,), pad=PAD)
    assert fewer.with_pad(PAD.moved(0.5, 0)).levels == (StyleLevel.COLORS,)
    assert mix.with_other(8, is_result=True) == StyleMix(8)


def test_a_pad_asks_for_the_corners_that_have_a_share() -> None:
    levels = (StyleLevel.STRUCTURE, StyleLevel.COLORS)

    def asked(x: float, y: float) -> list[tuple[str, float]]:
        mix = StyleMix(levels=levels, pad=PAD.moved(x, y))
        mixings = mix.request(recipe_of, never, LIMITS)
        assert {each.levels for each in mixings} == {levels}
        return [(each.recipe, each.amount) for each in mixings]

    assert asked(1, 1) == [("recipe 4", 1)]
    assert asked(0.25, 0) == [("recipe 2", 0.25)]
    assert asked(0.5, 0.5) == [
        ("recipe 2", 0.5),
        ("recipe 3", pytest.approx(1 / 3)),
        ("recipe 4", 0.25),
    ]


def test_a_pad_that_cannot_be_mixed_says_why() -> None:
    mix = StyleMix(pad=PAD.moved(0.5, 0.5))
    with pytest.raises(InputError, match="corner of the mixer pad was deleted"):
        mix.request(lambda key: "", never, LIMITS)
    with pytest.raises(InputError, match="older and can mix only two"):
        mix.request(recipe_of, never, Limits())
    assert StyleMix(pad=PAD.moved(0.5, 0)).request(recipe_of, never, Limits())
