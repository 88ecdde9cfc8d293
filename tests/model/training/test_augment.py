"""Adaptive augmentation: each change against a slow reference, and the complete pipeline."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.training.augment.filters import octave_bands
from inpaint_model.training.augment.pipe import (
    AdaController,
    AugmentPipe,
    RandomBatch,
    add_noise,
    amplified,
    blitted,
    cut_out,
    random_affine,
    random_blit,
    random_color,
    random_gains,
    recolor,
    recolored,
    resampled,
    sampled,
)
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.multiprocessing.spawn import spawn

FULL = AugmentPipe(1.0, filtering=True, corruption=True)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(count: int, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size, generator=generator(99)) * 2 - 1


def smooth_images(count: int, size: int = 32) -> Tensor:
    rough = random_images(count, size).numpy()
    return torch.from_numpy(ndimage.gaussian_filter(rough, (0, 0, 2, 2)) * 4)


# --- the pipeline -------------------------------------------------------------------------------


def test_strength_0_is_the_identity_bit_for_bit() -> None:
    images = random_images(4)
    pipe = AugmentPipe(0.0, filtering=True, corruption=True)
    assert torch.equal(pipe(images, generator()), images)


def test_images_that_nothing_happens_to_keep_their_bits() -> None:
    p, images = 0.1, random_images(3000, 8)
    changed = (AugmentPipe(p)(images, generator()) != images).flatten(1).any(dim=1)
    # Eight changes always show. A flip (of the image, of its luma) does nothing in half of its
    # draws, a quarter turn in one of four; a shift by at most a pixel rounds to none in a quarter.
    untouched = (1 - p) ** 8 * (1 - p / 2) ** 2 * (1 - 3 / 4 * p) ** 2
    assert 1 - changed.float().mean().item() == pytest.approx(untouched, abs=0.025)


def test_the_same_generator_gives_the_same_result_and_the_global_state_is_left_alone() -> None:
    images = random_images(4)
    before = torch.get_rng_state()
    first = FULL(images, generator(1))
    assert torch.equal(first, FULL(images, generator(1)))
    assert not torch.equal(first, FULL(images, generator(2)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_gradients_are_those_of_finite_differences() -> None:
    images = random_images(2, 8).double().requires_grad_()

    def double_pipe(x: Tensor) -> Tensor:
        moved = blitted(x, torch.tensor([1, 0]), torch.tensor([3, 1]), torch.tensor([[1, 0]] * 2))
        return cut_out(moved * 2, RandomBatch(1.0, 2, generator(4)))

    assert torch.autograd.gradcheck(double_pipe, images)
    single = random_images(2, 16).requires_grad_()
    weight = torch.randn(single.shape, generator=generator(5))

    def score(x: Tensor) -> Tensor:
        return (FULL(x, generator(3)) * weight).sum()

    # The pipeline is affine in the image (its noise is fixed), so differences are exact.
    (gradient,) = torch.autograd.grad(score(single), single)
    step = torch.randn(single.shape, generator=generator(6))
    difference = (score(single + step) - score(single - step)) / 2
    assert difference.item() == pytest.approx((gradient * step).sum().item(), rel=1e-3, abs=1e-2)


def test_second_derivatives_exist_for_r1() -> None:
    images = random_images(2, 16).requires_grad_()
    out = FULL(images, generator()).square().sum()
    (gradient,) = torch.autograd.grad(out, images, create_graph=True)
    gradient.square().sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 3, 8, 16), (1, 4, 8, 8)])
def test_other_than_square_rgb_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="square RGB"):
        AugmentPipe(0.5)(torch.zeros(shape), generator())


# --- pixel blitting -----------------------------------------------------------------------------


def blitted_slowly(image: NDArray[np.float32], flip: int, turn: int, dx: int, dy: int) -> Tensor:
    image = image[:, :, ::-1] if flip else image
    image = np.rot90(image, -turn, axes=(1, 2))
    size = image.shape[1]
    wide = np.pad(image, ((0, 0), (size, size), (size, size)), mode="symmetric")
    moved = wide[:, size - dy : 2 * size - dy, size - dx : 2 * size - dx]
    return torch.from_numpy(np.ascontiguousarray(moved))


def test_blits_are_mirror_quarter_turns_and_shift() -> None:
    images = random_images(16, 12)
    flip, turn = torch.arange(16) % 2, torch.arange(16) // 2 % 4
    shift = torch.randint(-5, 6, (2, 16), generator=generator())
    moved = blitted(images, flip, turn, shift)
    for n in range(16):
        dx, dy = shift[:, n].tolist()
        expected = blitted_slowly(images[n].numpy(), int(flip[n]), int(turn[n]), dx, dy)
        assert torch.equal(moved[n], expected)


def test_blits_are_drawn_as_in_the_paper() -> None:
    flip, turn, shift = random_blit(RandomBatch(1.0, 20000, generator()), 64)
    assert flip.float().mean() == pytest.approx(0.5, abs=0.02)
    assert torch.bincount(turn, minlength=4) / 20000 == pytest.approx([0.25] * 4, abs=0.02)
    assert shift.abs().max() == 8
    assert shift.float().std().item() == pytest.approx(16 / math.sqrt(12), rel=0.03)
    flip, turn, shift = random_blit(RandomBatch(0.2, 20000, generator()), 64)
    assert flip.float().mean() == pytest.approx(0.1, abs=0.01)
    assert (turn != 0).float().mean() == pytest.approx(0.15, abs=0.01)


# --- geometry -----------------------------------------------------------------------------------


def kernel(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The low-pass at distances in samples of the doubled image."""
    window = np.i0(4 * np.sqrt(np.clip(1 - (distance / 6) ** 2, 0, None)))
    return np.where(np.abs(distance) < 6, np.sinc(distance / 2) * window, 0)


