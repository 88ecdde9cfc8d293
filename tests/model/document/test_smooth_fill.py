"""Fills without a model: exact where exactness can be had, and with the grain around them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document.smooth_fill import smooth_fill, smooth_grain
from torch import Generator, Tensor


def a_hole(rows: int = 96, columns: int = 128) -> Tensor:
    hole = torch.zeros(rows, columns, dtype=torch.bool)
    hole[30:60, 40:90] = True
    return hole


def slope(rows: int = 96, columns: int = 128) -> Tensor:
    """A membrane: no value is over or under the mean of its neighbors."""
    y, x = torch.arange(rows)[:, None] / rows, torch.arange(columns) / columns
    return torch.stack([0.3 + 0.4 * x + 0 * y, 0.7 - 0.3 * y + 0 * x, 0.5 + 0.2 * (x - y)])


def test_a_slope_continues_through_the_hole() -> None:
    hole, truth = a_hole(), slope()
    marked = truth.clone()
    marked[:, hole] = 1.0
    filled = smooth_fill(marked, hole, ~hole, seed=0)
    assert (filled - truth)[:, hole].abs().max() < 0.01


@pytest.mark.parametrize("strength", [0.01, 0.04])
def test_the_grain_is_that_around_the_hole(strength: float) -> None:
    noise = strength * torch.randn(3, 96, 128, generator=Generator().manual_seed(0))
    hole = a_hole()
    filled = smooth_fill(slope() + noise, hole, ~hole, seed=1)
    grain = (filled - slope())[:, 36:54, 46:84]
    assert float(grain.std()) == pytest.approx(strength, rel=0.25)
    smooth = smooth_fill(slope() + noise, hole, ~hole, seed=1, grain=False)
    assert float((smooth - slope())[:, 36:54, 46:84].std()) < 0.3 * strength


def test_an_image_too_small_for_its_grain_is_filled() -> None:
    values = torch.full((3, 7, 40), 0.5)
    hole = torch.zeros(7, 40, dtype=torch.bool)
    hole[2:5, 10:20] = True
    assert torch.allclose(smooth_fill(values, hole, ~hole, seed=0), values)


def test_grain_ends_at_the_known_pixels_and_needs_some() -> None:
    hole = a_hole()
    noisy = slope() + 0.04 * torch.randn(3, 96, 128, generator=Generator().manual_seed(0))
    grain = smooth_grain(noisy, hole, ~hole, seed=2)
    assert grain[:, 36:54, 46:84].std() > 0.02
    assert grain[:, 28:30, 40:90].abs().max() < 1e-6
    assert torch.equal(
        smooth_grain(noisy, hole, torch.zeros_like(hole), seed=2), torch.zeros_like(noisy)
    )


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 60),
    columns=st.integers(1, 60),
    share=st.floats(0, 1),
    grain=st.booleans(),
)
def test_unknown_pixels_are_filled_and_their_old_content_is_ignored(
    seed: int, rows: int, columns: int, share: float, grain: bool
) -> None:
    generator = Generator().manual_seed(seed)
    hole = torch.rand(rows, columns, generator=generator) < share
    known = ~hole & (torch.rand(rows, columns, generator=generator) < 0.9)
    values = torch.rand(3, rows, columns, generator=generator)
    others = torch.where(known, values, torch.full_like(values, torch.nan))
    filled = smooth_fill(values, hole, known, seed=5, grain=grain)
    assert torch.isfinite(filled[:, hole]).all()
    again = smooth_fill(others.nan_to_num(0.5), hole, known, seed=5, grain=grain)
    assert torch.allclose(filled[:, hole], again[:, hole], atol=1e-5)
    if not grain and known.any() and hole.any():
        low, high = values[:, known].amin(1), values[:, known].amax(1)
        assert (filled[:, hole] >= low[:, None] - 1e-4).all()
        assert (filled[:, hole] <= high[:, None] + 1e-4).all()
