"""Holes: their position, their groups, and the model's view of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document import geometry
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.grouping import Choice
from inpaint_model.document.hole import MAX_PARTS, Hole, components, seen_by_model


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(6, 120),
    st.floats(-180, 180),
    st.sampled_from([8, 32, 64]),
)
def test_every_covered_pixel_is_in_the_models_hole(
    seed: int, side: float, angle: float, resolution: int
) -> None:
    hole = np.random.default_rng(seed).random((60, 80)) < 0.02
    frame = Frame(41.3, 28.9, side, angle)
    seen = seen_by_model(hole, geometry.document_from_model(frame, resolution), resolution)
    to_model = geometry.model_from_document(frame, resolution)
    for y, x in np.argwhere(hole):
        column, row = np.floor(geometry.transform_points(to_model, [(x + 0.5, y + 0.5)])[0]).astype(
            int
        )
        if 0 <= column < resolution and 0 <= row < resolution:
            assert seen[row, column]
    # ... and nothing far from a covered pixel is.
    reach = 0.71 + 0.71 * side / resolution
    centers = np.argwhere(hole)[:, ::-1] + 0.5
    to_document = geometry.document_from_model(frame, resolution)
    for row, column in np.argwhere(seen):
        point = geometry.transform_points(to_document, [(column + 0.5, row + 0.5)])
        assert np.linalg.norm(centers - point, axis=1).min() <= reach


def test_points_through_a_matrix_are_the_matrix_product() -> None:
    rng = np.random.default_rng(0)
    matrix, points = rng.normal(size=(2, 3)), rng.normal(size=(5, 7, 2))
    expected = points @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(
        geometry.transform_points(matrix, points), expected, rtol=0, atol=1e-12
    )
    x, y = geometry.transform_xy(matrix, points[0, :, 0], points[:, :1, 1])  # a row, a column
    assert x.shape == y.shape == (5, 7)
    one = geometry.transform_points(matrix, (points[0, 3, 0], points[4, 0, 1]))
    np.testing.assert_allclose((x[4, 3], y[4, 3]), one, rtol=0, atol=1e-12)


def two_parts() -> Hole:
    """Return a hole with a soft part, whose halves touch at a corner, and one far from it."""
    coverage = np.zeros((10, 12), np.uint8)
    coverage[1:3, 2:5] = 255
    coverage[3, 5] = 1
    coverage[7:9, 9] = 40
    return Hole(coverage, (100, 200))


def test_components_touch_at_corners() -> None:
    mask = two_parts().mask
    parts = components(mask)
    assert parts.boxes == [Box(2, 1, 4, 3), Box(9, 7, 1, 2)]
    box, both = parts.united([1, 2])
    assert box == Box(2, 1, 8, 8)
    assert np.array_equal(both, box.cut(mask))
    box, second = parts.united([2])
    assert box == Box(9, 7, 1, 2)
    assert second.all()


def test_points_of_parts_are_pixels_of_theirs_spread_over_them() -> None:
    rng = np.random.default_rng(3)
    mask = rng.random((60, 80)) < 0.2
    mask[30:50, 20:70] = True
    parts = components(mask)
    for number, points in enumerate(parts.points(), start=1):
        x, y = np.floor(points).astype(int).T
        assert (parts.labels[y, x] == number).all()
        count = int((parts.labels == number).sum())
        assert len({*zip(x.tolist(), y.tolist(), strict=True)}) == len(points) == min(count, 64)


@pytest.mark.parametrize(("width", "thin"), [(1, True), (4, True), (5, False), (9, False)])
def test_what_is_thin_is_judged_by_squares_that_fit(width: int, thin: bool) -> None:
    mask = np.zeros((60, 80), np.bool_)
    mask[:, 10 : 10 + width] = True  # from side to side
    mask[5:25, 40] = mask[5, 40:60] = True  # an angle of 1 px
    assert components(mask).are_thin(4) == [thin, True]
    assert Hole(mask.astype(np.uint8)).is_thin(4) == thin
    assert components(mask).are_thin(0) == [False, False]


def test_specks_count_as_few_parts_that_cover_the_hole() -> None:
    mask = np.random.default_rng(0).random((300, 400)) < 0.05
    mask[:, 200:320] = False
    parts = components(mask)
    assert 1 < len(parts.boxes) <= MAX_PARTS
    assert ((parts.labels > 0) == mask).all()
    for number, box in enumerate(parts.boxes, start=1):
        rows, columns = np.nonzero(parts.labels == number)
        assert (columns.min(), rows.min()) == (box.x, box.y)
        assert (columns.max() + 1, rows.max() + 1) == (box.right, box.bottom)


def test_a_hole_lies_in_the_document() -> None:
    hole = two_parts()
    assert hole.box == Box(100, 200, 12, 10)
    assert hole.bounds == Box(102, 201, 8, 8)
    assert hole.mask.sum() == 9
    part = hole.cut(Box(105, 203, 5, 5))
    assert part.box == Box(105, 203, 5, 5)
    assert np.argwhere(part.coverage).tolist() == [[0, 0], [4, 4]]
    assert hole.cut(Box(100, 200, 12, 1)).bounds is None


def test_the_part_inside_a_frame() -> None:
    hole = two_parts()
    whole = hole.inside(Frame(106, 205, 20))
    assert whole is not None
    assert whole.box == hole.bounds
    assert np.array_equal(whole.coverage, hole.cut(whole.box).coverage)
    part = hole.inside(Frame(105, 203, 4))  # x 103..107, y 201..205
    assert part is not None
    assert part.box == Box(103, 201, 3, 3)
    assert part.coverage.tolist() == [[255, 255, 0], [255, 255, 0], [0, 0, 1]]
    assert hole.inside(Frame(108, 202, 2)) is None
    assert hole.cut(Box(100, 200, 12, 1)).inside(Frame(106, 205, 20)) is None


def test_a_hole_without_a_part_of_it() -> None:
    hole, part = two_parts(), two_parts().inside(Frame(105, 203, 4))
    assert part is not None
    left = hole.without(part)
    assert (left.mask.sum(), left.box) == (4, hole.box)
    assert left.bounds == Box(102, 201, 8, 8)
    assert left.cut(Box(102, 201, 1, 2)).mask.all()
    assert hole.mask.sum() == 9, "the hole is not modified"


def test_groups_are_cut_to_their_bounds_and_keep_their_softness() -> None:
    hole = two_parts()
    asked: list[Box] = []

    def choose(box: Box) -> Choice:
        asked.append(box)
        return Choice(Frame(box.x + box.width / 2, box.y + box.height / 2, 4), "auto", 1.0)

    (first, _), (second, choice) = hole.groups(choose)
    assert (first.box, second.box) == (Box(102, 201, 4, 3), Box(109, 207, 1, 2))
    assert asked == [first.box, second.box]
    assert first.coverage.tolist() == [[255, 255, 255, 0], [255, 255, 255, 0], [0, 0, 0, 1]]
    assert (second.coverage == 40).all()
    assert choice.frame == Frame(109.5, 208, 4)


def test_a_group_holds_nothing_of_another_within_its_box() -> None:
    coverage = np.zeros((9, 9), np.uint8)
    coverage[0] = coverage[:, 0] = 200
    coverage[8, 8] = 90  # in the corner of the angle's box

    def choose(box: Box) -> Choice:
        return Choice(Frame(4, 4, 8), "auto", 1.0)  # the dot's center lies outside

    angle, dot = (group for group, _ in Hole(coverage).groups(choose))
    assert (angle.box, dot.box) == (Box(0, 0, 9, 9), Box(8, 8, 1, 1))
    assert angle.coverage[8, 8] == 0
    assert angle.mask.sum() == 17
    assert dot.coverage.tolist() == [[90]]
