"""The whole way from a document to the model and back, at every depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from compositing import composited, filled
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document.blending import RAW
from inpaint_model.document.color import quantize, srgb_from_linear
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.hole import Hole
from inpaint_model.document.placement import BlendFit, place
from inpaint_model.framing.frame_holes import Model, frame_holes


@dataclass
class Stub:
    """All that the mode "box" asks a model for."""

    resolution: int = 32


def smooth_image(width: int, height: int, channels: int = 3) -> np.ndarray:
    """Display values in 0.2..0.8, float32."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    layers = [0.5 + 0.3 * np.sin(x / (9 + 3 * c) + y / (17 - 2 * c)) for c in range(channels)]
    if channels == 4:
        layers[3] = np.ones_like(x)
    return np.stack(layers, axis=2)


def box_coverage(width: int, height: int, box: Box, value: int = 255) -> np.ndarray:
    coverage = np.zeros((height, width), np.uint8)
    box.cut(coverage)[...] = value
    return coverage


DTYPES = [np.uint8, np.uint16, np.float16, np.float32]


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_only_the_hole_changes_at_any_depth(dtype: Any, channels: int, linear: bool) -> None:
    random = np.random.default_rng(3)
    if np.dtype(dtype).kind == "u":
        pixels = random.integers(0, np.iinfo(dtype).max, (70, 90, channels), dtype)
    else:
        pixels = (random.random((70, 90, channels)) * 3 - 0.5).astype(dtype)
    coverage = box_coverage(90, 70, Box(30, 20, 25, 30))
    coverage[22, 33] = 100
    image = DocumentImage(pixels, linear)
    (placement,) = frame_holes(cast(Model, Stub()), image, Hole(coverage), frame="box")
    patch = BlendFit.of(placement, random.random((32, 32, 3), np.float32)).to_patch()
    assert patch.fill.dtype == dtype
    assert patch.fill.shape == (30, 25, channels)
    assert np.array_equal(patch.coverage, patch.box.cut(coverage))
    result = composited(image, [patch])
    assert result.dtype == dtype
    assert np.array_equal(result[coverage == 0], pixels[coverage == 0])
    full = coverage == 255
    assert np.array_equal(result[full], patch.fill[patch.box.cut(full)])
    assert (result[full] != pixels[full]).mean() > 0.5


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(
    st.builds(
        Frame,
        cx=st.floats(80, 120),
        cy=st.floats(60, 100),
        side=st.floats(60, 160),
        angle=st.floats(-180, 180),
    )
)
def test_a_model_that_returns_what_it_sees_returns_the_image(frame: Frame) -> None:
    pixels = quantize(smooth_image(200, 160), np.uint16)
    image = DocumentImage(pixels)
    dot = Hole(box_coverage(200, 160, Box(int(frame.cx), int(frame.cy), 1, 1), 1))
    seen = place(image, dot, frame, 128).source.erased.astype(np.float32) / np.float32(255)
    hole = Box(int(frame.cx) - 12, int(frame.cy) - 14, 24, 20)
    placement = place(image, Hole(box_coverage(200, 160, hole)), frame, 128)
    patch = BlendFit.of(placement, seen, RAW).to_patch()
    difference = np.abs(patch.fill.astype(float) - hole.cut(pixels)) / 65535
    around_the_dot = np.ones(difference.shape[:2], np.bool_)
    around_the_dot[9:21, 7:19] = False
    assert difference[around_the_dot].max() < 0.012


@pytest.mark.parametrize("side", [24.0, 80.0, 300.0])
def test_nothing_of_the_hole_reaches_the_model(side: float) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (200, 220, 3), np.uint8)
    coverage = box_coverage(220, 200, Box(100, 90, 11, 13))
    coverage[80:85, 101] = 1
    other = pixels.copy()
    other[coverage > 0] = 255 - other[coverage > 0]
    frame = Frame(105, 95, side, 33)
    first = place(DocumentImage(pixels), Hole(coverage), frame, 32).source
    second = place(DocumentImage(other), Hole(coverage), frame, 32).source
    assert np.array_equal(first.erased, second.erased)
    assert np.array_equal(first.hole, second.hole)
    assert (first.erased[first.hole > 0] == 0).all()
    assert set(np.unique(first.hole)) == {0, 255}


