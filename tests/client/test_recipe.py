"""Recipes are read with suspicion."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import InputError, Method, parse_recipe

RECIPE = {"format": 1, "model": "portrait", "seed": 7, "edits": {"smile": 1.5}, "other": [1, 2]}


def test_a_recipe_shows_its_main_fields_and_keeps_the_rest() -> None:
    text = json.dumps(RECIPE)
    recipe = parse_recipe(text)
    assert (recipe.model, recipe.seed, recipe.edits) == ("portrait", 7, {"smile": 1.5})
    assert recipe.truncation_psi == 1.0
    assert recipe.text == text
    assert recipe.fields["other"] == [1, 2]


def test_a_recipe_identifies_a_smooth_fill() -> None:
    assert parse_recipe(json.dumps(RECIPE)).method is Method.MODEL
    smooth = json.dumps({**RECIPE, "format": 2, "method": "smooth"})
    assert parse_recipe(smooth).method is Method.SMOOTH


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a recipe"),
        ("[]", "not a recipe"),
        ("{}", "not a recipe"),
        ('{"format": 3}', "format 3.*Update"),
        ('{"format": 1}', "incomplete"),
        ('{"format": 1, "model": "m", "seed": "x"}', "incomplete"),
        ('{"format": 1, "model": "m", "seed": 1e999}', "incomplete"),
        ('{"format": 1, "model": "m", "seed": 1, "edits": 5}', "incomplete"),
        ('{"format": 1, "model": "m", "seed": 1, "edits": []}', "incomplete"),
        ('{"format": 1, "model": "m", "seed": 1, "edits": {"a": null}}', "incomplete"),
        (json.dumps(RECIPE | {"x": "y" * 65536}), "larger than 64 KiB"),
    ],
)
def test_what_is_no_recipe(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_recipe(text)


@given(st.text() | st.recursive(st.none() | st.integers(), st.lists).map(json.dumps))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_recipe(text)