def resampled_slowly(channel: NDArray[np.float64], matrix: NDArray[np.float64]) -> Tensor:
    """Stuff with zeros, convolve, sample linearly, convolve, drop every second sample."""
    size, pad = len(channel), 64
    taps = kernel(np.arange(-5.5, 6))
    wide = np.pad(channel, pad, mode="symmetric")
    doubled = np.zeros((2 * len(wide),) * 2)
    doubled[::2, ::2] = wide
    for axis in (0, 1):
        doubled = ndimage.convolve1d(doubled, taps / taps.sum() * 2, axis=axis, origin=-1)
    # Sample k of the doubled row is at (k + 0.5) / 2 pixels; convolve1d's even kernel is centered
    # between two samples, and origin -1 chooses the upper one of them.
    inverse = np.linalg.inv(matrix[:, :2])
    at = (np.arange(-6, 2 * size + 6) + 0.5) / size - 1
    x, y = np.meshgrid(at, at)
    source = np.einsum("ij,jhw->ihw", inverse, np.stack([x, y]) - matrix[:, 2, None, None])
    where = (source + 1) * size - 0.5
    inside = doubled[2 * pad : 2 * pad + 2 * size, 2 * pad : 2 * pad + 2 * size]
    moved = ndimage.map_coordinates(inside, where[::-1], order=1, mode="reflect")
    for axis in (0, 1):
        moved = ndimage.convolve1d(moved, taps / taps.sum(), axis=axis)
    return torch.from_numpy(moved[6:-6:2, 6:-6:2]).float()


def sampled_slowly(images: Tensor, grid: Tensor) -> Tensor:
    """Gather the four pixels around each position and weight them."""
    H, W = images.shape[2:]
    result = torch.zeros(1, dtype=images.dtype)
    x, y = ((grid[..., axis] + 1) * side / 2 - 0.5 for axis, side in enumerate((W, H)))
    for right in (0, 1):
        for below in (0, 1):
            column, row = x.floor().long() + right, y.floor().long() + below
            weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
            index = mirrored(row, H) * W + mirrored(column, W)  # [N, h, w]
            taken = images.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, 3, -1))
            result = result + weight[:, None] * taken.reshape(-1, 3, *index.shape[1:])
    return result


def mirrored(index: Tensor, size: int) -> Tensor:
    return torch.minimum(index % (2 * size), 2 * size - 1 - index % (2 * size))


def test_sampling_and_its_two_derivatives_agree_with_gathering_and_weighting() -> None:
    images = torch.randn(2, 3, 6, 7, dtype=torch.float64, generator=generator(), requires_grad=True)
    grid = torch.rand(2, 5, 4, 2, dtype=torch.float64, generator=generator(1)) * 5 - 2.5

    def derivatives(sample: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the samples, the gradient of a score, and the gradient of that one's size."""
        value = sample(images, grid)
        (first,) = torch.autograd.grad((value**3).sum(), images, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), images)
        return value, first, second

    for ours, slow in zip(derivatives(sampled), derivatives(sampled_slowly), strict=True):
        assert (ours - slow).abs().max() < 1e-10 * slow.abs().max()
    assert torch.autograd.gradcheck(lambda x: sampled(x, grid) ** 3, images)
    assert torch.autograd.gradgradcheck(lambda x: sampled(x, grid) ** 3, images)


