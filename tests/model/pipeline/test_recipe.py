"""Recipes and attachments: written, read, and kept within 64 KiB."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.model_view import ModelInput
from inpaint_model.pipeline.recipe import (
    AttachmentError,
    Group,
    MixingNote,
    Recipe,
    RecipeError,
    read_attachment,
    read_recipe,
    write_attachment,
    write_recipe,
)

finite = st.floats(-1e6, 1e6)
boxes = st.builds(
    Box, st.integers(-99, 9999), st.integers(-99, 9999), st.integers(1, 99), st.integers(1, 99)
)


def codes(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


recipes = st.builds(
    Recipe,
    model=st.text(max_size=20),
    weights_sha256=st.just("a" * 64),
    generator_sha256=st.just("b" * 64),
    seed=st.integers(0, 2**32 - 1),
    truncation_psi=st.floats(0, 1),
    edits=st.dictionaries(st.text(max_size=8), st.floats(-9, 9), max_size=3),
    mixing=st.none() | st.builds(MixingNote, st.just(("structure", "colors")), st.floats(0, 1)),
    document=st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    box=boxes,
    blending=st.builds(
        BlendSettings,
        st.booleans(),
        st.booleans(),
        st.floats(0, 256),
        st.booleans(),
        st.booleans(),
    ),
    groups=st.lists(
        st.builds(
            Group,
            frame=st.builds(Frame, finite, finite, st.floats(1, 1e6), finite),
            box=boxes,
            ws_out=st.builds(codes, st.integers(0, 9), st.just(28)),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


@settings(deadline=None)
@given(recipe=recipes)
def test_what_is_read_is_what_was_written(recipe: Recipe) -> None:
    again = read_recipe(write_recipe(recipe))
    for name in Recipe.__dataclass_fields__:
        if name != "groups":
            assert getattr(again, name) == getattr(recipe, name)
    for ours, theirs in zip(recipe.groups, again.groups, strict=True):
        assert (ours.frame, ours.box) == (theirs.frame, theirs.box)
        assert ours.ws_out is not None
        assert theirs.ws_out is not None
        assert ours.ws_out.tobytes() == theirs.ws_out.tobytes()


def example(num_groups: int, size: int) -> Recipe:
    group = Group(Frame(1.0, 2.0, 30.0, 4.0), Box(1, 2, 3, 4), codes(0, size))
    return Recipe(
        "m", "a", "b", 1, 1.0, {}, None, (9, 9), Box(1, 2, 3, 4), BlendSettings(),
        (group,) * num_groups,
    )  # fmt: skip


def test_a_recipe_from_before_there_was_detail_has_none() -> None:
    content = json.loads(write_recipe(example(1, 4)))
    assert content["blending"].pop("detail") is True
    assert read_recipe(json.dumps(content)).blending == BlendSettings(detail=False)


def test_the_codes_of_a_paper_sized_model_fit() -> None:
    text = write_recipe(example(1, 18 * 512))
    assert len(text) <= 64 << 10
    assert read_recipe(text).groups[0].ws_out is not None


def test_codes_that_do_not_fit_are_left_out_from_the_end() -> None:
    text = write_recipe(example(3, 14 * 512))
    assert len(text) <= 64 << 10
    kept = [group.ws_out is not None for group in read_recipe(text).groups]
    assert kept == [True, False, False]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("seed", -1, "`seed` must be at least 0, not -1"),
        ("seed", 2**32, "`seed` must be at most 4294967295, not 4294967296"),
        ("seed", True, "`seed` must be a whole number, not True"),
        ("truncation_psi", 2, "`truncation_psi` must be at most 1, not 2"),
        ("edits", [], "`edits` must hold `key: value` pairs, not []"),
        ("edits", {"a": "b"}, "`edits.a` must be a number, not 'b'"),
        ("edits", {"a": 1e9}, "`edits.a` must be at most 1000, not 1000000000.0"),
        ("blending", {"colour_match": 1}, "`blending.colour_match` must be true or false, not 1"),
        ("blending", {"colour_match": True}, "`blending.gradient` is missing"),
        (
            "blending",
            {**asdict(BlendSettings()), "detail": None},
            "`blending.detail` must be true or false, not None",
        ),
        ("document", [1], "`document[1]` is missing"),
        ("document", [1, 2, 3], "`document` must have 2 or fewer entries, not [1, 2, 3]"),
        ("box", [1, 2, 3.5, 4], "`box[2]` must be a whole number, not 3.5"),
        ("groups", [], "`groups` must have 1 or more entries, not []"),
        ("groups", [{}], "`groups[0].frame` is missing"),
        ("mixing", {"levels": ["a"]}, "`mixing.amount` is missing"),
    ],
)
def test_a_wrong_value_is_named(key: str, value: object, words: str) -> None:
    content = json.loads(write_recipe(example(1, 4)))
    content[key] = value
    with pytest.raises(RecipeError) as raised:
        read_recipe(json.dumps(content))
    assert str(raised.value).startswith("the recipe is not a recipe: ")
    assert words in str(raised.value)


def sources(count: int, resolution: int = 16) -> list[ModelInput]:
    rng = np.random.default_rng(0)
    result = []
    for _ in range(count):
        hole = np.where(rng.random((resolution, resolution)) < 0.3, 255, 0).astype(np.uint8)
        image = rng.integers(0, 256, (resolution, resolution, 3)).astype(np.uint8)
        result.append(ModelInput(np.where(hole[..., None] > 0, 0, image).astype(np.uint8), hole))
    return result


@pytest.mark.parametrize("count", [1, 3])
def test_attachments_are_lossless(count: int) -> None:
    written = sources(count)
    read = read_attachment(write_attachment(written), 16, count)
    for ours, theirs in zip(written, read, strict=True):
        assert ours.erased.tobytes() == theirs.erased.tobytes()
        assert ours.hole.tobytes() == theirs.hole.tobytes()


def test_an_attachment_of_another_size_is_refused_before_it_is_decoded() -> None:
    data = write_attachment(sources(1, 64))
    with pytest.raises(AttachmentError, match="is RGBA of 64 x 64 px, must be RGBA of 16 x 16 px"):
        read_attachment(data[:200], 16, 1)
