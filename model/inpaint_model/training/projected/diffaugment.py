"""What changes images before projected discriminators see them.

Differentiable augmentation (Zhao et al. 2020): color, translation and cutout, with the strengths of
the paper's section 4. Everything random is passed in.

Blur early on (Sauer et al. 2022, "StyleGAN-XL", section 3.1), so that the large is judged before
the small: without it a generator draws outlines before it has put light and shadow in place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

SHIFT = 1 / 8  # largest translation, of the image's side
CUTOUT = 1 / 2  # side of the square that is cut out, of the image's


def random_changes(count: int, generator: Generator) -> Tensor:
    """Return what `changed` needs for `count` images: uniform numbers [10, count]."""
    return torch.rand(10, count, generator=generator, device=generator.device)


def changed(images: Tensor, drawn: Tensor, p: float = 1.0) -> Tensor:
    """Change images [N, 3, R, R] in -1..1; the result may leave the range.

    drawn: [10, N] in 0..1, on the images' device, each row one random choice. p: chance of each
    of the three changes (color, translation, cutout) for each image. Below 1 the generator does
    not learn to make them itself (Karras et al. 2020, section 2.2). What is moved in from outside,
    and what is cut out, is 0.
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
    """`value` for the images that are chosen [N]: float32 [N, 1, 1, 1]."""
    return torch.where(chosen, value, otherwise)[:, None, None, None]


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
    """True outside of a square around `center` [2, N] in 0..1: bool [N, 1, R, R]."""
    at = (torch.arange(R, device=center.device) + 0.5) / R
    inside = (at - center[:, :, None]).abs() < CUTOUT / 2  # [2, N, R]
    cut = inside[0, :, :, None] & inside[1, :, None, :]
    return ~cut[:, None]


LEAST = 0.3  # px; less changes nothing worth the time


def fading_sigma(sigma: float, nimg: int, fade_kimg: float) -> float:
    """Return the blur after `nimg` images: `sigma` px, falling evenly to 0 at `fade_kimg`."""
    if fade_kimg <= 0:
        return 0.0
    return sigma * max(1 - nimg / (fade_kimg * 1000), 0.0)


def gaussian_taps(sigma: float, reach: int | None = None) -> Tensor | None:
    """Weights of a Gaussian of `sigma` px, [2 reach + 1]; None below 0.3 px.

    They end at three times `sigma`; a larger `reach` adds zeros, so that there are as many for any
    smaller `sigma`.
    """
    if sigma < LEAST:
        return None
    own = round(3 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-own, own + 1) / sigma).square())
    rest = 0 if reach is None else reach - own
    return F.pad(taps / taps.sum(), (rest, rest))


def blurred(images: Tensor, taps: Tensor | None) -> Tensor:
    """Filter both axes of [N, C, R, R], mirrored at the borders, by [2 reach + 1] taps.

    Needs R of more than the reach. None: the images as they are.
    """
    if taps is None:
        return images
    reach, C, taps = len(taps) // 2, images.shape[1], taps.to(images.dtype)
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    rows = F.conv2d(padded, taps.expand(C, 1, 1, -1), groups=C)
    return F.conv2d(rows, taps[:, None].expand(C, 1, -1, 1), groups=C)
