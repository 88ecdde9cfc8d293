"""The fixed random mixing: linear, scaled by deviations, from coarse to fine only."""

from __future__ import annotations

import pytest
import torch
from inpaint_model.training.projected.projection import WIDTHS, Projection, random_kernel
from torch import Tensor

CHANNELS = (3, 5, 7, 9)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def maps(seed: int = 0, side: int = 16) -> list[Tensor]:
    return [rand(2, C, side >> i, side >> i, seed=seed + i) for i, C in enumerate(CHANNELS)]


def projection(seed: int = 0, calibrated: bool = True) -> Projection:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        result = Projection(CHANNELS)
    if calibrated:
        result.calibrate(maps())
    return result


def test_sizes_stay_and_channels_are_the_widths() -> None:
    mixed = projection()(maps())
    assert [tuple(x.shape) for x in mixed] == [
        (2, C, 16 >> i, 16 >> i) for i, C in enumerate(WIDTHS)
    ]
    assert not list(projection().parameters())  # nothing of it trains


def test_it_is_linear() -> None:
    mix, first, second = projection(), maps(), maps(seed=10)
    together = mix([2 * x - 3 * y for x, y in zip(first, second, strict=True)])
    for found, x, y in zip(together, mix(first), mix(second), strict=True):
        torch.testing.assert_close(found, 2 * x - 3 * y, rtol=1e-4, atol=1e-4)


def test_the_range_of_a_map_makes_no_difference() -> None:
    plain, scaled = projection(calibrated=False), projection(calibrated=False)
    wide = [x * factor for x, factor in zip(maps(), (50.0, 0.1, 3.0, 7.0), strict=True)]
    plain.calibrate(maps())
    scaled.calibrate(wide)
    torch.testing.assert_close(scaled.deviation[0], wide[0].std())
    for x, y in zip(plain(maps()), scaled(wide), strict=True):
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-4)


def test_a_map_without_any_deviation_stays_finite() -> None:
    """For example, that of a color that does not occur."""
    flat = [torch.zeros_like(x) for x in maps()]
    mix = projection(calibrated=False)
    mix.calibrate(flat)
    assert all(torch.isfinite(x).all() for x in mix(flat))


@pytest.mark.parametrize("level", range(4))
def test_what_a_map_shows_reaches_it_and_all_finer_ones(level: int) -> None:
    mix, before, changed = projection(), maps(), maps()
    changed[level][0, :, 0, 0] += 1
    differ = [not torch.equal(x, y) for x, y in zip(mix(before), mix(changed), strict=True)]
    assert differ == [other <= level for other in range(4)]


def test_the_seed_decides_and_the_state_restores() -> None:
    first, again, other = projection(1), projection(1), projection(2)
    for x, y, z in zip(first(maps()), again(maps()), other(maps()), strict=True):
        assert torch.equal(x, y)
        assert not torch.equal(x, z)
    other.load_state_dict(first.state_dict())
    assert all(torch.equal(x, y) for x, y in zip(first(maps()), other(maps()), strict=True))


def test_kernels_double_the_mean_square() -> None:
    x = rand(64, 50, 9, 9)
    kernel = random_kernel(200, 50, 3)
    y = torch.nn.functional.conv2d(x, kernel)
    assert float(y.square().mean()) == pytest.approx(2, rel=0.1)


def test_odd_sizes_are_aligned() -> None:
    """Networks give 7 px from 15: the coarser map is enlarged to what the finer one has."""
    sides = (15, 7, 3, 1)
    mix = projection()
    mixed = mix([rand(2, C, s, s) for C, s in zip(CHANNELS, sides, strict=True)])
    assert [x.shape[-1] for x in mixed] == list(sides)
