"""Adaptive discriminator augmentation.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", appendix B. The
discriminator sees all images, real or generated, through random differentiable changes, each
with probability p. With p < 1 these do not leak into the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from inpaint_model.data.transfer import read_scalars, upload, uploaded
from inpaint_model.training.augment.filters import (
    HALO,
    along_both_axes,
    downsampling,
    octave_bands,
    reflected,
    upsampling,
)


@dataclass
class AugmentPipe:
    """The pipeline, with the groups of the paper's table."""

    p: float = 0.0  # probability, 0..1; may change at any time
    blit: bool = True
    geometry: bool = True
    color: bool = True
    filtering: bool = False  # no help in the paper
    corruption: bool = False  # no help in the paper

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """Change images [N, 3, R, R] in -1..1; twice differentiable.

        The result may leave the range. What no change applies to stays the same bit for bit.

        Raises:
            ValueError: wrong shape.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise ValueError(f"expected square RGB images, got shape {tuple(images.shape)}")
        if self.p <= 0:
            return images
        images = images.float()  # filters and sampling positions need full float32
        draw = RandomBatch(self.p, len(images), generator)
        if self.blit:
            images = blit(images, draw)
        if self.geometry:
            images = warp(images, draw)
        if self.color:
            images = recolor(images, draw)
        if self.filtering:
            images = equalize(images, draw)
        if self.corruption:
            images = cut_out(add_noise(images, draw), draw)
        return images


class RandomBatch:
    """Random numbers [N] for the images of a batch; `p` is the probability of a change."""

    def __init__(self, p: float, count: int, generator: Generator) -> None:
        self.p = p
        self.count = count
        self.generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        """Draw uniformly."""
        unit = torch.rand(self.count, generator=self.generator, device=self.generator.device)
        return low + (high - low) * unit

    def normal(self, deviation: float) -> Tensor:
        """Draw with mean 0."""
        unit = torch.randn(self.count, generator=self.generator, device=self.generator.device)
        return deviation * unit

    def octaves(self, deviation: float) -> Tensor:
        """Draw powers of two with normal exponents."""
        return 2 ** self.normal(deviation)

    def integer(self, count: int) -> Tensor:
        """Draw from 0 .. count - 1, int64."""
        return self.uniform(0, count).long().clamp(max=count - 1)

    def with_probability(self, value: Tensor, otherwise: float, p: float | None = None) -> Tensor:
        """Choose between `value` (probability p) and `otherwise`."""
        return torch.where(self.uniform(0, 1) < (self.p if p is None else p), value, otherwise)


def blit(images: Tensor, draw: RandomBatch) -> Tensor:
    """Mirror, make quarter turns, shift by up to 1/8 in whole pixels; values stay exact."""
    flip, turn, shift = random_blit(draw, images.shape[2])
    changed = (flip != 0) | (turn != 0) | (shift != 0).any(dim=0)

    def move(some: Tensor, chosen: Tensor) -> Tensor:
        return blitted(some, flip[chosen], turn[chosen], shift[:, chosen])

    return _where(changed, images, move)


def random_blit(draw: RandomBatch, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw mirroring [N], clockwise quarter turns [N] and shifts in px [2, N] (x, y); int64."""
    flip = draw.with_probability(draw.integer(2), 0)
    turn = draw.with_probability(draw.integer(4), 0)
    moved = draw.uniform(0, 1) < draw.p
    shift = torch.stack([draw.uniform(-0.125, 0.125), draw.uniform(-0.125, 0.125)])
    return flip, turn, (shift * size).round().long() * moved


def blitted(images: Tensor, flip: Tensor, turn: Tensor, shift: Tensor) -> Tensor:
    """Apply the result of `random_blit` to [N, 3, R, R], reflecting at the borders."""
    size = images.shape[2]
    flip, turn, shift = uploaded((flip, turn, shift), images.device)
    last, at = size - 1, torch.arange(size, device=shift.device)
    turn, flip = turn[:, None, None], flip[:, None, None]
    # Where each output pixel comes from, so in reverse order.
    x = reflected(at - shift[0, :, None], size)[:, None, :].expand(-1, size, -1)
    y = reflected(at - shift[1, :, None], size)[:, :, None].expand(-1, -1, size)
    for quarter in range(3):
        again = turn > quarter
        x, y = torch.where(again, y, x), torch.where(again, last - x, y)
    x = torch.where(flip == 1, last - x, x)
    index = (y * size + x).flatten(1)[:, None]
    return images.flatten(2).gather(2, index.expand(-1, 3, -1)).reshape(images.shape)


