"""The outline of a selection follows its coverage to within a cell."""

from __future__ import annotations

import numpy as np
import pytest
from inpaint_client.geometry import Box
from inpaint_krita.host.outline import rectangles


@pytest.mark.parametrize("cell", [1, 3, 8])
@pytest.mark.parametrize("band", [1, 5, 64])
def test_rectangles_cover_what_is_at_least_half_selected(cell: int, band: int) -> None:
    y, x = np.mgrid[:61, :90]
    disc = np.clip(255 * (24 - np.hypot(y - 30, x - 44)) / 4 + 128, 0, 255).astype(np.uint8)
    disc[20:30, 40:50] = 0
    bands = [
        (Box(0, top, 90, len(rows)), rows.tobytes())
        for top in range(0, 61, band)
        for rows in (disc[top : top + band],)
    ]
    drawn = np.zeros((61 + cell, 90 + cell), np.uint8)
    for box in rectangles(bands, cell):
        part = drawn[box.y : box.bottom, box.x : box.right]
        assert not part.any()  # none overlap
        part[:] = 1
    for top in range(0, 61, cell):
        for left in range(0, 90, cell):
            assert (drawn[top : top + cell, left : left + cell] == (disc[top, left] >= 128)).all()


def test_equal_rows_are_one_rectangle_and_nothing_is_none() -> None:
    full = [(Box(0, y, 40, 10), b"\xff" * 400) for y in (0, 10)]
    assert list(rectangles(full, 2)) == [Box(0, 0, 40, 20)]
    assert list(rectangles([(Box(0, 0, 40, 10), b"\x7f" * 400)], 2)) == []
