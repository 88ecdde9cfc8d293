"""The methods to compare: the model and untrained baselines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from inpaint_model.data.image_tensors import to_uint8
from inpaint_model.data.sampler import derived_seed
from inpaint_model.document.arrays import BoolMask, ImageU8
from inpaint_model.inference.inpainter import Inpainter, latent_of_seed
from inpaint_model.networks.generator import Generator


class Filled(NamedTuple):
    """One image after filling, uint8 [R, R, 3]."""

    composite: ImageU8
    output: ImageU8 | None = None  # of a network, everywhere


class Method(Protocol):
    """A way to fill a hole."""

    name: str
    key: str  # of the cache: all that affects the result except image, hole and seed

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole` [R, R] of `image` [R, R, 3]."""


class Telea:
    """OpenCV's fast marching method (Telea 2004), radius 3."""

    name = "Telea"
    key = "telea-3"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole`; ignore the seed."""
        import cv2

        return Filled(_opencv(image, hole, cv2.INPAINT_TELEA))


class NavierStokes:
    """OpenCV's fluid dynamics method (Bertalmio et al. 2001), radius 3."""

    name = "Navier-Stokes"
    key = "navier-stokes-3"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole`; ignore the seed."""
        import cv2

        return Filled(_opencv(image, hole, cv2.INPAINT_NS))


class MeanColor:
    """The mean color of the known pixels; mid-gray without any."""

    name = "mean color"
    key = "mean-color"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole`; ignore the seed."""
        known = image[~hole]
        color = np.rint(known.mean(axis=0)) if len(known) else np.full(3, 128.0)
        return Filled(np.where(hole[..., None], color.astype(np.uint8), image))


class Identity:
    """The original image: the score of a perfect method."""

    name = "original"
    key = "identity"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Return the image."""
        return Filled(image)


class Model:
    """One candidate of an inpainting model."""

    name = "model"

    def __init__(
        self, inpainter: Inpainter, truncation_psi: float = 1.0, fit_steps: int = 0
    ) -> None:
        self._inpainter = inpainter
        self._truncation_psi, self._fit_steps = truncation_psi, fit_steps
        info = inpainter.info
        self.key = f"model-{info.weights_sha256}-{truncation_psi}-{inpainter.dtype}"
        if fit_steps:
            self.key += f"-fitted-{fit_steps}"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Return the candidate of this seed."""
        (fill,) = self._inpainter.fill(
            np.ascontiguousarray(image),
            hole.astype(np.uint8),
            [seed],
            self._truncation_psi,
            fit_steps=self._fit_steps,
        )
        return Filled(fill.composite, fill.output)


class Samples:
    """Images drawn from the generator alone."""

    name = "samples"

    def __init__(self, generator: Generator, sha256: str, truncation_psi: float = 1.0) -> None:
        self._generator = generator
        self._sha256 = sha256
        self._truncation_psi = truncation_psi
        self.key = f"samples-{sha256}-{truncation_psi}"

    def untruncated(self) -> Samples:
        """Return the same generator without truncation."""
        return Samples(self._generator, self._sha256)

    @torch.inference_mode()
    def draw(self, seed: int) -> ImageU8:
        """Return one image, uint8 [R, R, 3]."""
        mapping = self._generator.mapping
        device = mapping.w_avg.device
        z = latent_of_seed(seed, mapping.z_dim)[None].to(device)
        labels = torch.zeros(1, mapping.c_dim, device=device) if mapping.c_dim else None
        image: ImageU8 = to_uint8(self._generator(z, labels, self._truncation_psi))[0]
        return image


BASELINES: tuple[Method, ...] = (Telea(), NavierStokes(), MeanColor())


def candidate_seed(seed: int, image: int, candidate: int = 0) -> int:
    """Return the model's seed for a candidate under a mask seed."""
    return derived_seed(seed, image, candidate) % 2**32


def fill_all(method: Method, images: Tensor, holes: Tensor, seed: int) -> Iterator[Filled]:
    """Fill images uint8 [N, 3, R, R] in holes bool [N, 1, R, R], one at a time."""
    numbers = tqdm(range(len(images)), method.name, disable=None, leave=False)
    for number in numbers:
        image = images[number].permute(1, 2, 0).contiguous().numpy()
        yield method.fill(image, holes[number, 0].numpy(), candidate_seed(seed, number))


def draw_all(samples: Samples, seed: int, count: int) -> ImageU8:
    """Draw images under a mask seed, uint8 [N, R, R, 3]."""
    numbers = tqdm(range(count), samples.name, disable=None, leave=False)
    return np.stack([samples.draw(candidate_seed(seed, number)) for number in numbers])


def _opencv(image: ImageU8, hole: BoolMask, algorithm: int) -> ImageU8:
    import cv2

    if hole.all():
        return np.full_like(image, 128)  # nothing to extend
    filled = cv2.inpaint(np.ascontiguousarray(image), hole.astype(np.uint8), 3, algorithm)
    return np.where(hole[..., None], np.asarray(filled, dtype=np.uint8), image)