def warp(images: Tensor, draw: RandomBatch) -> Tensor:
    """Scale, rotate, stretch and shift."""
    matrix, changed = random_affine(draw)
    return _where(changed, images, lambda some, chosen: resampled(some, matrix[chosen]))


def random_affine(draw: RandomBatch) -> tuple[Tensor, Tensor]:
    """Draw maps [N, 2, 3] of coordinates in -1..1, and which are not the identity [N]."""
    p_rotate = 1 - math.sqrt(1 - min(draw.p, 1.0))  # so that either rotation happens with p
    size = draw.with_probability(draw.octaves(0.2), 1)
    first = draw.with_probability(draw.uniform(-math.pi, math.pi), 0, p_rotate)
    stretch = draw.with_probability(draw.octaves(0.2), 1)
    second = draw.with_probability(draw.uniform(-math.pi, math.pi), 0, p_rotate)
    moved = draw.uniform(0, 1) < draw.p
    shift = torch.stack([draw.normal(0.125), draw.normal(0.125)], dim=1) * 2 * moved[:, None]
    scale = torch.diag_embed(torch.stack([stretch * size, size / stretch], dim=1))
    linear = _rotation(second) @ scale @ _rotation(first)
    changed = (size != 1) | (first != 0) | (stretch != 1) | (second != 0) | moved
    return torch.cat([linear, shift[:, :, None]], dim=2), changed


def resampled(images: Tensor, matrix: Tensor) -> Tensor:
    """Transform [N, C, R, R] by `matrix` [N, 2, 3], reflecting at the borders.

    Sampling at twice the resolution, between low-pass filters, avoids aliasing.
    """
    size = images.shape[2]
    linear = torch.linalg.inv(matrix[:, :, :2])
    inverse = upload(torch.cat([linear, -linear @ matrix[:, :, 2:]], dim=2), images.device)
    at = (torch.arange(-HALO, 2 * size + HALO, device=images.device) + 0.5) / size - 1
    x, y = at[None, None, :, None], at[None, :, None, None]
    column = inverse[:, None, None]  # [N, 1, 1, 2, 3]
    grid = column[..., 0] * x + (column[..., 1] * y + column[..., 2])  # [N, H, W, 2]
    double = along_both_axes(upsampling(size, images.device), images)
    return along_both_axes(downsampling(size, images.device), sampled(double, grid))


def sampled(images: Tensor, grid: Tensor) -> Tensor:
    """Sample [N, C, H, W] bilinearly at `grid` [N, h, w, 2], reflecting at the borders.

    The grid is -1..1 between the outer edges of the image.
    """
    # MPS lacks the gradient of this operation.
    place = "cpu" if images.device.type == "mps" else images.device
    result = F.grid_sample(
        images.to(place), grid.to(place), "bilinear", "reflection", align_corners=False
    )
    return result.to(images.device)


def recolor(images: Tensor, draw: RandomBatch) -> Tensor:
    """Change brightness, contrast, luma, hue and saturation by one affine map."""
    matrix, offset, changed = random_color(draw)

    def mix(some: Tensor, chosen: Tensor) -> Tensor:
        return recolored(some, matrix[chosen], offset[chosen])

    return _where(changed, images, mix)


def recolored(images: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Multiply RGB by `matrix` [N, 3, 3] and add `offset` [N, 3, 1]."""
    matrix, offset = uploaded((matrix, offset), images.device)
    return torch.baddbmm(offset, matrix, images.flatten(2)).reshape(images.shape)


def random_color(draw: RandomBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Draw matrices, offsets, and which are not the identity [N]."""
    brightness = draw.with_probability(draw.normal(0.2), 0)
    contrast = draw.with_probability(draw.octaves(0.5), 1)
    flip = draw.with_probability(draw.integer(2), 0)
    hue = draw.with_probability(draw.uniform(-math.pi, math.pi), 0)
    saturation = draw.with_probability(draw.octaves(1.0), 1)
    identity, gray = torch.eye(3, device=hue.device), torch.full((3, 3), 1 / 3, device=hue.device)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=hue.device) / math.sqrt(3)
    colors = identity - gray

    def each(value: Tensor) -> Tensor:
        return value[:, None, None]

    turned = gray + each(hue.cos()) * colors + each(hue.sin()) * cross
    saturated = gray + each(saturation) * colors
    flipped = identity - 2 * each(flip) * gray
    linear = saturated @ turned @ flipped
    scale = each(contrast)
    changed = (brightness != 0) | (contrast != 1) | (flip != 0) | (hue != 0) | (saturation != 1)
    offset = linear @ (scale * each(brightness)).expand(-1, 3, 1)
    return linear * scale, offset, changed


