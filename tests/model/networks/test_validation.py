"""Untrusted files: valid values pass unchanged, invalid ones get one sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
import yaml
from annotated_types import Interval, Len
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.bundle.manifest import AnyDocument, InpainterDocument
from inpaint_model.networks.config import BASELINES
from inpaint_model.networks.validation import (
    Finite,
    Flag,
    Number,
    ReadAs,
    Several,
    Text,
    Whole,
    closed,
    json_schema,
    validated,
)


@closed
@dataclass(frozen=True)
class Part:
    size: Annotated[Whole, Interval(ge=1, le=9)]
    colour: Literal["red", "green"] = "red"

    def __post_init__(self) -> None:
        if self.size == 7:
            raise ValueError("seven is taken")


@closed
@dataclass(frozen=True)
class Thing:
    name: Text
    parts: Annotated[Several[Part], Len(0, 2)] = ()
    pair: tuple[Finite, Finite] = (0.0, 1.0)
    ready: Flag = False
    spare: Part | None = None
    figures: Mapping[Text, Number] = field(default_factory=dict)
    code: Annotated[bytes, ReadAs(Text, bytes.fromhex)] = b""


def test_every_kind_of_value() -> None:
    read = validated(
        Thing,
        {
            "name": "a",
            "parts": [{"size": 3}, {"size": 1, "colour": "green"}],
            "pair": [1, 2.5],
            "ready": True,
            "spare": {"size": 9},
            "figures": {"x": 1, "y": math.inf},
            "code": "0aff",
        },
    )
    assert read == Thing(
        "a", (Part(3), Part(1, "green")), (1.0, 2.5), True, Part(9),
        {"x": 1.0, "y": math.inf}, b"\x0a\xff",
    )  # fmt: skip
    assert all(type(number) is float for number in (*read.pair, *read.figures.values()))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"nme": "a"}, "unknown key `nme`; did you mean `name`?"),
        ({"name": "a", 7: 1}, "unknown key `7`; did you mean `"),
        ({"name": "a", "spare": {"sise": 1}}, "key `spare.sise`; did you mean `spare.size`?"),
        ({"name": "a", "parts": [{"sise": 1}]}, "`parts[0].sise`; did you mean `parts[0].size`?"),
        ({"name": "a", "a\nb" * 50: 1}, "unknown key `'a\\nba\\nb"),
        ({}, "`name` is missing"),
        ({"name": "a", "parts": [{"size": 1}, {}]}, "`parts[1].size` is missing"),
        ({"name": "a", "pair": [1]}, "`pair[1]` is missing"),
        ({"name": "a", "pair": [1, 2, 3]}, "`pair` must have 2 or fewer entries, not [1, 2, 3]"),
        ({"name": "a", "parts": [{"size": 1}] * 3}, "`parts` must have 2 or fewer entries"),
        ({"name": "a", "parts": "ab"}, "`parts` must be a list, not 'ab'"),
        ({"name": "a", "pair": [1, True]}, "`pair[1]` must be a number, not True"),
        ({"name": "a", "pair": ["1", 2]}, "`pair[0]` must be a number, not '1'"),
        ({"name": "a", "pair": [math.nan, 2]}, "`pair[0]` must be a finite number, not nan"),
        ({"name": "a", "pair": [10**400, 2]}, "`pair[0]` must be a number, not 1000"),
        ({"name": "a", "pair": [1 << 99999, 2]}, "`pair[0]` must be a number, not "),
        ({"name": "a", "ready": 1}, "`ready` must be true or false, not 1"),
        ({"name": "a", "spare": {"size": True}}, "`spare.size` must be a whole number, not True"),
        ({"name": "a", "spare": {"size": 2.0}}, "`spare.size` must be a whole number, not 2.0"),
        ({"name": "a", "spare": {"size": 0}}, "`spare.size` must be at least 1, not 0"),
        ({"name": "a", "spare": {"size": 10}}, "`spare.size` must be at most 9, not 10"),
        ({"name": "a", "spare": {"size": 7}}, "`spare`: seven is taken"),
        ({"name": "a", "spare": [1]}, "`spare` must hold `key: value` pairs, not [1]"),
        (
            {"name": "a", "spare": {"size": 1, "colour": "blue"}},
            "`spare.colour` must be 'red' or 'green', not 'blue'",
        ),
        ({"name": b"a"}, "`name` must be text, not b'a'"),
        ({"name": "a", "code": "0"}, "`code`: non-hexadecimal number"),
        ({"name": "a", "figures": {"x": None}}, "`figures.x` must be a number, not None"),
        ({"name": "a", "figures": {7: 1}}, "`figures` must have keys that each be text"),
        ([1], "the file must hold `key: value` pairs, not [1]"),
        (None, "the file must hold `key: value` pairs, not None"),
    ],
)
def test_what_is_wrong_is_one_sentence(values: object, sentence: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (the message is what is tested)
        validated(Thing, values)
    assert sentence in str(raised.value)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 200


def test_a_small_file_that_expands_to_a_large_one_is_refused_at_once() -> None:
    lists = "".join(f", &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, 12))
    bomb = yaml.safe_load(f"[&a0 [1]{lists}]")[-1]
    for key in ("name", "parts", "pair", "figures", "unknown"):
        with pytest.raises(ValueError, match=key):
            validated(Thing, {"name": "a", key: bomb})


texts = st.text(st.characters(exclude_categories=()))  # halves of surrogate pairs included
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(), inner),
    max_leaves=6,
)


@settings(deadline=None)
@given(key=st.sampled_from([*Thing.__dataclass_fields__, "other"]), value=values)
def test_any_value_gives_a_thing_or_one_sentence(key: str, value: Any) -> None:
    try:
        validated(Thing, {"name": "a", key: value})
    except ValueError as error:
        sentence = str(error)
    else:
        sentence = f"{key} is right"
    assert sentence.isprintable()
    assert key in sentence


def test_one_wrong_entry_is_enough() -> None:
    wrong = [{f"key {k}": None for k in range(1000)}] * 1_000_000
    with pytest.raises(ValueError, match=re.escape("unknown key `parts[0].key 0`")):
        validated(Thing, {"name": "a", "parts": wrong})


def test_schemas_describe_what_is_checked() -> None:
    schema = json_schema(Thing, "a thing")
    assert schema["required"] == ["name"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["code"] == {"default": "", "type": "string"}
    part = schema["$defs"]["Part"]["properties"]
    assert part["size"] == {"maximum": 9, "minimum": 1, "type": "integer"}
    assert part["colour"]["enum"] == ["red", "green"]
    document = json_schema(InpainterDocument, "model.yaml")
    assert "additionalProperties" not in document
    assert document["$defs"]["GeneratorConfig"]["additionalProperties"] is False


def test_the_schema_of_a_model_has_the_methods_of_every_table() -> None:
    schema = json_schema(AnyDocument, "model.yaml")
    assert {kind["$ref"].rpartition("/")[2] for kind in schema["anyOf"]} == {
        "GeneratorDocument",
        "InpainterDocument",
        "BaselineDocument",
    }
    assert schema["$defs"]["BaselineConfig"]["properties"]["arch"]["enum"] == list(BASELINES)
