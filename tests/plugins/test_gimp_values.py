"""Arguments, texts, precisions, parasites: what GIMP keeps as plain values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import (
    Blending,
    Box,
    Extent,
    Frame,
    FrameMode,
    InputError,
    Model,
    SampleType,
    SmoothFill,
    StyleMix,
    Transfer,
)
from inpaint_client.session.history import PastRun, Result, pack
from inpaint_gimp.host.parasites import (
    ATTACHMENT,
    FILL,
    parasites,
    read,
    read_without_attachment,
)
from inpaint_gimp.host.precision import document_format
from inpaint_gimp.runs.arguments import Argument, FillSettings, Kind, edit_arguments, fill_arguments
from inpaint_gimp.runs.edits import (
    describe_edits,
    format_edits,
    parse_edits,
    parse_frame,
    parse_variants,
)
from inpaint_gimp.runs.last_values import read_values
from inpaint_gimp.translation import CATALOG

DEFAULTS = {argument.name: argument.default for argument in fill_arguments()}


def settings(**values: object) -> FillSettings:
    known = {**DEFAULTS, **{name.replace("_", "-"): value for name, value in values.items()}}
    return FillSettings.read(known.__getitem__)


def test_the_defaults_ask_for_four_candidates_with_a_new_seed() -> None:
    read = settings()
    assert (read.candidates, read.seed, read.truncation, read.frame) == (
        4,
        None,
        0.8,
        FrameMode.AUTO,
    )
    assert read.group
    assert read.smooth is SmoothFill.AUTO
    assert not read.from_layer
    assert read.with_seed(lambda: 5).seed == 5


def test_a_given_seed_stays() -> None:
    read = settings(new_seed=False, seed=4294967295)
    assert read.with_seed(lambda: 5).seed == 4294967295


def test_all_values_arrive() -> None:
    read = settings(
        model=" faces ",
        edits="smile=1.5,age=-2",
        variants="smile=2; age=1, smile=0",
        context="frame",
        frame="10, 20, 300, -5",
        source="layer",
        smooth="never",
        group=False,
        color_match=False,
        gradient=False,
        grain=False,
        detail=False,
        feather=12.0,
    )
    assert read.model == "faces"
    assert read.edits == {"smile": 1.5, "age": -2.0}
    assert read.variants == (
        {"smile": 2.0},
        {"age": 1.0, "smile": 0.0},
    )
    assert read.frame == Frame(10, 20, 300, -5)
    assert read.from_layer
    assert read.smooth is SmoothFill.NEVER
    assert not read.group
    assert read.blending == Blending(
        colour_match=False, gradient=False, grain=False, detail=False, feather_px=12.0
    )


@pytest.mark.parametrize("text", ["smile", "smile=", "=1", "smile=much", "a=1,b"])
def test_what_is_no_edit_is_named(text: str) -> None:
    with pytest.raises(InputError, match="NAME=VALUE"):
        parse_edits(text)


@pytest.mark.parametrize("text", ["", "1,2", "1,2,0", "1,2,-3", "1,2,3,4,5", "a,b,c"])
def test_what_is_no_frame_is_named(text: str) -> None:
    with pytest.raises(InputError, match="X, Y, SIDE, ANGLE"):
        parse_frame(text)


names = st.text("abcdefghijklmnopqrstuvwxyz_-0123456789", min_size=1, max_size=12)
values = st.floats(-20, 20).map(lambda value: float(f"{value:g}")).filter(bool)


@given(st.dictionaries(names, values, max_size=6))
def test_edits_survive_being_text(edits: dict[str, float]) -> None:
    assert list(parse_edits(format_edits(edits)).items()) == list(edits.items())


def test_zero_edits_are_not_written() -> None:
    edits = {"smile": 0.0, "face_width": -1.5}
    assert format_edits(edits) == "face_width=-1.5"
    assert describe_edits(edits) == "Face width -1.5"
    CATALOG.use_languages(["de"])
    try:
        assert format_edits(edits) == "face_width=-1.5"  # an argument, the same in every language
        assert describe_edits(edits) == "Gesichtsbreite -1,5"
    finally:
        CATALOG.use_languages(["en"])


def test_blank_texts_are_nothing() -> None:
    assert parse_edits("  ") == {}
    assert parse_variants(" ; ;") == ()


@pytest.mark.parametrize("argument", [*fill_arguments(), *edit_arguments()], ids=lambda a: a.name)
def test_every_argument_is_documented_and_its_default_allowed(argument: Argument) -> None:
    assert argument.label
    assert argument.help
    if argument.kind is Kind.CHOICE:
        assert argument.default in [choice.nick for choice in argument.choices]
        assert all(choice.label and choice.help for choice in argument.choices)
    elif argument.kind in (Kind.WHOLE, Kind.REAL):
        assert isinstance(argument.default, int | float)
        assert argument.minimum <= argument.default <= argument.maximum


@pytest.mark.parametrize(
    ("precision", "sample_type", "transfer", "babl"),
    [
        ("u8-non-linear", SampleType.U8, Transfer.SRGB, "R'G'B'A u8"),
        ("u8-linear", SampleType.U8, Transfer.LINEAR, "RGBA u8"),
        ("u16-perceptual", SampleType.U16, Transfer.SRGB, "R'G'B'A u16"),
        ("u32-non-linear", SampleType.F32, Transfer.SRGB, "R'G'B'A float"),
        ("half-linear", SampleType.F16, Transfer.LINEAR, "RGBA half"),
        ("double-linear", SampleType.F32, Transfer.LINEAR, "RGBA float"),
    ],
)
def test_precisions_are_sent_without_loss_of_what_they_can_show(
    precision: str, sample_type: SampleType, transfer: Transfer, babl: str
) -> None:
    stored = document_format(precision)
    assert (stored.sample_type, stored.transfer) == (sample_type, transfer)
    assert stored.babl("RGBA") == babl


RUN = PastRun(
    document=Extent(50, 60),
    hole_box=Box(1, -2, 3, 4),
    source="7",
    results=(Result(3, "", "{}", 2, -1, b"\x89PNG\0\xff", {"smile": 1.0}),),
)


def test_a_fill_survives_its_parasites() -> None:
    assert read(parasites(RUN).get) == RUN
    without = replace(RUN, results=(replace(RUN.results[0], attachment=b""),))
    assert read_without_attachment(parasites(RUN).get) == without


@pytest.mark.parametrize("lost", list(parasites(RUN)))
def test_a_fill_is_complete_or_none(lost: str) -> None:
    stored = parasites(RUN)
    del stored[lost]
    assert read(stored.get) is None


@given(st.binary(max_size=60))
def test_strange_parasites_are_no_fill(data: bytes) -> None:
    assert read({**parasites(RUN), FILL: data}.get) is None


@pytest.mark.parametrize("name", ["{a}", "-1", "4294967296", "1.5"])
def test_what_is_no_tattoo_is_no_fill(name: str) -> None:
    mixed = replace(RUN.results[0], mix=StyleMix(name), unmixed="{}")
    for run in (replace(RUN, source=name), replace(RUN, results=(mixed,))):
        assert read(parasites(run).get) is None


def test_a_layer_remembers_one_result() -> None:
    stored = {FILL: pack(replace(RUN, results=RUN.results * 2)), ATTACHMENT: b"png"}
    assert read(stored.get) is None


RECORD = """# settings