def equalize(images: Tensor, draw: RandomBatch) -> Tensor:
    """Amplify four octave bands at random, preserving the expected power."""
    gains, changed = random_gains(draw)

    return _where(changed, images, lambda some, chosen: amplified(some, gains[chosen]))


def amplified(images: Tensor, gains: Tensor) -> Tensor:
    """Multiply the octave bands of [N, 3, R, R] along each axis by `gains` [N, 4]."""
    bands = octave_bands(images.shape[2], images.device)
    matrix = torch.einsum("nb,bij->nij", upload(gains, images.device), bands)[:, None]
    return matrix @ images @ matrix.mT


def random_gains(draw: RandomBatch) -> tuple[Tensor, Tensor]:
    """Draw gains of the bands [N, 4], and which are not all 1 [N]."""
    power = torch.tensor([10.0, 1, 1, 1], device=draw.generator.device) / 13  # of 1/f images
    gains = torch.ones(draw.count, 4, device=power.device)
    for band in range(4):
        gains[:, band] = draw.with_probability(draw.octaves(1.0), 1)
    changed = (gains != 1).any(dim=1)
    # The paper normalizes after each band; once for all preserves the power exactly.
    return gains / (power * gains.square()).sum(dim=1, keepdim=True).sqrt(), changed


def add_noise(images: Tensor, draw: RandomBatch) -> Tensor:
    """Add noise whose standard deviation is half-normal with scale 0.1."""
    deviation = draw.with_probability(draw.normal(0.1).abs(), 0)

    def disturb(some: Tensor, chosen: Tensor) -> Tensor:
        noise = torch.randn(some.shape, generator=draw.generator, device=draw.generator.device)
        return some + upload(noise * deviation[chosen][:, None, None, None], some.device)

    return _where(deviation != 0, images, disturb)


def cut_out(images: Tensor, draw: RandomBatch) -> Tensor:
    """Gray out a square of half the side at a random center."""
    reach = draw.with_probability(torch.full((draw.count,), 0.25, device=draw.generator.device), 0)
    center = torch.stack([draw.uniform(0, 1), draw.uniform(0, 1)])  # [2, N]
    at = (torch.arange(images.shape[2], device=center.device) + 0.5) / images.shape[2]
    near = (at - center[..., None]).abs() < reach[:, None]  # [2, N, R]
    near = upload(near, images.device)
    hidden = near[1, :, None, :, None] & near[0, :, None, None, :]
    return images.masked_fill(hidden, 0.0)


@dataclass
class AdaController:
    """The paper's heuristic: raise p while the discriminator overfits.

    r_t = E[sign(D(real))] over all processes measures that: 0 = not at all, 1 = completely.
    """

    target: float = 0.6  # desired r_t
    speed_kimg: float = 500  # shortest rise of p from 0 to 1, in thousands of images
    p: float = 0.0
    sign_sum: Tensor | float = 0.0
    sign_count: float = 0.0

    def observe(self, real_logits: Tensor) -> None:
        """Add logits of augmented real images, without waiting for the device."""
        self.sign_sum = self.sign_sum + real_logits.detach().sign().sum()
        self.sign_count += real_logits.numel()

    def update(self) -> float:
        """Adjust p to the logits since the last call, and return their r_t.

        Without logits, p stays and the result is NaN.
        """
        signs = torch.as_tensor(self.sign_sum, dtype=torch.float32)  # exact up to 16 million
        totals = torch.stack([signs, torch.full_like(signs, self.sign_count)])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(totals)
        sign_sum, count = read_scalars(*totals)
        self.sign_sum = self.sign_count = 0.0
        if count == 0:
            return math.nan
        overfitting = sign_sum / count
        step = count / (self.speed_kimg * 1000)
        self.p = min(max(self.p + math.copysign(step, overfitting - self.target), 0.0), 1.0)
        return overfitting


def _where(changed: Tensor, images: Tensor, change: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    chosen = changed.nonzero()[:, 0]
    if len(chosen) == 0:
        return images
    there = upload(chosen, images.device)
    return images.index_copy(0, there, change(images.index_select(0, there), chosen))


def _rotation(angle: Tensor) -> Tensor:
    """Return rotations [N, 2, 2] by radians [N], from x toward y."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).reshape(-1, 2, 2)
