"""Images for trying directions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inpaint_model.data.image_tensors import from_uint8, to_uint8
from inpaint_model.directions.effects import Subject
from inpaint_model.directions.samples import codes, fast
from inpaint_model.document.arrays import ImageU8, MaskU8
from inpaint_model.inference.inpainter import Inpainter, seed_sequence
from inpaint_model.networks.generator import Generator


def sampled(
    generator: Generator, count: int, seed: int = 0, truncation_psi: float = 0.8
) -> list[Subject]:
    """Sample images; edits change the entire image."""

    def render(ws: Tensor) -> Tensor:
        images: Tensor = generator.synthesis(ws, "const", None, fast(ws.device))
        return images.float()

    num_ws = generator.config.num_ws
    w = codes(generator, count, seed, truncation_psi)
    return [Subject(one.expand(num_ws, -1), render) for one in w]


def filled(
    inpainter: Inpainter, images: Sequence[ImageU8], holes: Sequence[MaskU8], seed: int = 0
) -> list[Subject]:
    """Fill images [R, R, 3] in holes [R, R]; edits change only the hole."""
    return [
        _fill(inpainter, image, hole, own)
        for image, hole, own in zip(images, holes, seed_sequence(seed, len(images)), strict=True)
    ]


def _fill(inpainter: Inpainter, image: ImageU8, hole: MaskU8, seed: int) -> Subject:
    encoding = inpainter.encode(image, hole)
    ws = torch.from_numpy(inpainter.sample(encoding, [seed], 0.8)[0])
    known = from_uint8(image[None])
    mask = torch.from_numpy(hole > 0).float()[None, None]

    def render(ws: Tensor) -> Tensor:
        output = torch.from_numpy(inpainter.render(encoding, ws.numpy()))
        return output.permute(0, 3, 1, 2) * 2 - 1

    def bare(ws: Tensor) -> Tensor:
        return inpainter.synthesis(ws.to(inpainter.device)).float().cpu()

    has_skip = inpainter.config.abilities.corrected
    return Subject(ws, render, bare if has_skip else None, mask, known)


def photographs(inpainter: Inpainter, images: Sequence[ImageU8], seed: int = 0) -> list[Subject]:
    """Fill images [R, R, 3]: half of the image, the hair, the face, and so on."""
    R = inpainter.resolution
    holes = [(half_hole(R, k // 3), hair_hole(R), face_hole(R))[k % 3] for k in range(len(images))]
    return filled(inpainter, images, holes, seed)


def mostly_erased(inpainter: Inpainter, images: Sequence[ImageU8], seed: int = 0) -> list[Subject]:
    """Fill images [R, R, 3] in all but a quarter, so that nearly every measurement shows."""
    holes = [quarter_kept(inpainter.resolution, k) for k in range(len(images))]
    return filled(inpainter, images, holes, seed)


@torch.inference_mode()
def imagined(generator: Generator, count: int, seed: int = 0) -> list[ImageU8]:
    """Return the generator's images [R, R, 3] of the seeds from `seed` on."""
    own = sampled(generator, count, seed)
    return [to_uint8(subject.render(subject.ws[None]))[0] for subject in own]


def half_hole(R: int, number: int) -> MaskU8:
    """Return a hole over the left, right, lower or upper half."""
    hole = np.zeros((R, R), np.uint8)
    half = R // 2
    left, right = (slice(None), slice(0, half)), (slice(None), slice(half, R))
    lower, upper = (slice(half, R), slice(None)), (slice(0, half), slice(None))
    hole[(left, right, lower, upper)[number % 4]] = 255
    return hole


def quarter_kept(R: int, number: int) -> MaskU8:
    """Return a hole over everything but the upper or lower, left or right quarter."""
    hole = np.full((R, R), 255, np.uint8)
    half = R // 2
    row, column = divmod(number % 4, 2)
    hole[row * half :, column * half :][:half, :half] = 0
    return hole


def hair_hole(R: int) -> MaskU8:
    """Return a hole over an aligned portrait's hair, above and beside the face."""
    y, x = (np.mgrid[0:R, 0:R] + 0.5) / R
    head = ((x - 0.5) / 0.42) ** 2 + ((y - 0.46) / 0.46) ** 2 < 1
    hole: MaskU8 = np.where(head & (y < 0.8), 255 - face_hole(R), 0).astype(np.uint8)
    return hole


def face_hole(R: int) -> MaskU8:
    """Return a hole over an aligned portrait's face, from the forehead to the chin."""
    y, x = (np.mgrid[0:R, 0:R] + 0.5) / R
    face = ((x - 0.5) / 0.24) ** 2 + ((y - 0.58) / 0.34) ** 2 < 1
    hole: MaskU8 = np.where(face, 255, 0).astype(np.uint8)
    return hole
