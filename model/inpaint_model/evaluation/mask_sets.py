"""The masks of an evaluation: drawn once, stored, and identified by their hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from inpaint_model.data.kept_features import FACE_FEATURES, holes_around_features
from inpaint_model.data.masks import COMODGAN, RECIPES, draw_holes, hole_ratio
from inpaint_model.data.sampler import derived_seed

Draw = Callable[[int, int, Generator], Tensor]  # (N, R, randomness) -> [N, 1, R, R]


def _comodgan(low: float, high: float) -> Draw:
    return lambda count, resolution, generator: draw_holes(
        COMODGAN, count, resolution, generator, (low, high)
    )


def _tenths(count: int, resolution: int, generator: Generator) -> Tensor:
    """Draw mask i with a hole ratio of d to d + 1 tenths, where d = i mod 10."""
    holes = torch.empty(count, 1, resolution, resolution)
    for tenth in range(10):
        wanted = len(range(tenth, count, 10))
        hole_range = (tenth / 10, (tenth + 1) / 10)
        holes[tenth::10] = draw_holes(COMODGAN, wanted, resolution, generator, hole_range)
    return holes


MASK_SETS: dict[str, tuple[str, Draw]] = {
    "easy": ("free-form, 0 to 0.4 of the image", _comodgan(0, 0.4)),
    "hard": ("free-form, 0.4 to 1 of the image", _comodgan(0.4, 1)),
    "all": ("free-form, any share of the image", _comodgan(0, 1)),
    "tenths": ("free-form, each tenth of the image equally often", _tenths),
    "whole": ("the whole image", lambda n, r, g: draw_holes(RECIPES["whole"], n, r, g)),
    "half": ("one half of the image", lambda n, r, g: draw_holes(RECIPES["half"], n, r, g)),
    "skin": (
        "ovals around brows, eyes and mouth of faces in FFHQ's alignment",
        lambda n, r, g: holes_around_features(n, r, g, FACE_FEATURES),
    ),
}

OWN = "own"  # name of the user's masks


@dataclass(frozen=True)
class MaskSet:
    """One mask for each image."""

    name: str
    seed: int
    holes: Tensor  # bool [N, 1, R, R]
    sha256: str  # over the size and the packed bits

    @property
    def title(self) -> str:
        """Description for the report."""
        return title_of(self.name)

    @property
    def mean_hole_ratio(self) -> float:
        """Mean fraction of an image that is hole."""
        return float(hole_ratio(self.holes.float()).mean())


def title_of(name: str) -> str:
    """Return the description of a mask set."""
    return "masks from files" if name == OWN else MASK_SETS[name][0]


def mask_set_of(name: str, seed: int, holes: Tensor) -> MaskSet:
    """Return the mask set of holes, bool [N, 1, R, R]."""
    return MaskSet(name, seed, holes, _hash(holes))


def mask_set(name: str, seed: int, count: int, resolution: int, folder: Path) -> MaskSet:
    """Load the set from `folder`; draw and store it there the first time.

    Raises:
        ValueError: the stored set has another size or was modified.
    """
    path = folder / f"{name}-{seed}.npz"
    if path.exists():
        return _read(path, name, seed, count, resolution)
    number = list(MASK_SETS).index(name)
    generator = torch.Generator().manual_seed(derived_seed(seed, number))
    holes = MASK_SETS[name][1](count, resolution, generator) > 0
    made = mask_set_of(name, seed, holes)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path, bits=np.packbits(holes.numpy()), shape=np.array(holes.shape), sha256=made.sha256
    )
    return made


def _read(path: Path, name: str, seed: int, count: int, resolution: int) -> MaskSet:
    with np.load(path, allow_pickle=False) as file:
        shape = tuple(int(n) for n in file["shape"])
        if shape != (count, 1, resolution, resolution):
            raise ValueError(
                f"{path} holds {shape[0]} masks of {shape[2]} px, not {count} of {resolution} px; "
                "choose another --out, or delete its masks folder"
            )
        bits = np.unpackbits(file["bits"], count=int(np.prod(shape)))
        holes = torch.from_numpy(bits.reshape(shape)) > 0
        if _hash(holes) != str(file["sha256"]):
            raise ValueError(
                f"{path} is damaged: its masks do not match the stored hash; delete the file"
            )
        return MaskSet(name, seed, holes, str(file["sha256"]))


def _hash(holes: Tensor) -> str:
    digest = hashlib.sha256(repr(tuple(holes.shape)).encode())
    digest.update(np.packbits(holes.numpy()).tobytes())
    return digest.hexdigest()
