"""Differentiable augmentation: the published strengths, and nothing but color, shift and cutout."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.training.projected.diffaugment import changed, random_changes, translated
from torch import Generator, Tensor

R = 16
BASE = 4.0  # so bright that 0 is what was moved in or cut out


def rng(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=rng(seed))


def diff_augment(images: Tensor, generator: Generator, p: float = 1.0) -> Tensor:
    return changed(images, random_changes(len(images), generator), p)


@pytest.mark.slow
@given(st.data())
@settings(deadline=None)
def test_translation_against_a_slow_one(data: st.DataObject) -> None:
    N, C = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    side = data.draw(st.integers(4, 24))
    way = st.integers(-round(side / 8), round(side / 8))
    shift = torch.tensor([[data.draw(way) for _ in range(N)] for _ in range(2)])
    images = rand(N, C, side, side)
    wanted = torch.zeros_like(images)
    for n in range(N):
        down, right = (int(x) for x in shift[:, n])
        for row in range(side):
            for column in range(side):
                if 0 <= row - down < side and 0 <= column - right < side:
                    wanted[n, :, row, column] = images[n, :, row - down, column - right]
    assert torch.equal(translated(images, shift), wanted)


def test_no_translation_is_the_identity() -> None:
    images = rand(2, 3, R, R)
    assert torch.equal(translated(images, torch.zeros(2, 2, dtype=torch.int64)), images)


class TestStrengths:
    """Zhao et al. 2020 for images in -1..1: +-0.5, 0..2, 0.5..1.5, 1/8 of the side, 1/2 of it."""

    def test_color(self) -> None:
        """Read off images that are a base, checks of +-1 in all channels, red less blue of 1."""
        count = 4000
        checks = (torch.arange(R)[:, None] + torch.arange(R)) % 2 * 2.0 - 1
        tint = torch.tensor([1.0, 0.0, -1.0])[:, None, None]
        result = diff_augment((BASE + checks + tint).expand(count, 3, R, R), rng())
        gray, red = result.mean(dim=1), result[:, 0]
        kept = gray != 0
        high = gray.masked_fill(~kept, -99).amax(dim=(1, 2))
        low = gray.masked_fill(~kept, 99).amin(dim=(1, 2))
        brightness, contrast = (high + low) / 2 - BASE, (high - low) / 2
        scaled = ((red - gray) * kept).sum(dim=(1, 2)) / kept.sum(dim=(1, 2))
        saturation = scaled / contrast
        for values, least, most in (
            (brightness, -0.5, 0.5), (saturation, 0.0, 2.0), (contrast, 0.5, 1.5)
        ):  # fmt: skip
            reach = most - least
            assert least - 1e-4 <= float(values.min()) < least + 0.01 * reach
            assert most - 0.01 * reach < float(values.max()) <= most + 1e-4
            assert float(values.mean()) == pytest.approx((least + most) / 2, abs=0.03 * reach)
            assert float(values.std()) == pytest.approx(reach / 12**0.5, rel=0.05)  # uniform

    def test_translation_and_cutout(self) -> None:
        count = 4000
        empty = diff_augment(torch.full((count, 3, R, R), BASE), rng())[:, 0] == 0
        shifts = []
        for dim in (1, 2):  # full rows, then full columns, are what was moved in: no cut is so wide
            full = empty.all(dim=3 - dim)
            first = full.cumprod(dim=1).sum(dim=1)
            last = full.flip(1).cumprod(dim=1).sum(dim=1)
            assert bool(((first == 0) | (last == 0)).all())
            shifts.append(first - last)
            share = torch.bincount(shifts[-1] + R // 8) / count
            assert len(share) == 2 * (R // 8) + 1
            assert (share - 1 / len(share)).abs().max() < 0.02
        still = empty[(shifts[0] == 0) & (shifts[1] == 0)]
        rows, columns = (still.any(dim=dim).sum(dim=1) for dim in (2, 1))
        assert torch.equal(rows * columns, still.sum(dim=(1, 2)))  # one rectangle
        assert int(rows.max()) == int(columns.max()) == R // 2
        # The square's center is anywhere: an axis loses 1/2, less what hangs over the edges.
        assert float(still.float().mean()) == pytest.approx((7 / 16) ** 2, rel=0.1)


def test_nothing_is_mirrored_or_turned() -> None:
    """An image that gets brighter to the right does so ever after."""
    ramp = BASE + torch.arange(R) / R
    for row in diff_augment(ramp.expand(200, 3, R, R), rng()).flatten(0, 2):
        kept = row[row != 0]
        assert bool((kept.diff() > 0).all())


def test_it_is_differentiable() -> None:
    """A change is affine in the image, so its gradient describes it exactly."""
    images, change, mixture = (rand(3, 3, R, R, seed=seed) for seed in range(3))
    images.requires_grad_(True)
    result = diff_augment(images, rng(4))
    (gradient,) = torch.autograd.grad((result * mixture).sum(), images)
    moved = diff_augment(images.detach() + change, rng(4))
    wanted = ((moved - result.detach()) * mixture).sum()
    torch.testing.assert_close((gradient * change).sum(), wanted, rtol=1e-4, atol=1e-3)


class TestChance:
    """Each of the three changes applies to each image independently with probability p."""

    def test_never(self) -> None:
        images = rand(8, 3, R, R)
        assert torch.equal(diff_augment(images, rng(), 0.0), images)

    @pytest.mark.parametrize("p", [0.3, 1.0])
    def test_as_often_as_asked(self, p: float) -> None:
        count = 4000
        ramp = (BASE + torch.arange(R) / R).expand(count, 3, R, R)
        result = diff_augment(ramp, rng(), p)[:, 0]
        empty = result == 0
        full = empty.all(dim=1).any(dim=1) | empty.all(dim=2).any(dim=1)
        steps = result.diff(dim=2)
        steps = steps.masked_fill(empty[:, :, 1:] | empty[:, :, :-1], 0).amax(dim=(1, 2))
        colored = (steps - 1 / R).abs() > 1e-5  # contrast has been changed
        cut = empty[:, R // 8 : -R // 8, R // 8 : -R // 8].flatten(1).any(dim=1)  # no shift's edge
        reach = 2 * (R // 8) + 1
        found = torch.stack([colored, full]).float()
        wanted = torch.tensor([p, p * (1 - 1 / reach**2)])
        torch.testing.assert_close(found.mean(dim=1), wanted, rtol=0, atol=0.03)
        assert float(cut.float().mean()) == pytest.approx(p, abs=0.03)
        together = float((colored & full).float().mean())
        assert together == pytest.approx(float(wanted.prod()), abs=0.03)


def test_only_the_generator_decides() -> None:
    images = rand(4, 3, R, R)
    before = torch.random.get_rng_state()
    first = diff_augment(images, rng(1))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(99)
    assert torch.equal(diff_augment(images, rng(1)), first)
    torch.random.set_rng_state(before)
    assert not torch.equal(diff_augment(images, rng(2)), first)
    alike = diff_augment(images[:1].expand(4, 3, R, R), rng(1))
    assert all(not torch.equal(alike[0], other) for other in alike[1:])  # each image its own
