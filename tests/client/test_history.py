"""What documents remember of their fills survives them, and what is damaged is refused in words."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import Box, Extent, InputError, Method, StyleLevel, StyleMix
from inpaint_client.events import Scores
from inpaint_client.session.history import PastRun, Result, attachment_of, pack, unpack
from inpaint_client.session.mixer_pad import MixerPad

RUN = PastRun(
    key="20261122T1430",
    time="2026-11-22T14:30:00+01:00",
    model="Faces",
    title="Inpaint · Faces · seed 5",
    group="{g}",
    document=Extent(640, 480),
    hole_box=Box(10, 20, 30, 40),
    coverage=bytes(i % 256 for i in range(1200)),
    source="{s}",
    results=(
        Result(5, "{a}", '{"seed":5}', 0, -1, b"image", {}, True),
        Result(5, "{b}", '{"seed":5}', 0, 0, b"", {"smile": 1.5}),
        Result(
            6,
            "{c}",
            '{"seed":6}',
            1,
            -1,
            b"image",
            mix=StyleMix("{a}", (StyleLevel.FEATURES,), 0.25),
            unmixed='{"seed":6,"mixing":null}',
            mixed_recipe='{"seed":5}',
            scores=Scores(0.75, 0.5),
        ),
    ),
    chosen=1,
)


def test_a_run_survives_the_document() -> None:
    assert unpack(pack(RUN), RUN.key) == RUN
    assert RUN.seeds == (5, 6)


def test_the_recipe_shows_that_a_result_is_smooth() -> None:
    recipe = '{"format":2,"method":"smooth","model":"faces","seed":0}'
    smooth = Result(0, "{d}", recipe, 2, method=Method.SMOOTH)
    run = replace(RUN, results=(*RUN.results, smooth))
    again = unpack(pack(run), RUN.key)
    assert again == run
    assert [result.is_smooth for result in again.results] == [False, False, False, True]
    assert again.seeds == (5, 6)


TEXTS = st.text(max_size=8)
MIXES = st.builds(
    StyleMix,
    st.none() | st.text(min_size=1, max_size=8),
    st.sets(st.sampled_from(StyleLevel)).map(lambda levels: tuple(sorted(levels))),
    st.floats(0, 1),
    st.none()
    | st.builds(MixerPad, st.tuples(TEXTS, TEXTS, TEXTS), st.floats(0, 1), st.floats(0, 1)),
)
RESULTS = st.builds(
    Result,
    seed=st.integers(0, 2**32 - 1),
    layer=TEXTS,
    recipe=TEXTS,
    index=st.integers(0, 99),
    variant=st.integers(-1, 99),
    attachment=st.binary(max_size=8),
    edits=st.dictionaries(TEXTS, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
    starred=st.booleans(),
)


@given(RESULTS, MIXES, TEXTS, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_any_run_survives(
    result: Result, mix: StyleMix[str], text: str, width: int, height: int, has_coverage: bool
) -> None:
    mixed = replace(result, mix=mix, unmixed="before", mixed_recipe=text)
    coverage = bytes(range(width * height)) if has_coverage else b""
    box = Box(-3, 4, width, height)
    run = replace(RUN, hole_box=box, coverage=coverage, source=text, results=(result, mixed))
    assert unpack(pack(run), RUN.key) == run


def test_equal_attachments_are_stored_once() -> None:
    large = replace(RUN.results[0], attachment=bytes(range(256)) * 400)
    run = RUN.with_result(0, large).with_result(2, replace(large, layer="{c}"))
    assert len(pack(run)) < 1.7 * len(large.attachment)
    assert unpack(pack(run), run.key) == run


def test_a_variant_shares_its_candidates_attachment() -> None:
    assert attachment_of(RUN, RUN.results[1]) == b"image"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[1]", b'{"format":2}', b"\xff\xfe", pack(RUN)[:-9], b'"text"']
)
def test_damaged_bytes_are_refused_with_a_message(data: bytes) -> None:
    with pytest.raises(InputError):
        unpack(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


WITH_PAD = replace(
    RUN.results[0],
    mix=StyleMix(pad=MixerPad(("{b}", "{c}", ""), 0.5, 0.25)),
    unmixed="before",
    corner_recipes=("b", "c", ""),
)


def test_the_dot_of_a_mixer_pad_is_where_it_was() -> None:
    run = RUN.with_result(0, WITH_PAD)
    assert unpack(pack(run), RUN.key) == run
    # A version that does not know the pad reads a result that is not mixed.
    assert json.loads(pack(run))["results"][0]["mix"]["other"] == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [("x", 1.5), ("y", -0.1), ("x", "left"), ("corners", ["{b}"]), ("corners", None)],
)
def test_a_dot_outside_its_pad_is_refused(key: str, value: object) -> None:
    content = json.loads(pack(RUN.with_result(0, WITH_PAD)))
    content["results"][0]["mix"]["pad"][key] = value
    with pytest.raises(InputError):
        unpack(json.dumps(content).encode())


@given(st.sampled_from(sorted(json.loads(pack(RUN)))), JSON)
def test_a_key_of_any_value_is_read_or_refused_with_a_message(key: str, value: object) -> None:
    content = {**json.loads(pack(RUN)), key: value}
    with contextlib.suppress(InputError):
        unpack(json.dumps(content).encode())


@given(st.sampled_from(sorted(json.loads(pack(RUN))["results"][2])), JSON)
def test_a_results_key_of_any_value_is_read_or_refused_with_a_message(
    key: str, value: object
) -> None:
    content = json.loads(pack(RUN))
    content["results"][2][key] = value
    with contextlib.suppress(InputError):
        unpack(json.dumps(content).encode())


def test_a_coverage_bomb_is_refused() -> None:
    bomb = pack(replace(RUN, coverage=bytes(50_000_000)))
    with pytest.raises(InputError):
        unpack(bomb)
