"""Cached measurements of one method on one mask set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from inpaint_model.document.arrays import BoolMask, Float64Array, ImageU8
from inpaint_model.evaluation.mask_sets import MaskSet
from inpaint_model.evaluation.methods import Filled, Method, Samples, draw_all, fill_all
from inpaint_model.evaluation.metrics.eyes import eye_difference
from inpaint_model.evaluation.metrics.feature_networks import (
    EvaluationNetworks,
    features_of,
    meshes_of,
)
from inpaint_model.evaluation.metrics.psnr_ssim import psnr, ssim
from inpaint_model.evaluation.metrics.vgg_distance import tap_distance

VGG_SIDE = 128  # px; larger images are reduced for the VGG distance, to save time
VERSION = 2  # raise it to invalidate the cache


@dataclass(frozen=True)
class Measurement:
    """Features of N images, and one value per image for each metric."""

    features: dict[str, Float64Array]  # network suffix -> [N, D]
    values: dict[str, Float64Array]  # metric name -> [N]; NaN where undefined
    meshes: Float64Array | None = None  # [N, 468, 3] in units of the image's side


class EvaluationContext:
    """The images, networks and cache of an evaluation."""

    def __init__(self, images: Tensor, judges: EvaluationNetworks, cache: Path) -> None:
        self.images = images  # uint8 [N, 3, R, R]
        self.judges = judges
        self._cache = cache

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the images."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        digest.update(self.images.numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def originals(self) -> Measurement:
        """Measurement of the originals."""
        return self._kept("originals", make=lambda: self._of_faces(self.images))

    def samples(self, samples: Samples, seed: int, count: int) -> Measurement:
        """Measure `count` images of a generator."""
        return self._kept(
            samples.key,
            str(seed),
            str(count),
            make=lambda: self._of_faces(
                torch.from_numpy(draw_all(samples, seed, count)).permute(0, 3, 1, 2)
            ),
        )

    def measure(self, method: Method, masks: MaskSet) -> Measurement:
        """Measure the fills of all holes."""
        return self._kept(
            method.key, masks.sha256, str(masks.seed), make=lambda: self._of_fills(method, masks)
        )

    def _of_fills(self, method: Method, masks: MaskSet) -> Measurement:
        composites = np.empty((len(self.images), *self.images.shape[2:], 3), np.uint8)
        values: list[dict[str, float]] = []
        fills = fill_all(method, self.images, masks.holes, masks.seed)
        for number, filled in enumerate(fills):
            original = self.images[number].permute(1, 2, 0).contiguous().numpy()
            values.append(_pixel_values(original, masks.holes[number, 0].numpy(), filled))
            composites[number] = filled.composite
        tensor = torch.from_numpy(composites).permute(0, 3, 1, 2)
        judged = self._of_images(tensor)
        found = {name: np.array([value[name] for value in values]) for name in values[0]}
        found |= self._perceptual(tensor) | self._identity(tensor)
        return replace(judged, values=judged.values | found)

    def _of_faces(self, images: Tensor) -> Measurement:
        # Comparing eyes is slow (two more passes of Inception), so fills go without.
        judged = self._of_images(images)
        if judged.meshes is None or self.judges.maps is None:
            return judged
        eyes = eye_difference(self.judges.maps, images, judged.meshes)
        return replace(judged, values=judged.values | {"eyes": eyes})

    def _of_images(self, images: Tensor) -> Measurement:
        """Measure what needs no originals."""
        judges = self.judges
        return Measurement(
            self._features(images),
            {} if judges.detect is None else {"face_score": judges.detect(images)},
            None if judges.mesh is None else meshes_of(judges.mesh, images),
        )

    def _features(self, images: Tensor) -> dict[str, Float64Array]:
        return {
            network.suffix: features_of(network, images, network.name)
            for network in self.judges.inception
        }

    @torch.inference_mode()
    def _perceptual(self, composites: Tensor, batch: int = 8) -> dict[str, Float64Array]:
        vgg, lpips = self.judges.vgg_taps, self.judges.lpips
        found: dict[str, list[Tensor]] = {}
        if vgg is None and lpips is None:
            return {}
        pairs: Iterable[tuple[Tensor, Tensor]] = zip(
            self.images.split(batch), composites.split(batch), strict=True
        )
        total = -(-len(composites) // batch)
        for pair in tqdm(pairs, "perceptual distances", total, disable=None, leave=False):
            original, composite = (_signed(x) for x in pair)
            if vgg is not None:
                small = [_shrink(x, VGG_SIDE) for x in (original, composite)]
                distance = tap_distance(vgg(small[0]), vgg(small[1]))
                found.setdefault("vgg", []).append(distance.cpu())
            if lpips is not None:
                found.setdefault("lpips", []).append(lpips(original, composite).cpu())
        return {name: torch.cat(parts).double().numpy() for name, parts in found.items()}

    def _identity(self, composites: Tensor) -> dict[str, Float64Array]:
        """Return the cosine distance of the faces' embeddings from the originals'."""
        if self._embedded is None:
            return {}
        assert self.judges.embed is not None
        cosine = (self._embedded * self.judges.embed(_signed(composites))).sum(dim=1)
        return {"identity": (1 - cosine).double().numpy()}

    @cached_property
    def _embedded(self) -> Tensor | None:
        return None if self.judges.embed is None else self.judges.embed(_signed(self.images))

    def _kept(self, *parts: str, make: Callable[[], Measurement]) -> Measurement:
        """Return the measurement named by `parts` from the cache, or make it."""
        key = "\n".join((str(VERSION), self.sha256, self.judges.key, *parts))
        path = self._cache / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"
        if path.exists():
            return _read(path)
        measurement = make()
        _write(path, measurement)
        return measurement


def _signed(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def _shrink(images: Tensor, side: int) -> Tensor:
    return images if images.shape[2] <= side else F.adaptive_avg_pool2d(images, side)


def _pixel_values(original: ImageU8, hole: BoolMask, filled: Filled) -> dict[str, float]:
    composite, output = filled
    nothing = float("nan")
    return {
        "psnr": psnr(original, composite),
        "ssim": ssim(original, composite),
        # Known pixels of the output show how well the network encoded the image.
        "psnr_known": nothing if output is None else psnr(original, output, ~hole),
        "ssim_known": nothing if output is None else ssim(original, output, ~hole),
        "known_changed": float((composite != original)[~hole].any()),
    }


def _write(path: Path, measurement: Measurement) -> None:
    """Write atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"features/{name}": array for name, array in measurement.features.items()}
    arrays |= {f"values/{name}": array for name, array in measurement.values.items()}
    if measurement.meshes is not None:
        arrays["meshes/face"] = measurement.meshes.astype(np.float32)  # the network's precision
    part = path.with_suffix(f".{os.getpid()}.part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def _read(path: Path) -> Measurement:
    with np.load(path, allow_pickle=False) as file:
        groups: dict[str, dict[str, Float64Array]] = {"features": {}, "values": {}, "meshes": {}}
        for key in file.files:
            group, _, name = key.partition("/")
            groups[group][name] = file[key].astype(np.float64)
    return Measurement(groups["features"], groups["values"], groups["meshes"].get("face"))
