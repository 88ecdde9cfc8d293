"""Exchange files with other methods: export images and masks for them, and read their results.

Files are named after the images, `stems`, and results are sorted by mask set: `hard-0/NAME.png`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpaint_model.data.dataset import load_images
from inpaint_model.document.arrays import BoolMask, ImageU8
from inpaint_model.evaluation.mask_sets import OWN, MaskSet, mask_set_of
from inpaint_model.evaluation.methods import Filled


def stems(names: Sequence[str]) -> list[str]:
    """Return a file name without suffix for every image; numbered if they would not be unique."""
    short = [PurePosixPath(name).stem for name in names]
    if len(set(short)) == len(short):
        return short
    return [f"{number:05}-{stem}" for number, stem in enumerate(short)]


def folder_of(masks: MaskSet) -> str:
    """Return the folder of a mask set, for example "hard-0"."""
    return f"{masks.name}-{masks.seed}"


def export(images: Tensor, names: Sequence[str], mask_sets: Sequence[MaskSet], out: Path) -> None:
    """Write images [N, 3, R, R] and masks (white = hole) as PNG, in `images` and `masks`/SET-SEED.

    Raises:
        OSError: A file cannot be written.
    """
    folder = out / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for stem, image in zip(stems(names), images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(folder / f"{stem}.png")
    for masks in mask_sets:
        folder = out / "masks" / folder_of(masks)
        folder.mkdir(parents=True, exist_ok=True)
        for stem, hole in zip(stems(names), masks.holes[:, 0], strict=True):
            Image.fromarray(hole.numpy()).save(folder / f"{stem}.png")


def read_masks(source: str, names: Sequence[str], resolution: int) -> MaskSet:
    """Read masks (white = hole) named like the images from a folder or zip.

    Raises:
        ValueError: A mask is missing, unreadable or has no hole.
    """
    holes = _aligned(source, names, resolution, "mask").float().mean(dim=1, keepdim=True) >= 128
    empty = (~holes.flatten(1).any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise ValueError(
            f"{source}: the mask of {stems(names)[empty[0]]} has no hole; paint holes white"
        )
    return mask_set_of(OWN, 0, holes)


class Results:
    """The results of another method for a mask set, in image files."""

    def __init__(self, name: str, images: Tensor, results: Tensor) -> None:
        """Match results to images, both uint8 [N, 3, R, R]."""
        self.name = name
        self.key = f"results-{hashlib.sha256(results.numpy().tobytes()).hexdigest()}"
        # Methods get images without their numbers.
        self._results = dict(zip(map(_identity, _rows(images)), _rows(results), strict=True))

    def fill(self, image: ImageU8, hole: BoolMask, seed: int) -> Filled:
        """Composite the result for this image with its known pixels."""
        output = self._results[_identity(image)]
        return Filled(np.where(hole[..., None], output, image), output)


def read_results(
    argument: str, images: Tensor, names: Sequence[str], masks: MaskSet, single: bool
) -> Results:
    """Read the results for a mask set from `NAME=FOLDER`, in FOLDER/SET-SEED.

    If there is only a `single` mask set, they may also be in FOLDER itself.

    Raises:
        ValueError: A result is missing or unreadable.
    """
    name, _, path = argument.partition("=")
    folder = Path(path) / folder_of(masks)
    if single and not folder.is_dir():
        folder = Path(path)
    found = _aligned(str(folder), names, images.shape[2], "result")
    return Results(name, images, found)


def _aligned(source: str, names: Sequence[str], resolution: int, kind: str) -> Tensor:
    """Return the images of a source in the order of `names`, uint8 [N, 3, R, R]."""
    found = load_images(source, resolution)
    numbers = {stem: number for number, stem in enumerate(stems(found.names))}
    missing = [stem for stem in stems(names) if stem not in numbers]
    if missing:
        raise ValueError(
            f"{source} has no {kind} for {len(missing)} of {len(names)} images, the first of which "
            f"is {missing[0]}; name the files like the images"
        )
    return found.pixels[torch.tensor([numbers[stem] for stem in stems(names)])]


def _rows(images: Tensor) -> list[ImageU8]:
    return [image.permute(1, 2, 0).contiguous().numpy() for image in images]


def _identity(image: ImageU8) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
