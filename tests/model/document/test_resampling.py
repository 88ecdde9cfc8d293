"""Geometry: the matrix, and pixels that keep their position through both directions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document import geometry
from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.resampling import resample
from scipy import ndimage

RESOLUTION = 64
frames_strategy = st.builds(
    Frame,
    cx=st.floats(500, 600),
    cy=st.floats(500, 600),
    side=st.floats(16, 650),
    angle=st.floats(-180, 180),
)


def position_coded(width: int, height: int) -> FloatImage:
    """An image whose channels are the x and the y of each pixel's center."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return np.stack([x, y], axis=2).astype(np.float32)


def to_model(image: FloatImage, frame: Frame) -> FloatImage:
    matrix = geometry.document_from_model(frame, RESOLUTION)
    return resample(image, matrix, RESOLUTION, RESOLUTION)


def to_document(view: FloatImage, frame: Frame, box: Box) -> FloatImage:
    back = geometry.model_from_document(frame, RESOLUTION)
    matrix = geometry.compose(back, geometry.translation(box.x, box.y))
    return resample(view, matrix, box.width, box.height)


def test_the_angle_turns_the_x_axis_counter_clockwise_on_the_screen() -> None:
    frame = Frame(10, 20, 8, 90)
    matrix = geometry.document_from_model(frame, RESOLUTION)
    left, right = geometry.transform_points(
        matrix, [(0, RESOLUTION / 2), (RESOLUTION, RESOLUTION / 2)]
    )
    assert right - left == pytest.approx([0, -8], abs=1e-9)
    assert (left + right) / 2 == pytest.approx([10, 20])


@given(frames_strategy)
def test_the_two_directions_are_inverse(frame: Frame) -> None:
    there = geometry.model_from_document(frame, RESOLUTION)
    back = geometry.document_from_model(frame, RESOLUTION)
    assert np.allclose(geometry.compose(there, back), geometry.translation(0, 0), atol=1e-9)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(frames_strategy)
def test_a_position_coded_image_stays_where_it_is(frame: Frame) -> None:
    image = position_coded(1100, 1100)
    view = to_model(image, frame)
    turn = math.radians(frame.angle)
    inscribed = frame.side / (abs(math.cos(turn)) + abs(math.sin(turn)))
    left, top = math.ceil(frame.cx - inscribed / 2), math.ceil(frame.cy - inscribed / 2)
    box = Box(left, top, int(inscribed) - 1, int(inscribed) - 1)
    moved = to_document(view, frame, box) - box.cut(image)
    assert np.abs(moved).max() < 0.05


def test_the_same_grid_returns_the_same_pixels() -> None:
    image = np.random.default_rng(0).random((40, 50, 3), np.float32)
    box = resample(image, geometry.translation(7, 5), 30, 20)
    assert np.allclose(box, image[5:25, 7:37], atol=2e-4)


def test_enlarging_agrees_with_the_cubic_spline() -> None:
    image = np.random.default_rng(1).random((48, 48, 1), np.float32)
    matrix = geometry.document_from_model(Frame(24, 24, 20, 30), 160)
    ours = resample(image, matrix, 160, 160)[..., 0]
    x, y = np.meshgrid(np.arange(160) + 0.5, np.arange(160) + 0.5)
    at = geometry.transform_points(matrix, np.stack([x.ravel(), y.ravel()], axis=1)) - 0.5
    reference = ndimage.map_coordinates(image[..., 0], at.T[::-1], order=3).reshape(160, 160)
    assert np.abs(ours - reference).max() < 1e-3


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 9), (4, 7), (40, 5)])
@pytest.mark.parametrize("scale", [0.3, 1.0, 1.7, 5.2])
def test_ramps_continue_one_pixel_beyond_the_edges_of_small_images(
    rows: int, columns: int, scale: float
) -> None:
    image = position_coded(columns, rows)
    width, height = (math.ceil((length + 1.9) / scale) for length in (columns, rows))
    matrix = geometry.compose(geometry.translation(-0.95, -0.95), geometry.scaling(scale, scale))
    seen = resample(image, matrix, width, height)
    truth = scale * position_coded(width, height) - 0.95
    limits = np.array([columns, rows], np.float32) + 1
    shown = ((truth > -1) & (truth < limits)).all(axis=2)
    lines = np.array([columns, rows]) > 1  # a single pixel has no slope
    assert np.abs(seen - truth)[shown][:, lines].max(initial=0) < 1e-3 * max(rows, columns)
    assert np.abs(seen - 0.5)[..., ~lines].max(initial=0) < 1e-4


@pytest.mark.parametrize("side", [200.0, 300.0, 1000.0])
@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0])
def test_detail_finer_than_the_model_does_not_alias(side: float, angle: float) -> None:
    """A grating above the model's Nyquist frequency becomes flat gray, one well below stays."""
    frame = Frame(600, 600, side, angle)
    x = position_coded(1200, 1200)[..., :1]
    period = side / RESOLUTION
    fine = to_model(0.5 + 0.5 * np.sin(2 * np.pi * x / (period * 0.66)), frame)
    coarse = to_model(0.5 + 0.5 * np.sin(2 * np.pi * x / (period * 8)), frame)
    assert fine[8:-8, 8:-8].std() < 0.06
    assert coarse.std() == pytest.approx(math.sqrt(1 / 8), rel=0.06)


@given(
    st.builds(Box, st.integers(0, 60), st.integers(0, 30), st.integers(1, 40), st.integers(1, 20)),
    st.integers(0, 64),
)
def test_the_box_frame_holds_the_hole_and_stays_inside(hole: Box, resolution: int) -> None:
    frame = geometry.box_frame(hole, 100, 50, resolution)
    left, top = frame.cx - frame.side / 2, frame.cy - frame.side / 2
    assert left <= hole.x
    assert top <= hole.y
    assert left + frame.side >= hole.right
    assert top + frame.side >= hole.bottom
    if max(hole.width, hole.height) <= 50:
        assert left >= 0
        assert top >= 0
        assert left + frame.side <= 100
        assert top + frame.side <= 50


@given(
    st.builds(
        Frame, st.floats(0, 100), st.floats(0, 100), st.floats(10, 100), st.floats(-180, 180)
    ),
    st.builds(Box, st.integers(0, 60), st.integers(0, 30), st.integers(1, 40), st.integers(1, 20)),
)
def test_a_frame_widened_by_its_excess_just_holds_the_box(frame: Frame, box: Box) -> None:
    scale_to_contain = geometry.scale_to_contain(frame, box)
    assert geometry.contains(frame._replace(side=frame.side * scale_to_contain), box)
    assert (scale_to_contain == 1) or not geometry.contains(
        frame._replace(side=frame.side * scale_to_contain * 0.99), box
    )
