"""Which layers a run leaves: names, order, pixels."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_client import (
    Box,
    Candidate,
    Extent,
    Method,
    Patch,
    Picture,
    Progress,
    SampleType,
    Transfer,
)
from inpaint_gimp.runs.collector import Collector
from inpaint_gimp.runs.layers import (
    Rendering,
    group_name,
    layer_name,
    layer_pixels,
    layer_strips,
    reduced,
    sheet_caption,
    short_name,
    stacked,
)

RNG = np.random.default_rng(3)


def patch(box: Box, channels: int = 3, sample_type: SampleType = SampleType.U8) -> Patch:
    size = box.extent.area * channels * sample_type.size
    fill = Picture(box.width, box.height, channels, RNG.bytes(size), sample_type, Transfer.SRGB)
    return Patch(fill, Picture(box.width, box.height, 1, RNG.bytes(box.extent.area)), box)


def candidate(index: int = 0, variant: int = -1, **values: object) -> Candidate:
    parts = {
        "seed": 40 + index,
        "patches": (patch(Box(5, 6, 4, 3)),),
        "recipe": '{"format": 1, "model": "m", "seed": 40}',
        "attachment": b"png" if variant < 0 else b"",
        **values,
    }
    return Candidate(index=index, variant=variant, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_coverage_becomes_the_alpha(channels: int) -> None:
    one = candidate(patches=(patch(Box(5, 6, 4, 3), channels),))
    made = layer_pixels(one)
    assert made.box == Box(5, 6, 4, 3)
    assert made.babl == ("Y'A u8" if channels == 1 else "R'G'B'A u8")
    colors = min(channels, 3)
    array = np.frombuffer(made.data, np.uint8).reshape(3, 4, colors + 1)
    fill = np.frombuffer(one.patches[0].fill.data, np.uint8).reshape(3, 4, channels)
    coverage = np.frombuffer(one.patches[0].coverage.data, np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(array[..., :colors], fill[..., :colors])
    np.testing.assert_array_equal(array[..., -1], coverage)


def test_separate_holes_share_a_layer_that_is_transparent_in_between() -> None:
    first, second = patch(Box(0, 10, 3, 3)), patch(Box(20, 4, 2, 5))
    made = layer_pixels(candidate(patches=(first, second)))
    assert made.box == Box(0, 4, 22, 9)
    alpha = np.frombuffer(made.data, np.uint8).reshape(9, 22, 4)[..., 3]
    one = np.frombuffer(first.coverage.data, np.uint8).reshape(3, 3)
    two = np.frombuffer(second.coverage.data, np.uint8).reshape(5, 2)
    np.testing.assert_array_equal(alpha[6:9, :3], one)
    np.testing.assert_array_equal(alpha[:5, 20:], two)
    assert np.count_nonzero(alpha) == np.count_nonzero(one) + np.count_nonzero(two)


def test_strips_paint_what_the_whole_layer_has() -> None:
    one = candidate(patches=(patch(Box(0, 10, 700, 700)), patch(Box(500, 4, 300, 600))))
    whole = layer_pixels(one)
    painted = np.zeros((whole.box.height, whole.box.width, 4), np.uint8)
    strips = list(layer_strips(one))
    assert len(strips) == 3
    for strip in strips:
        x, y, width, height = strip.box
        rows = np.frombuffer(strip.data, np.uint8).reshape(height, width, 4)
        painted[y : y + height, x : x + width] = rows
    assert painted.tobytes() == whole.data


@pytest.mark.parametrize("sample_type", [SampleType.U8, SampleType.U16])
def test_a_reduced_candidate_has_one_pixel_for_each_square(sample_type: SampleType) -> None:
    one = candidate(patches=(patch(Box(7, 9, 20, 8), sample_type=sample_type),))
    (small,) = reduced(one, 3).patches
    assert small.box == Box(2, 3, 6, 2)
    assert (small.fill.extent, small.coverage.extent) == (Extent(6, 2), Extent(6, 2))
    size = sample_type.size
    before = np.frombuffer(one.patches[0].fill.data, f"u{size}").reshape(8, 20, 3)
    after = np.frombuffer(small.fill.data, f"u{size}").reshape(2, 6, 3)
    np.testing.assert_array_equal(after, before[1:6:3, 1:18:3])
    (same,) = reduced(one, 1).patches
    assert same.fill.data == one.patches[0].fill.data
    thin = candidate(patches=(patch(Box(7, 9, 20, 1)),))
    assert reduced(thin, 5).patches[0].fill.extent == Extent(4, 1)


def test_names_contain_seed_and_edits() -> None:
    assert layer_name(Rendering(candidate(1), {})) == "2 · seed 41"
    edited = Rendering(candidate(), {"smile": 1.5, "age": 0})
    assert layer_name(edited) == "1 · seed 40 · Smile +1.5"
    smooth = Rendering(candidate(4, seed=0, method=Method.SMOOTH), {})
    assert layer_name(smooth) == "5 · smooth"
    assert short_name(smooth) == "smooth"
    assert group_name("faces", 3) == "Seed 3 · Inpaint · faces"
    assert group_name("", 3) == "Seed 3 · Inpaint"


def test_captions_of_a_contact_sheet_have_the_edits_apart() -> None:
    edited = sheet_caption(Rendering(candidate(1), {"smile": 1.0, "hair_color": -0.5}, copy=1))
    assert str(edited.title) == "2 · copy 1 · seed 41"
    assert edited.changes == ("Smile +1", "Hair color -0.5")
    smooth = sheet_caption(Rendering(candidate(2, method=Method.SMOOTH), {}))
    assert (str(smooth.title), smooth.changes) == ("3 · smooth", ())


def test_a_smooth_candidate_has_none_of_the_runs_edits() -> None:
    collector = Collector({"age": 1})
    for arrived in (candidate(0), candidate(1, seed=0, method=Method.SMOOTH)):
        collector.receive(arrived)
    first, smooth = collector.renderings
    assert first.edits == {"age": 1}
    assert smooth.edits == {}


def test_one_layer_is_visible_and_variants_share_their_candidates_attachment() -> None:
    collector = Collector({"age": 1, "smile": 1}, ({"smile": 2},))
    for arrived in (candidate(1), candidate(0), candidate(0, 0), candidate(1, 0)):
        collector.receive(arrived)
    collector.receive(Progress(4, 4))
    layers = stacked(collector.renderings, 2, Extent(50, 60), layer_tattoo=9)
    assert [layer.name for layer in layers] == [
        "1 · seed 40 · Age +1, Smile +1",
        "1 · seed 40 · Age +1, Smile +2",
        "2 · seed 41 · Age +1, Smile +1",
        "2 · seed 41 · Age +1, Smile +2",
    ]
    assert [layer.visible for layer in layers] == [False, False, True, False]
    runs = [layer.run for layer in layers]
    assert all(run and run.results[0].attachment == b"png" for run in runs)
    (first, edited, *_) = runs
    assert first is not None
    assert edited is not None
    assert (first.document, first.hole_box, first.source) == (Extent(50, 60), Box(5, 6, 4, 3), "9")
    assert (edited.results[0].variant, edited.results[0].edits) == (0, {"age": 1, "smile": 2})
