"""Reducing and enlarging, compared with torch's functions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document.pyramid import block_means, block_sums, doubled, known_block_means

sides = st.integers(1, 23)


@settings(deadline=None)
@given(sides, sides, st.integers(1, 7))
def test_block_sums_are_the_sums_of_average_pooling(rows: int, columns: int, size: int) -> None:
    planes = torch.rand(2, rows, columns)
    padded = F.pad(planes, (0, -columns % size, 0, -rows % size))
    torch.testing.assert_close(block_sums(planes, size), F.avg_pool2d(padded, size) * size**2)


@settings(deadline=None)
@given(sides, sides, st.integers(1, 7))
def test_block_means_are_average_pooling_with_repeated_edges(
    rows: int, columns: int, size: int
) -> None:
    planes = torch.rand(2, rows, columns)
    padding = (0, -columns % size, 0, -rows % size)
    padded = F.pad(planes[None], padding, mode="replicate")[0]
    torch.testing.assert_close(block_means(planes, size), F.avg_pool2d(padded, size))


@pytest.mark.slow
@settings(deadline=None)
@given(sides, sides, st.integers(2, 7))
def test_known_block_means_count_known_pixels_only(rows: int, columns: int, size: int) -> None:
    planes, known = torch.rand(2, rows, columns), torch.rand(rows, columns) < 0.3
    means, some = known_block_means(planes, known, size)
    for y in range(means.shape[1]):
        for x in range(means.shape[2]):
            block = slice(y * size, (y + 1) * size), slice(x * size, (x + 1) * size)
            values = planes[:, *block][:, known[block]]
            assert bool(some[y, x]) == (values.numel() > 0)
            expected = values.mean(1) if values.numel() else torch.zeros(2)
            torch.testing.assert_close(means[:, y, x], expected)


@settings(deadline=None)
@given(sides, sides)
def test_doubling_is_bilinear_interpolation(rows: int, columns: int) -> None:
    planes = torch.rand(3, rows, columns)
    expected = F.interpolate(planes[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(doubled(planes, 2 * rows, 2 * columns), expected)


@pytest.mark.parametrize(("rows", "columns"), [(9, 14), (10, 13), (9, 13)])
def test_doubling_is_cut_to_what_was_halved(rows: int, columns: int) -> None:
    planes = torch.rand(3, 5, 7)
    whole = doubled(planes, 10, 14)
    assert torch.equal(doubled(planes, rows, columns), whole[:, :rows, :columns])
