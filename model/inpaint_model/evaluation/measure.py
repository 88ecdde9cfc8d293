"""Everything that is measured of one method on one set of masks; kept, so that it is done once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from inpaint_model.evaluation.mask_sets import MaskSet
from inpaint_model.evaluation.methods import Filled, Method, Pixels, fill_all
from inpaint_model.metrics.fidelity import psnr, ssim
from inpaint_model.metrics.networks import Judges, features_of
from inpaint_model.metrics.perceptual import tap_distance

Floats = NDArray[np.float64]
VGG_SIDE = 128  # px; larger pictures are halved for the VGG distance, which costs most by far
VERSION = 1  # of what is measured; raise it to forget what is kept


@dataclass(frozen=True)
class Measurement:
    """Of N fills: features of the composites, and one value a picture for each metric."""

    features: dict[str, Floats]  # network's suffix -> [N, D]
    values: dict[str, Floats]  # metric's name -> [N]; NaN where a picture has none


class Bench:
    """The pictures and the judges of an evaluation, and a folder of earlier measurements."""

    def __init__(self, pictures: Tensor, judges: Judges, cache: Path) -> None:
        self.pictures = pictures  # uint8 [N, 3, R, R]
        self.judges = judges
        self._cache = cache

    @cached_property
    def sha256(self) -> str:
        """Hash over the pictures."""
        digest = hashlib.sha256(repr(tuple(self.pictures.shape)).encode())
        digest.update(self.pictures.numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def originals(self) -> dict[str, Floats]:
        """The originals' features by each network."""
        path = self._path("originals")
        if path.exists():
            return _read(path).features
        features = self._features(self.pictures)
        _write(path, Measurement(features, {}))
        return features

    def measure(self, method: Method, masks: MaskSet) -> Measurement:
        """Fill all holes by `method` and measure the fills, unless that is known already."""
        path = self._path(method.key, masks.sha256, str(masks.seed))
        if path.exists():
            return _read(path)
        composites = np.empty((len(self.pictures), *self.pictures.shape[2:], 3), np.uint8)
        values: list[dict[str, float]] = []
        fills = fill_all(method, self.pictures, masks.holes, masks.seed)
        for number, filled in enumerate(fills):
            original = self.pictures[number].permute(1, 2, 0).contiguous().numpy()
            values.append(_pixel_values(original, masks.holes[number, 0].numpy(), filled))
            composites[number] = filled.composite
        tensor = torch.from_numpy(composites).permute(0, 3, 1, 2)
        found = {name: np.array([value[name] for value in values]) for name in values[0]}
        measurement = Measurement(self._features(tensor), found | self._perceptual(tensor))
        _write(path, measurement)
        return measurement

    def _features(self, pictures: Tensor) -> dict[str, Floats]:
        return {
            network.suffix: features_of(network, pictures, f"judging with {network.name}")
            for network in self.judges.inception
        }

    @torch.inference_mode()
    def _perceptual(self, composites: Tensor, batch: int = 8) -> dict[str, Floats]:
        """VGG distance and LPIPS to the originals, where there are networks for them."""
        vgg, lpips = self.judges.vgg_taps, self.judges.lpips
        found: dict[str, list[Tensor]] = {}
        if vgg is None and lpips is None:
            return {}
        pairs: Iterable[tuple[Tensor, Tensor]] = zip(
            self.pictures.split(batch), composites.split(batch), strict=True
        )
        total = -(-len(composites) // batch)
        for pair in tqdm(pairs, "perceptual distances", total, disable=None, leave=False):
            original, composite = (x.float() / 127.5 - 1 for x in pair)
            if vgg is not None:
                small = [_shrink(x, VGG_SIDE) for x in (original, composite)]
                distance = tap_distance(vgg(small[0]), vgg(small[1]))
                found.setdefault("vgg", []).append(distance.cpu())
            if lpips is not None:
                found.setdefault("lpips", []).append(lpips(original, composite).cpu())
        return {name: torch.cat(parts).double().numpy() for name, parts in found.items()}

    def _path(self, *parts: str) -> Path:
        key = "\n".join((str(VERSION), self.sha256, self.judges.key, *parts))
        return self._cache / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"


def _shrink(pictures: Tensor, side: int) -> Tensor:
    """[N, C, R, R] to at most `side`, by the mean of each cell."""
    return pictures if pictures.shape[2] <= side else F.adaptive_avg_pool2d(pictures, side)


def _pixel_values(original: Pixels, hole: NDArray[np.bool_], filled: Filled) -> dict[str, float]:
    composite, output = filled
    nothing = float("nan")
    return {
        "psnr": psnr(original, composite),
        "ssim": ssim(original, composite),
        # Of a composite the known region is exact; what the network itself made of it says how
        # well it understood the picture.
        "psnr_known": nothing if output is None else psnr(original, output, ~hole),
        "ssim_known": nothing if output is None else ssim(original, output, ~hole),
        "known_changed": float((composite != original)[~hole].any()),
    }


def _write(path: Path, measurement: Measurement) -> None:
    """All or nothing, so that an interrupted evaluation leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"features/{name}": array for name, array in measurement.features.items()}
    arrays |= {f"values/{name}": array for name, array in measurement.values.items()}
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def _read(path: Path) -> Measurement:
    with np.load(path, allow_pickle=False) as file:
        groups: dict[str, dict[str, Floats]] = {"features": {}, "values": {}}
        for key in file.files:
            group, _, name = key.partition("/")
            groups[group][name] = file[key]
    return Measurement(groups["features"], groups["values"])
