"""Examples for the detail network: crops of images, and fills of them as a model would make.

A generator's fills are soft, flat like paintings (edges stay and texture is lost), and have specks
in eyes and hair. An edge-preserving filter (the guided filter of He, Sun and Tang 2010, with the
image as its own guide) and noise make such fills of any image, so that no other pairs are needed.

Images are enlarged up to twice: a document is often finer than what the training images show. From
enlarged ones the network learns the shapes of eyes and mouths at the size of a fill, and from the
others sharp detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.masks import training_holes
from inpaint_model.data.sampler import Sampler
from inpaint_model.training.projected.diffaugment import blurred, gaussian_taps
from inpaint_model.training.randomness import generator_for

SHARES = {"mat-256": 0.7, "lasso": 0.1, "box": 0.1, "half": 0.1}  # of the recipes for holes
_FLAT = 0.8  # fraction of the fills that are flat
_SPECKLED = 0.6  # fraction of the fills with specks
_ENLARGED = 2.0  # largest enlargement of a training image
_RADIUS = 2  # of the edge-preserving filter, px of the fill


class DetailExamples(NamedTuple):
    """A batch; colors are in -1..1."""

    document: Tensor  # [N, 3, S, S], which the fill should become
    hole: Tensor  # [N, 1, S, S], 1 in the hole
    fill: Tensor  # [N, 3, S/2, S/2]


@dataclass(frozen=True)
class DetailInputs:
    """Makes the examples of any step."""

    images: ImageSet
    sampler: Sampler
    crop: int  # S, px
    seed: int

    def __call__(self, nimg: int, count: int) -> DetailExamples:
        """Return the examples after `nimg` images."""
        indices, mirrored = self.sampler.draw(nimg, count)
        generator = generator_for(self.seed, nimg, "detail")
        images = self.images.batch(indices, mirrored)
        document = cropped(images, self.crop, generator)
        hole = training_holes(count, self.crop, generator, SHARES)
        return DetailExamples(document, hole, as_filled(document, generator))


def cropped(images: Tensor, side: int, generator: Generator) -> Tensor:
    """Cut a random square out of each image [N, 3, R, R] and enlarge it to `side` px."""
    parts = []
    for image in images:
        zoom, x, y = torch.rand(3, generator=generator).tolist()
        cut = round(side / _ENLARGED**zoom)
        left, top = (int(place * (image.shape[-1] - cut + 1)) for place in (x, y))
        part = image[None, :, top : top + cut, left : left + cut]
        parts.append(F.interpolate(part, (side, side), mode="bicubic").clamp(-1, 1))
    return torch.cat(parts)


def as_filled(document: Tensor, generator: Generator) -> Tensor:
    """Return documents [N, 3, S, S] as a model of half the resolution would fill them."""
    count = len(document)
    low = F.interpolate(document, scale_factor=0.5, mode="bicubic", antialias=True)
    contrast = 10 ** (-2 + 1.3 * torch.rand(count, 1, 1, 1, generator=generator))  # 0.01..0.2
    share = _chosen(count, _FLAT, generator)
    low = low + share * (edge_preserving(low, contrast) - low)
    low = softened(low, 1.0, torch.rand(count, 1, 1, 1, generator=generator))
    return low + _chosen(count, _SPECKLED, generator) * specks(low.shape, generator)


def specks(shape: torch.Size, generator: Generator) -> Tensor:
    """Return almost gray dots of one or two pixels in some places, [N, 3, H, W]."""
    count, _, rows, columns = shape
    fine = torch.randn(count, 1, rows, columns, generator=generator)
    wide = torch.randn(count, 1, -(-rows // 2), -(-columns // 2), generator=generator)
    wide = F.interpolate(wide, (rows, columns), mode="bilinear")
    dots = torch.where(torch.rand(count, 1, 1, 1, generator=generator) < 0.5, fine, wide)
    dots = 0.5 * dots * (dots.abs() > 0.8) * (1 + 0.1 * torch.randn(shape, generator=generator))
    coarse = torch.randn(count, 1, -(-rows // 8), -(-columns // 8), generator=generator)
    places = F.interpolate(coarse, (rows, columns), mode="bicubic")
    result: Tensor = dots * (places.clamp(0, 1))
    return result


def edge_preserving(images: Tensor, contrast: Tensor) -> Tensor:
    """Flatten what varies less than `contrast` [N, 1, 1, 1] within a window."""
    mean = _window_means(images)
    variance = (_window_means(images.square()) - mean.square()).clamp(min=0)
    a = variance / (variance + contrast.square())
    b = mean * (1 - a)
    return _window_means(a) * images + _window_means(b)


def softened(images: Tensor, sigma: float, share: Tensor) -> Tensor:
    """Blend images with themselves, blurred by `sigma` px, by a share [N, 1, 1, 1]."""
    return images + share * (blurred(images, gaussian_taps(sigma)) - images)


def _chosen(count: int, fraction: float, generator: Generator) -> Tensor:
    """Return random strengths 0..1 [N, 1, 1, 1] for a fraction of the images, 0 for the others."""
    strength, draw = torch.rand(2, count, 1, 1, 1, generator=generator)
    chosen: Tensor = strength * (draw < fraction)
    return chosen


def _window_means(images: Tensor) -> Tensor:
    padded = F.pad(images, (_RADIUS,) * 4, mode="reflect")
    return F.avg_pool2d(padded, 2 * _RADIUS + 1, stride=1)