(model "gesichter \\303\\274")
(candidates 3)
(new-seed no)
(seed 4294967295)
(truncation 0.50000000000000004)
(edits "smile=1.5, age=-2")
(variants "a \\"quoted\\" one")
(context "frame")
(frame "1,2,30,0")
(source "elsewhere")
(group no)
(feather much)

# end of settings
"""


def test_gimps_record_of_last_values_is_read() -> None:
    values = read_values(RECORD, fill_arguments())
    assert values == DEFAULTS | {
        "model": "gesichter ü",
        "candidates": 3,
        "new-seed": False,
        "seed": 4294967295,
        "truncation": 0.5,
        "edits": "smile=1.5, age=-2",
        "variants": 'a "quoted" one',
        "context": "frame",
        "frame": "1,2,30,0",
        "group": False,
    }  # what makes no sense (source, feather) has its default


@pytest.mark.slow
@given(st.text(max_size=80))
def test_no_record_is_the_defaults(text: str) -> None:
    assert read_values(text.replace("(", ""), fill_arguments()) == DEFAULTS


def test_settings_keep_to_what_the_model_can_do() -> None:
    asked = settings(candidates=4, edits="smile=1", variants="age=2")
    single, fixed = Model("s", single_candidate=True), Model("f", no_edits=True)
    for able in (None, Model("able")):
        assert asked.possible(able).without_refused_edits(able) == asked
    assert asked.possible(single) == replace(asked, candidates=1)
    assert asked.without_refused_edits(single) == asked
    assert asked.possible(fixed) == asked
    assert asked.without_refused_edits(fixed) == replace(asked, edits={}, variants=())
