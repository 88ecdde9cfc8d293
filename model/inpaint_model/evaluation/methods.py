"""What is compared: the model, and ways of filling holes that need no training."""

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
    output: ImageU8 | None = None  # what a network painted everywhere, known pixels included


class Method(Protocol):
    """A way to fill a hole."""

    name: str  # in tables
    key: str  # everything that decides the result beyond image, hole and seed: names caches

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole` [R, R] of `image` [R, R, 3]."""


class Telea:
    """OpenCV's fast marching method (Telea 2004), radius 3."""

    name = "Telea"
    key = "telea-3"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole` from its border inwards; the seed does not matter."""
        import cv2

        return Filled(_opencv(image, hole, cv2.INPAINT_TELEA))


class NavierStokes:
    """OpenCV's fluid dynamics method (Bertalmio et al. 2001), radius 3."""

    name = "Navier-Stokes"
    key = "navier-stokes-3"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole` by continuing lines of equal brightness; the seed does not matter."""
        import cv2

        return Filled(_opencv(image, hole, cv2.INPAINT_NS))


class MeanColor:
    """The mean of the known pixels; mid-gray where nothing is known."""

    name = "mean color"
    key = "mean-color"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole` with the mean color of what is known, or gray; the seed does not matter."""
        known = image[~hole]
        color = np.rint(known.mean(axis=0)) if len(known) else np.full(3, 128.0)
        return Filled(np.where(hole[..., None], color.astype(np.uint8), image))


class Identity:
    """The original itself: what a perfect method would score."""

    name = "original"
    key = "identity"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Return the image as it is."""
        return Filled(image)


class Model:
    """One candidate of an inpainting model."""

    name = "model"

    def __init__(self, inpainter: Inpainter, truncation_psi: float = 1.0) -> None:
        self._inpainter = inpainter
        self._truncation_psi = truncation_psi
        info = inpainter.info
        self.key = f"model-{info.weights_sha256}-{truncation_psi}-{inpainter.dtype}"

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Fill `hole` with the model's candidate of this seed."""
        (fill,) = self._inpainter.fill(
            np.ascontiguousarray(image), hole.astype(np.uint8), [seed], self._truncation_psi
        )
        return Filled(fill.composite, fill.output)


class Samples:
    """The generator alone: new images."""

    name = "samples"

    def __init__(self, generator: Generator, sha256: str, truncation_psi: float = 1.0) -> None:
        self._generator = generator
        self._sha256 = sha256
        self._truncation_psi = truncation_psi
        self.key = f"samples-{sha256}-{truncation_psi}"

    def untruncated(self) -> Samples:
        """Return the same generator at full variety."""
        return Samples(self._generator, self._sha256)

    @torch.inference_mode()
    def draw(self, seed: int) -> ImageU8:
        """One image, uint8 [R, R, 3]."""
        mapping = self._generator.mapping
        device = mapping.w_avg.device
        z = latent_of_seed(seed, mapping.z_dim)[None].to(device)
        labels = torch.zeros(1, mapping.c_dim, device=device) if mapping.c_dim else None
        image: ImageU8 = to_uint8(self._generator(z, labels, self._truncation_psi))[0]
        return image


BASELINES: tuple[Method, ...] = (Telea(), NavierStokes(), MeanColor())


def candidate_seed(seed: int, image: int, candidate: int = 0) -> int:
    """Return the model's seed for one candidate of one image under a mask seed."""
    return derived_seed(seed, image, candidate) % 2**32


def fill_all(method: Method, images: Tensor, holes: Tensor, seed: int) -> Iterator[Filled]:
    """Fill all `images` uint8 [N, 3, R, R] in their `holes` bool [N, 1, R, R], one by one."""
    numbers = tqdm(range(len(images)), method.name, disable=None, leave=False)
    for number in numbers:
        image = images[number].permute(1, 2, 0).contiguous().numpy()
        yield method.fill(image, holes[number, 0].numpy(), candidate_seed(seed, number))


def draw_all(samples: Samples, seed: int, count: int) -> ImageU8:
    """Return the first `count` images of a generator under a mask seed, uint8 [N, R, R, 3]."""
    numbers = tqdm(range(count), samples.name, disable=None, leave=False)
    return np.stack([samples.draw(candidate_seed(seed, number)) for number in numbers])


def _opencv(image: ImageU8, hole: BoolMask, algorithm: int) -> ImageU8:
    import cv2

    if hole.all():
        return np.full_like(image, 128)  # nothing to continue
    filled = cv2.inpaint(np.ascontiguousarray(image), hole.astype(np.uint8), 3, algorithm)
    return np.where(hole[..., None], np.asarray(filled, dtype=np.uint8), image)
