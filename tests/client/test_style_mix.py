"""What an artist mixes a result with, and what is asked of the daemon for it."""

from __future__ import annotations

import pytest
from inpaint_client import Box, Mixing, Picture, StyleLevel, StyleMix

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


def test_the_request_names_the_recipe_or_shows_the_image() -> None:
    levels = (StyleLevel.FEATURES,)
    mix = StyleMix(8, levels, 0.25)
    assert mix.request("{}", never) == Mixing(recipe="{}", levels=levels, amount=0.25)
    assert mix.request("", image_of) == Mixing(
        levels=levels, amount=0.25, image=IMAGE, image_box=BOX
    )


OFF: list[StyleMix[int]] = [StyleMix(), StyleMix(0), StyleMix(8, ()), StyleMix(8, amount=0.0)]


@pytest.mark.parametrize("mix", OFF)
def test_a_mix_that_changes_nothing_asks_for_nothing(mix: StyleMix[int]) -> None:
    assert mix.request("{}", never) is None
    assert mix.shows_as(StyleMix())
    assert not mix.shows_as(StyleMix(8))
