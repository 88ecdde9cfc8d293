"""What a fill can be mixed with: the layers of an image made of arrays, and values as text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import Box, Extent, InputError, Limits, Mixing, Picture, StyleLevel
from inpaint_client.session.history import PastRun, Result
from inpaint_client.session.mixer_pad import MixerPad
from inpaint_gimp.host.image_protocol import PaintLayer
from inpaint_gimp.host.parasites import parasites, read
from inpaint_gimp.runs.edits import format_levels, parse_levels
from inpaint_gimp.runs.image_layers import REMEMBERED, ImageLayers
from inpaint_gimp.runs.mixing import (
    Mix,
    Mixed,
    Other,
    first_pad,
    mix_values,
    mixed_of,
    mixing_of,
    read_mix,
    with_other,
)
from numpy.typing import NDArray

LEVELS = tuple(StyleLevel)
COLORS = (StyleLevel.COLORS,)
AROUND = Box(0, 0, 400, 300)


def recipe(seed: int, weights: str = "a") -> str:
    content = {"format": 1, "model": "m", "weights_sha256": weights, "seed": seed}
    return json.dumps(content)


@dataclass
class Layer:
    """RGBA at a place in the image."""

    name: str
    rgba: NDArray[np.uint8]
    x: int = 0
    y: int = 0
    recipe: str = ""

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, self.rgba.shape[1], self.rgba.shape[0])

    def read(self, box: Box, babl: str, step: int = 1) -> bytes:
        raise AssertionError("layers are read for the screen")

    def is_opaque(self, box: Box) -> bool:
        return False

    def read_screen(self, box: Box, step: int = 1) -> bytes:
        """One pixel per square of `step`; only full squares of the layer may be requested."""
        here = box.relative(self.box)
        assert self.box.contains(box)
        assert here.x % step == here.y % step == box.width % step == box.height % step == 0
        return self.rgba[here.y : here.bottom : step, here.x : here.right : step].tobytes()


@dataclass
class Image:
    """As `GimpImage`; tattoos count from 1."""

    layers: list[Layer] = field(default_factory=list)

    def paint_layers(self) -> list[PaintLayer]:
        return [
            PaintLayer(tattoo, layer.name, layer.recipe)
            for tattoo, layer in enumerate(self.layers, start=1)
        ]

    def layer_box(self, tattoo: int) -> Box | None:
        return self.layers[tattoo - 1].box if 0 < tattoo <= len(self.layers) else None

    def layer_pixels(self, tattoo: int) -> Layer:
        return self.layers[tattoo - 1]


def noise(width: int, height: int) -> NDArray[np.uint8]:
    rgba = np.random.default_rng(4).integers(0, 256, (height, width, 4), np.uint8)
    rgba[..., 3] = 255
    return rgba


SMALL = noise(4, 4)


def test_only_fills_of_the_same_model_are_results() -> None:
    image = Image(
        [
            Layer("own", SMALL, recipe=recipe(1)),
            Layer("other", SMALL, recipe=recipe(2)),
            Layer("foreign", SMALL, recipe=recipe(3, weights="b")),
            Layer("photo", SMALL),
        ]
    )
    others = ImageLayers(image, AROUND, own=1).others(recipe(1))
    assert [(each.key, each.label) for each in others] == [
        (2, "other"),
        (3, "Layer: foreign"),
        (4, "Layer: photo"),
    ]
    assert others[0].recipe == recipe(2)


def test_a_remembered_result_is_found_again_or_offered_by_its_seed() -> None:
    mixed = Mixed(recipe(1), COLORS, 0.3, recipe=recipe(2))
    image = Image([Layer("own", SMALL, recipe=recipe(9)), Layer("it", SMALL, recipe=recipe(2))])
    layers = ImageLayers(image, AROUND, own=1, mixed=mixed)
    assert layers.remembered() == Mix(2, COLORS, 0.3)
    assert [each.label for each in layers.others(recipe(9))] == ["it"]
    del image.layers[1]
    assert layers.remembered() == Mix(REMEMBERED, COLORS, 0.3)
    (other,) = layers.others(recipe(9))
    assert (other.label, other.recipe) == ("Seed 2", recipe(2))


def test_the_corners_of_a_remembered_pad_are_found_again_or_offered_by_their_seeds() -> None:
    mixed = Mixed(recipe(1), COLORS, 0.5, corners=(recipe(2), recipe(3), ""), x=0.25, y=0.75)
    image = Image([Layer("own", SMALL, recipe=recipe(9)), Layer("it", SMALL, recipe=recipe(3))])
    layers = ImageLayers(image, AROUND, own=1, mixed=mixed)
    pad = MixerPad((REMEMBERED, 2, 0), 0.25, 0.75)
    assert layers.remembered() == Mix(None, COLORS, 0.5, pad)
    offered = [(each.key, each.label, each.recipe) for each in layers.others(recipe(9))]
    assert offered == [(2, "it", recipe(3)), (REMEMBERED, "Seed 2", recipe(2))]


def test_a_remembered_layer_keeps_its_number() -> None:
    layers = ImageLayers(Image(), AROUND, mixed=Mixed(recipe(1), COLORS, 0.3, tattoo=12))
    assert layers.remembered() == Mix(12, COLORS, 0.3)
    with pytest.raises(InputError, match="empty or was deleted"):
        layers.look(12)


def test_a_layer_is_seen_around_the_hole_only_and_in_the_recipes_coordinates() -> None:
    photo = noise(300, 200)
    image = Image([Layer("photo", photo, x=-50, y=20)])
    view, box = ImageLayers(image, Box(0, 0, 100, 100), shift=(7, 5)).look(1)
    assert box == Box(0, 15, 100, 85)  # the image's 7..107, 20..105
    assert view.extent == Extent(100, 85)
    assert view.data == photo[:85, 57:157].tobytes()


@given(
    st.integers(-900, 900),
    st.integers(-900, 900),
    st.integers(1, 1500),
    st.integers(1, 1500),
)
def test_a_large_layer_is_reduced_in_full_squares(x: int, y: int, width: int, height: int) -> None:
    layer = Layer("photo", np.full((height, width, 4), 255, np.uint8), x, y)
    around = Box(0, 0, 1400, 1300)
    seen = around.clamp(layer.box)
    try:
        image, box = ImageLayers(Image([layer]), around).look(1)
    except InputError:  # nothing of it is there, or less than one square
        assert min(seen.extent) < 2 * 3 - 1
        return
    step = box.width // image.width
    assert seen.contains(box)
    assert image.extent == Extent(box.width // step, box.height // step)
    assert image.extent.longest <= 512
    for side, reduced in zip(seen.extent, box.extent, strict=True):
        assert side - reduced <= 2 * (step - 1)
    Mixing(image=image, image_box=box)  # the wire takes it


def test_a_layer_is_read_once_until_the_others_are_asked_for_again() -> None:
    image = Image([Layer("photo", SMALL)])
    layers = ImageLayers(image, AROUND)
    before = layers.look(1)
    image.layers[0].x = 30
    assert layers.look(1) is before
    layers.others(recipe(1))
    assert layers.look(1)[1] == Box(30, 0, 4, 4)


def test_a_transparent_layer_shows_nothing() -> None:
    image = Image([Layer("empty", np.zeros((9, 9, 4), np.uint8))])
    with pytest.raises(InputError, match="empty"):
        ImageLayers(image, AROUND).look(1)


def looked(key: int) -> tuple[Picture, Box]:
    return Picture(1, 1, 4, bytes(4)), Box(0, 0, 1, 1)


RESULT, PHOTO = Other(-3, "one", recipe(3)), Other(8, "photo")


def test_a_results_styles_are_all_taken_and_of_a_layer_the_fine_ones() -> None:
    assert with_other(Mix(amount=0.2), RESULT) == Mix(-3, LEVELS, 0.2)
    assert with_other(Mix(amount=0.2), PHOTO) == Mix(8, COLORS, 0.2)


def test_what_is_asked_for_is_remembered() -> None:
    mix = with_other(Mix(), RESULT)
    others = (RESULT, PHOTO)
    mixing = mixing_of(mix, others, looked, Limits())
    assert mixing == (Mixing(recipe=RESULT.recipe, levels=LEVELS, amount=0.5),)
    assert mixed_of("before", mix, mixing, others) == Mixed("before", LEVELS, 0.5, RESULT.recipe, 0)
    mix = with_other(Mix(), PHOTO)
    mixing = mixing_of(mix, others, looked, Limits())
    assert [each.image_box for each in mixing] == [Box(0, 0, 1, 1)]
    assert mixed_of("before", mix, mixing, others) == Mixed("before", COLORS, 0.5, "", 8)
    assert mixing_of(Mix(), others, looked, Limits()) == ()
    assert mixed_of("before", Mix(), (), others) is None


def test_a_mixer_pad_has_the_first_results_and_is_remembered_by_their_recipes() -> None:
    results = [Other(-key, str(key), recipe(key)) for key in range(1, 5)]
    others = (PHOTO, *results)
    assert first_pad(others[:2]) is None
    assert first_pad(others[:3]) == MixerPad((-1, -2, 0))
    pad = first_pad(others)
    assert pad == MixerPad((-1, -2, -3))
    assert pad is not None
    mix = with_other(Mix(), PHOTO).with_pad(pad.moved(0.5, 0))
    mixing = mixing_of(mix, others, looked, Limits(max_mixings=8))
    assert mixing == (Mixing(recipe=recipe(1), levels=LEVELS, amount=0.5),)
    mixed = mixed_of("before", mix, mixing, others)
    corners = tuple(map(recipe, (1, 2, 3)))
    assert mixed == Mixed("before", LEVELS, 0.5, corners=corners, x=0.5)
    assert mixed is not None
    assert mixed.recipes == corners
    assert mix_values(mix, others)["mix"] == ""


def values(mix: str, levels: str = "", amount: float = 1.0) -> dict[str, object]:
    return {"mix": mix, "levels": levels, "amount": amount}


def test_scripts_name_a_layer() -> None:
    def read(*given_values: object) -> Mix:
        return read_mix(values(*given_values).__getitem__, (RESULT, PHOTO))  # type: ignore[arg-type]

    assert read("") == Mix()
    assert read("one") == Mix(-3, LEVELS, 1.0)
    assert read("photo", "", 0.5) == Mix(8, COLORS, 0.5)
    assert read("photo", "colors,structure") == Mix(
        8, (StyleLevel.STRUCTURE, StyleLevel.COLORS), 1.0
    )
    with pytest.raises(InputError, match=r"“two”.*another layer"):
        read("two")
    with pytest.raises(InputError, match="“shape” is not a level"):
        read("one", "shape")


@given(
    st.sampled_from([RESULT.key, PHOTO.key]),
    st.sets(st.sampled_from(StyleLevel), min_size=1),
    st.floats(0, 1, exclude_min=True),
)
def test_a_mixing_survives_being_values(key: int, levels: set[StyleLevel], amount: float) -> None:
    mix = Mix(key, tuple(sorted(levels)), amount)
    others = (RESULT, PHOTO)
    assert read_mix(mix_values(mix, others).__getitem__, others) == mix


@pytest.mark.parametrize("mix", [Mix(), Mix(8, ()), Mix(8, LEVELS, 0.0), Mix(99)])
def test_what_is_off_or_gone_has_no_name(mix: Mix) -> None:
    assert mix_values(mix, (RESULT, PHOTO))["mix"] == ""


@given(st.sets(st.sampled_from(StyleLevel)))
def test_levels_survive_being_text(levels: set[StyleLevel]) -> None:
    ordered = tuple(sorted(levels))
    assert parse_levels(format_levels(ordered)) == ordered


RUN = PastRun(
    document=Extent(50, 60),
    hole_box=Box(1, 2, 3, 4),
    results=(Result(5, "", recipe(5), 2, -1, b"png"),),
)


@pytest.mark.parametrize(
    "mixed",
    [
        Mixed(recipe(4), COLORS, 0.25, recipe=recipe(6)),
        Mixed(recipe(4), LEVELS, 0.5, tattoo=9),
        Mixed(recipe(4), LEVELS, 0.5, recipe=recipe(6)),  # all as it is before anything is chosen
        Mixed(recipe(4), COLORS, 0.5, corners=(recipe(6), recipe(7), ""), x=0.5, y=1.0),
    ],
)
def test_a_mixing_survives_its_parasites(mixed: Mixed) -> None:
    run = replace(RUN, results=(mixed.into(RUN.results[0]),))
    again = read(parasites(run).get)
    assert again == run
    assert again is not None
    assert Mixed.of(again.results[0]) == mixed


def test_a_fill_that_is_not_mixed_remembers_none() -> None:
    assert Mixed.of(RUN.results[0]) is None


@pytest.mark.parametrize(
    "name", ["Candidate 2, seed 8", "Candidate 2, seed 8: smile +1", "2 · seed 8"]
)
def test_a_layer_is_found_whichever_version_named_it(name: str) -> None:
    old = Other(8, name, recipe(8))
    found = read_mix({"mix": name, "levels": "", "amount": 1.0}.__getitem__, (PHOTO, old))
    assert found == Mix(8, LEVELS, 1.0)
