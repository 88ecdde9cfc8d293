"""Differentiable augmentation of everything that a discriminator sees (Zhao et al. 2020).

Color, translation and cutout, with the strengths of the paper's section 4. Unlike the adaptive
pipeline in `inpaint_model.augment` it changes every picture. Everything random comes from the
generator that is passed in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SHIFT = 1 / 8  # largest translation, of the picture's side
CUTOUT = 1 / 2  # side of the square that is cut out, of the picture's


def diff_augment(images: Tensor, generator: Generator) -> Tensor:
    """Change pictures [N, 3, R, R] in -1..1; the result may leave the range.

    What is moved in from outside, and what is cut out, is 0.
    """
    N, _, R, _ = images.shape
    drawn = torch.rand(7, N, generator=generator, device=generator.device).to(images.device)
    brightness, saturation, contrast = drawn[:3, :, None, None, None]
    images = images + (brightness - 0.5)
    images = _scaled(images, 2 * saturation, dim=(1,))
    images = _scaled(images, contrast + 0.5, dim=(1, 2, 3))
    reach = round(R * SHIFT)
    images = translated(images, ((2 * reach + 1) * drawn[3:5]).long() - reach)
    return images * _kept(drawn[5:], R)


def _scaled(images: Tensor, factor: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Scale the distance of [N, 3, R, R] from its mean over `dim`."""
    mean = images.mean(dim=dim, keepdim=True)
    return torch.lerp(mean, images, factor)


def translated(images: Tensor, shift: Tensor) -> Tensor:
    """Move [N, C, R, R] by whole pixels; 0 comes in.

    shift: int64 [2, N], down and right, of at most `SHIFT` of the side.
    """
    N, C, R, _ = images.shape
    reach = round(R * SHIFT)
    padded = F.pad(images, (reach,) * 4)
    at = torch.arange(R, device=images.device) + reach
    rows, columns = (at - way[:, None] for way in shift)  # [N, R] each
    rows = rows[:, None, :, None].expand(N, C, R, R + 2 * reach)
    columns = columns[:, None, None, :].expand(N, C, R, R)
    return padded.gather(2, rows).gather(3, columns)


def _kept(center: Tensor, R: int) -> Tensor:
    """1 outside and 0 inside a square around `center` [2, N] in 0..1: float32 [N, 1, R, R]."""
    at = (torch.arange(R, device=center.device) + 0.5) / R
    inside = (at - center[:, :, None]).abs() < CUTOUT / 2  # [2, N, R]
    cut = inside[0, :, :, None] & inside[1, :, None, :]
    return (~cut)[:, None].float()