def test_a_linear_document_shows_the_model_the_same_image() -> None:
    linear = smooth_image(90, 70) ** 2
    coverage = box_coverage(90, 70, Box(40, 30, 10, 10))
    kinds = [
        DocumentImage(linear, linear=True),
        DocumentImage(srgb_from_linear(linear)),
        DocumentImage(quantize(srgb_from_linear(linear), np.uint8)),
    ]
    views = [place(k, Hole(coverage), Frame(45, 35, 50, 10), 32).source.erased for k in kinds]
    for view in views[1:]:
        assert np.abs(view.astype(int) - views[0]).max() <= 1


def test_transparent_pixels_are_a_hole_for_the_model_and_stay_transparent() -> None:
    pixels = quantize(smooth_image(90, 70, 4), np.uint8)
    pixels[:, :30] = 0
    coverage = box_coverage(90, 70, Box(40, 30, 10, 10))
    image = DocumentImage(pixels)
    placement = place(image, Hole(coverage), Frame(45, 35, 70, 0), 70)
    assert (placement.source.hole[:, :20] == 255).all()
    assert (placement.source.hole[:, 22:28] == 0).all()
    result = filled(placement, np.zeros((70, 70, 3), np.float32))
    assert np.array_equal(result[coverage == 0], pixels[coverage == 0])
    assert (result[coverage > 0][:, 3] == 255).all()


def test_a_fill_over_transparency_keeps_its_color() -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    coverage = box_coverage(40, 40, Box(10, 10, 20, 20), 128)
    image = DocumentImage(pixels)
    placement = place(image, Hole(coverage), Frame(20, 20, 40), 40)
    result = filled(placement, np.ones((40, 40, 3), np.float32))
    assert result[20, 20].tolist() == [255, 255, 255, 128]


def test_beyond_the_document_and_the_crop_is_hole_unless_the_overview_shows_it() -> None:
    whole = quantize(smooth_image(400, 300), np.uint8)
    crop = DocumentImage(whole[100:200, 150:250], origin=(150, 100), size=(400, 300))
    coverage = box_coverage(100, 100, Box(45, 45, 10, 10))
    frame = Frame(200, 150, 320, 0)  # reaches 10 px beyond the top and the bottom
    hole = Hole(coverage, crop.origin)
    alone = place(crop, hole, frame, 64).source
    assert (alone.hole > 0).mean() == pytest.approx(1 - (98 / 320) ** 2, abs=0.02)
    small = whole.reshape(150, 2, 200, 2, 3).mean(axis=(1, 3))
    overview = DocumentImage.overview(np.rint(small).astype(np.uint8), (400, 300))
    helped = place(crop, hole, frame, 64, overview=overview).source
    assert (helped.hole[:2] == 255).all()
    assert (helped.hole[3:28] == 0).all()
    everywhere = Hole(np.pad(coverage, ((100, 100), (150, 150))))
    truth = place(DocumentImage(whole), everywhere, frame, 64).source
    known = (helped.hole == 0) & (truth.hole == 0)
    assert np.abs(helped.erased[known].astype(int) - truth.erased[known]).mean() < 2


def test_holes_far_apart_get_separate_frames() -> None:
    image = DocumentImage(np.zeros((300, 900, 3), np.uint8))
    coverage = box_coverage(900, 300, Box(50, 100, 60, 60))
    coverage |= box_coverage(900, 300, Box(115, 120, 10, 10))  # next to the first
    coverage |= box_coverage(900, 300, Box(700, 100, 40, 30), 77)
    first, second = frame_holes(cast(Model, Stub()), image, Hole(coverage), frame="box")
    assert first.box == Box(50, 100, 75, 60)
    assert second.box == Box(700, 100, 40, 30)
    assert (second.hole.coverage == 77).all()
    assert np.count_nonzero(first.hole.mask) == 60 * 60 + 100