def test_warping_agrees_with_filtering_and_sampling_step_by_step() -> None:
    images = random_images(6, 16)
    matrix, _ = random_affine(RandomBatch(1.0, 6, generator(3)))
    moved = resampled(images, matrix)
    for n in range(6):
        for channel in range(3):
            slow = resampled_slowly(images[n, channel].double().numpy(), matrix[n].double().numpy())
            assert (moved[n, channel] - slow).abs().max() < 2e-3


def test_warps_without_effect_and_quarter_turns_keep_smooth_images() -> None:
    images = smooth_images(1)
    identity = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    assert (resampled(images, identity) - images).abs().max() < 0.02
    quarter = torch.tensor([[[0.0, -1, 0], [1, 0, 0]]])  # x to y: clockwise, y points down
    expected = torch.rot90(images, -1, (2, 3))
    assert (resampled(images, quarter) - expected).abs().max() < 0.02


def test_a_shift_moves_the_image_the_right_way() -> None:
    images = smooth_images(1)
    right = torch.tensor([[[1.0, 0, 8 / 16], [0, 1, 0]]])  # 8 of 32 pixels
    moved = resampled(images, right)
    assert (moved[..., 8:] - images[..., :-8]).abs().max() < 0.02


def test_shrinking_does_not_alias() -> None:
    stripes = torch.ones(1, 3, 64, 64)
    stripes[..., ::2] = -1  # the finest there are; halved they can only be gray
    half = torch.tensor([[[0.5, 0, 0], [0, 0.5, 0]]])
    assert resampled(stripes, half).abs().mean() < 0.03


def test_geometry_is_drawn_as_in_the_paper() -> None:
    matrix, changed = random_affine(RandomBatch(1.0, 20000, generator()))
    assert changed.all()
    linear, shift = matrix[:, :, :2].double(), matrix[:, :, 2] / 2
    size = torch.linalg.det(linear).log2() / 2
    assert size.mean().item() == pytest.approx(0, abs=0.01)
    assert size.std().item() == pytest.approx(0.2, rel=0.03)
    stretch = torch.linalg.svdvals(linear).log2().diff(dim=1) / 2
    assert stretch.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.03)
    assert shift.std(dim=0).tolist() == pytest.approx([0.125, 0.125], rel=0.03)
    p = 0.3
    matrix, changed = random_affine(RandomBatch(p, 20000, generator()))
    assert changed.float().mean().item() == pytest.approx(1 - (1 - p) ** 4, abs=0.01)


# --- color -------------------------------------------------------------------------------------


def test_color_is_brightness_contrast_flip_hue_and_saturation_in_turn() -> None:
    count, p = 40, 0.6
    images = random_images(count, 4)
    matrix, offset, _ = random_color(RandomBatch(p, count, generator(1)))
    draw = RandomBatch(p, count, generator(1))
    brightness = draw.with_probability(draw.normal(0.2), 0).numpy()
    contrast = draw.with_probability(draw.octaves(0.5), 1).numpy()
    flip = draw.with_probability(draw.integer(2), 0).numpy()
    hue = draw.with_probability(draw.uniform(-math.pi, math.pi), 0).numpy()
    saturation = draw.with_probability(draw.octaves(1.0), 1).numpy()
    axis = np.ones(3) / math.sqrt(3)
    for n in range(count):
        pixels = images[n].flatten(1).T.double().numpy()  # [R * R, 3]
        pixels = (pixels + brightness[n]) * contrast[n]
        if flip[n]:
            pixels = pixels - 2 * pixels.mean(axis=1, keepdims=True)
        pixels = Rotation.from_rotvec(hue[n] * axis).apply(pixels)
        gray = pixels.mean(axis=1, keepdims=True)
        pixels = gray + (pixels - gray) * saturation[n]
        ours = recolored(images[n : n + 1], matrix[n : n + 1], offset[n : n + 1])
        assert ours[0].flatten(1).T.numpy() == pytest.approx(pixels, abs=1e-4)


def test_color_leaves_the_share_of_images_alone_that_it_should() -> None:
    images = random_images(4000, 2)
    changed = (recolor(images, RandomBatch(0.3, 4000, generator())) != images).flatten(1).any(dim=1)
    untouched = 0.7**4 * (1 - 0.15)
    assert 1 - changed.float().mean().item() == pytest.approx(untouched, abs=0.025)


# --- filtering ----------------------------------------------------------------------------------


