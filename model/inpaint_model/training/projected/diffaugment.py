"""Augmentation and blur of the images for projected discriminators.

Color, translation and cutout have the strengths of Zhao et al. 2020, section 4. Initial blur (Sauer
et al. 2022, "StyleGAN-XL", section 3.1) makes the generator learn coarse structure first; without
it, it draws outlines before light and shadow are right.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SHIFT = 1 / 8  # largest translation, in sides of the image
CUTOUT = 1 / 2  # side of the square


def random_changes(count: int, generator: Generator) -> Tensor:
    """Draw the numbers [10, count] for `changed`."""
    return torch.rand(10, count, generator=generator, device=generator.device)


def changed(images: Tensor, drawn: Tensor, p: float = 1.0) -> Tensor:
    """Augment images [N, 3, R, R] in -1..1; the result may leave the range.

    Each change has probability p; below 1 they do not leak into the generator (Karras et al. 2020,
    section 2.2). `drawn` is on the images' device. Pixels from outside and in the cutout are 0.
    """
    R = images.shape[2]
    colored, moved, cut = drawn[:3] < p
    brightness, saturation, contrast = drawn[3:6]
    images = images + _if(colored, brightness - 0.5, 0)
    images = _scaled(images, _if(colored, 2 * saturation, 1), dim=(1,))
    images = _scaled(images, _if(colored, contrast + 0.5, 1), dim=(1, 2, 3))
    reach = round(R * SHIFT)
    shift = ((2 * reach + 1) * drawn[6:8]).long() - reach
    images = translated(images, shift * moved)
    kept = _kept(drawn[8:], R) | ~cut[:, None, None, None]
    result: Tensor = images * kept.to(images.dtype)
    return result


def _if(chosen: Tensor, value: Tensor, otherwise: float) -> Tensor:
    return torch.where(chosen, value, otherwise)[:, None, None, None]


def _scaled(images: Tensor, factor: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Scale the distance of [N, 3, R, R] from its mean over `dim`."""
    mean = images.mean(dim=dim, keepdim=True)
    return torch.lerp(mean, images, factor)


def translated(images: Tensor, shift: Tensor) -> Tensor:
    """Move [N, C, R, R] down and right by `shift` px [2, N], at most `SHIFT`; pad with 0."""
    N, C, R, _ = images.shape
    reach = round(R * SHIFT)
    padded = F.pad(images, (reach,) * 4)
    at = torch.arange(R, device=images.device) + reach
    rows, columns = (at - way[:, None] for way in shift)  # [N, R] each
    rows = rows[:, None, :, None].expand(N, C, R, R + 2 * reach)
    columns = columns[:, None, None, :].expand(N, C, R, R)
    return padded.gather(2, rows).gather(3, columns)


def _kept(center: Tensor, R: int) -> Tensor:
    """Return [N, 1, R, R], False in a square around `center` [2, N] in 0..1."""
    at = (torch.arange(R, device=center.device) + 0.5) / R
    inside = (at - center[:, :, None]).abs() < CUTOUT / 2  # [2, N, R]
    cut = inside[0, :, :, None] & inside[1, :, None, :]
    return ~cut[:, None]


LEAST = 0.3  # px; less blur is negligible


def fading_sigma(sigma: float, nimg: int, fade_kimg: float) -> float:
    """Return the blur, which fades linearly from `sigma` px to 0 at `fade_kimg`."""
    if fade_kimg <= 0:
        return 0.0
    return sigma * max(1 - nimg / (fade_kimg * 1000), 0.0)


def gaussian_taps(sigma: float, reach: int | None = None) -> Tensor | None:
    """Return a Gaussian of `sigma` px, zero beyond 3 sigma, [2 reach + 1]; None below `LEAST`."""
    if sigma < LEAST:
        return None
    own = round(3 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-own, own + 1) / sigma).square())
    rest = 0 if reach is None else reach - own
    return F.pad(taps / taps.sum(), (rest, rest))


def blurred(images: Tensor, taps: Tensor | None) -> Tensor:
    """Filter both axes of [N, C, R, R], R > reach, by `taps`, mirrored at borders."""
    if taps is None:
        return images
    reach, C, taps = len(taps) // 2, images.shape[1], taps.to(images.dtype)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    rows = F.conv2d(padded, taps.expand(C, 1, 1, -1), groups=C)
    return F.conv2d(rows, taps[:, None].expand(C, 1, -1, 1), groups=C)