def test_a_frame_smaller_than_the_selection_fills_its_part_with_a_notice() -> None:
    image = DocumentImage(np.zeros((100, 100, 3), np.uint8))
    coverage = box_coverage(100, 100, Box(20, 20, 60, 60))
    placement = place(image, Hole(coverage), Frame(50, 50, 30, 0), 32)
    assert placement.box == Box(35, 35, 30, 30)
    assert "Only the part inside the frame is filled" in placement.warning
    with pytest.raises(ValueError, match="does not overlap the selection"):
        place(image, Hole(coverage), Frame(5, 5, 4, 0), 32)


def test_the_effective_resolution_is_reported() -> None:
    image = DocumentImage(np.zeros((100, 100, 3), np.uint8))
    coverage = box_coverage(100, 100, Box(40, 40, 20, 20))
    placement = place(image, Hole(coverage), Frame(50, 50, 99.2, 0), 32)
    assert placement.upscale_factor == pytest.approx(3.1)
    assert placement.warning == "Filled at 32 px and enlarged 3.1 times."
    assert place(image, Hole(coverage), Frame(50, 50, 32, 0), 32).warning == ""


@pytest.mark.parametrize(
    ("pixels", "coverage", "message"),
    [
        (np.zeros((9, 9, 2), np.uint8), np.ones((9, 9), np.uint8), "1, 3 or 4 channels"),
        (np.zeros((9, 9, 3), np.int32), np.ones((9, 9), np.uint8), "int32 are not supported"),
        (np.zeros((9, 9, 3), np.uint8), np.ones((8, 9), np.uint8), "same size"),
        (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8), "selection is empty"),
    ],
)
def test_bad_input_is_named(pixels: np.ndarray, coverage: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frame_holes(cast(Model, Stub()), DocumentImage(pixels), Hole(coverage), frame="box")


def test_a_hole_somewhere_else_than_the_image_is_refused() -> None:
    image = DocumentImage(np.zeros((9, 9, 3), np.uint8), origin=(4, 5), size=(20, 20))
    with pytest.raises(ValueError, match=r"corner is at \(4, 0\), the image's at \(4, 5\)"):
        place(image, Hole(np.ones((9, 9), np.uint8), (4, 0)), Frame(8, 8, 8), 32)


@pytest.mark.parametrize("side", [0.0, -5.0, 0.9, 6401.0, float("nan"), float("inf")])
def test_absurd_frames_are_refused(side: float) -> None:
    image = DocumentImage(np.zeros((90, 100, 3), np.uint8))
    hole = Hole(box_coverage(100, 90, Box(40, 30, 10, 10)))
    with pytest.raises(ValueError, match="Choose a side from 1 to 6400 px"):
        place(image, hole, Frame(45, 35, side), 32)


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([1, 3, 4]),
    st.sampled_from(DTYPES),
    st.integers(0, 2**32 - 1),
    st.floats(1, 64),
)
def test_any_size_and_any_selection_can_be_filled(
    width: int, height: int, channels: int, dtype: Any, seed: int, side: float
) -> None:
    random = np.random.default_rng(seed)
    pixels = quantize(random.random((height, width, channels), np.float32), dtype)
    coverage = (random.random((height, width)) < 0.1).astype(np.uint8) * np.uint8(200)
    coverage[random.integers(height), random.integers(width)] = 255
    y, x = np.argwhere(coverage)[0]
    image = DocumentImage(pixels)
    frame = Frame(x + 0.5, y + 0.5, side, random.uniform(-180, 180))
    placement = place(image, Hole(coverage), frame, 32)
    patch = BlendFit.of(placement, random.random((32, 32, 3), np.float32)).to_patch()
    result = composited(image, [patch])
    assert np.array_equal(result[coverage == 0], pixels[coverage == 0])
    assert np.isfinite(result.astype(np.float64)).all()
    assert patch.fill.shape == (placement.box.height, placement.box.width, channels)
