"""Holes at document and model resolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document import geometry, holes
from inpaint_model.document.geometry import Box, Frame


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
    seen = holes.seen_by_model(hole, geometry.document_from_model(frame, resolution), resolution)
    to_model = geometry.model_from_document(frame, resolution)
    for y, x in np.argwhere(hole):
        column, row = np.floor(geometry.apply(to_model, [(x + 0.5, y + 0.5)])[0]).astype(int)
        if 0 <= column < resolution and 0 <= row < resolution:
            assert seen[row, column]
    # ... and nothing far from a covered pixel is.
    reach = 0.71 + 0.71 * side / resolution
    centres = np.argwhere(hole)[:, ::-1] + 0.5
    to_document = geometry.document_from_model(frame, resolution)
    for row, column in np.argwhere(seen):
        point = geometry.apply(to_document, [(column + 0.5, row + 0.5)])
        assert np.linalg.norm(centres - point, axis=1).min() <= reach


def test_points_through_a_matrix_are_the_matrix_product() -> None:
    rng = np.random.default_rng(0)
    matrix, points = rng.normal(size=(2, 3)), rng.normal(size=(5, 7, 2))
    expected = points @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(geometry.apply(matrix, points), expected, rtol=0, atol=1e-12)
    x, y = geometry.through(matrix, points[0, :, 0], points[:, :1, 1])  # a row, a column
    assert x.shape == y.shape == (5, 7)
    one = geometry.apply(matrix, (points[0, 3, 0], points[4, 0, 1]))
    np.testing.assert_allclose((x[4, 3], y[4, 3]), one, rtol=0, atol=1e-12)


def test_bounds_and_components() -> None:
    hole = np.zeros((10, 12), np.bool_)
    assert holes.bounds(hole) is None
    hole[1:3, 2:5] = True
    hole[3, 5] = True  # touches at a corner
    hole[7:9, 9] = True
    parts = holes.components(hole)
    assert parts.boxes == [Box(2, 1, 4, 3), Box(9, 7, 1, 2)]
    assert holes.bounds(hole) == geometry.union(parts.boxes)
    assert np.array_equal(parts.mask([1, 2]), hole)
    assert parts.mask([2]).sum() == 2


def test_specks_count_as_few_parts_that_cover_the_hole() -> None:
    hole = np.random.default_rng(0).random((300, 400)) < 0.05
    hole[:, 200:320] = False
    parts = holes.components(hole)
    assert 1 < len(parts.boxes) <= holes.MAX_PARTS
    assert ((parts.labels > 0) == hole).all()
    for number, box in enumerate(parts.boxes, start=1):
        rows, columns = np.nonzero(parts.labels == number)
        assert (columns.min(), rows.min()) == (box.x, box.y)
        assert (columns.max() + 1, rows.max() + 1) == (box.right, box.bottom)