def test_octave_bands_add_up_to_the_identity_and_pass_their_octave() -> None:
    size = 128
    bands = octave_bands(size, torch.device("cpu"))
    assert (bands.sum(dim=0) - torch.eye(size)).abs().max() < 1e-6
    middle = bands[:, size // 2]  # impulse responses far from the borders
    response = torch.fft.rfft(middle, dim=1).abs()  # [4, size / 2 + 1]
    for band, frequency in enumerate((0.04, 0.18, 0.36, 0.75)):  # of the highest
        gains = response[:, round(frequency * size / 2)]
        assert gains.argmax() == band
        assert gains[band] > 0.85


def test_amplifying_is_filtering_each_axis_with_the_gains() -> None:
    images = random_images(2, 16)
    gains = torch.tensor([[0.5, 2.0, 1.0, 0.1], [1.0, 1.0, 1.0, 1.0]])
    bands = octave_bands(16, torch.device("cpu"))
    line = sum(gain * band for gain, band in zip(gains[0], bands, strict=True))
    slow = torch.stack([line @ channel @ line.T for channel in images[0]])
    amplified_images = amplified(images, gains)
    assert (amplified_images[0] - slow).abs().max() < 1e-5
    assert (amplified_images[1] - images[1]).abs().max() < 1e-5


def test_gains_keep_the_expected_power() -> None:
    gains, changed = random_gains(RandomBatch(1.0, 5000, generator()))
    power = (torch.tensor([10.0, 1, 1, 1]) / 13 * gains.square()).sum(dim=1)
    assert changed.all()
    assert power.min().item() == pytest.approx(1, abs=1e-4)
    assert power.max().item() == pytest.approx(1, abs=1e-4)
    _, changed = random_gains(RandomBatch(0.1, 5000, generator()))
    assert changed.float().mean().item() == pytest.approx(1 - 0.9**4, abs=0.02)


# --- corruption ---------------------------------------------------------------------------------


def test_noise_is_half_normal_in_strength() -> None:
    images = torch.zeros(3000, 3, 8, 8)
    strength = add_noise(images, RandomBatch(1.0, 3000, generator())).flatten(1).std(dim=1)
    assert strength.square().mean().sqrt().item() == pytest.approx(0.1, rel=0.05)
    assert strength.median().item() == pytest.approx(0.0674, rel=0.06)
    noisy = add_noise(images, RandomBatch(0.25, 3000, generator())).flatten(1).any(dim=1)
    assert noisy.float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_cutout_grays_a_square_of_half_the_side() -> None:
    images = torch.ones(400, 3, 32, 32)
    hidden = cut_out(images, RandomBatch(1.0, 400, generator()))[:, 0] == 0
    for mask in hidden:
        rows, columns = mask.any(dim=1), mask.any(dim=0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])  # a rectangle
        assert 8 <= rows.sum() <= 16
        assert 8 <= columns.sum() <= 16
    assert hidden.float().mean().item() == pytest.approx((0.5 * 0.875) ** 2, abs=0.02)
    some = cut_out(images, RandomBatch(0.25, 400, generator()))[:, 0] == 0
    assert some.flatten(1).any(dim=1).float().mean().item() == pytest.approx(0.25, abs=0.07)


# --- the controller -----------------------------------------------------------------------------


def test_the_controller_moves_towards_its_target() -> None:
    ada = AdaController(target=0.6, speed_kimg=500)
    ada.observe(torch.ones(32, 1) * 3)
    ada.observe(torch.ones(32, 1) * 3)
    assert ada.update() == 1  # overfitting
    assert ada.p == pytest.approx(64 / 500_000)
    ada.observe(torch.tensor([2.0, -2.0]))
    assert ada.update() == 0
    assert ada.p == pytest.approx(62 / 500_000)


def test_from_0_to_1_takes_speed_kimg_and_p_stays_within() -> None:
    ada = AdaController(speed_kimg=1)
    for _ in range(5):
        ada.observe(torch.ones(200))
        ada.update()
    assert ada.p == pytest.approx(1)
    ada.observe(torch.ones(200))
    ada.update()
    assert ada.p == 1
    for _ in range(7):
        ada.observe(-torch.ones(200))
        ada.update()
    assert ada.p == 0


def _one_of_two(rank: int, store: str, results: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2
    )
    ada = AdaController(speed_kimg=1, p=0.5)
    ada.observe(torch.ones(30) if rank == 0 else -torch.ones(10))
    overfitting = ada.update()
    torch.save((overfitting, ada.p), f"{results}{rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.slow  # starts two interpreters
def test_two_processes_agree_on_p(tmp_path: Path) -> None:
    arguments = (str(tmp_path / "store"), str(tmp_path / "result"))
    spawn(_one_of_two, arguments, nprocs=2)
    for rank in range(2):
        overfitting, p = torch.load(tmp_path / f"result{rank}")
        assert overfitting == pytest.approx(0.5)  # 30 signs up, 10 down: under the target
        assert p == pytest.approx(0.5 - 40 / 1000)


def test_without_observations_p_stays() -> None:
    ada = AdaController(p=0.3)
    assert math.isnan(ada.update())
    assert ada.p == 0.3
