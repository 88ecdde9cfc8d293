"""Judge networks from weight files: features for the metrics.

Every file is TorchScript, which runs without the code that made it. A metric in other than the
2048-d Inception features is never called `fid`: its name carries the width, as in `fid768`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from inpaint_model.bundle import file_sha256
from inpaint_model.torchscript import load_torchscript

Floats = NDArray[np.float64]
# File names that are looked for in `--metrics-dir`.
INCEPTION_2048 = "inception-2015-12-05.pt"  # NVIDIA's TorchScript file, as in stylegan2-ada
INCEPTION_768 = "inception768_fp16.pt"
VGG_TAPS = "vgg19_relu3_fp16.pt"
LPIPS_VGG = "vgg16.pt"  # NVIDIA's TorchScript file with the LPIPS heads


@dataclass(frozen=True)
class FeatureNetwork:
    """Pictures uint8 [N, 3, H, W] to one feature vector each, float32 [N, D]."""

    suffix: str  # of the metrics' names: "" for the 2048-d Inception, else the width
    features: Callable[[Tensor], Tensor]
    maps: Callable[[Tensor], Sequence[Tensor]] | None = None  # feature maps [N, C, h, w], or None

    @property
    def name(self) -> str:
        """For people."""
        return f"Inception ({self.suffix or 2048} features)"


@dataclass(frozen=True)
class Judges:
    """The networks that the given weight files allow; None where a file is missing."""

    key: str = ""  # hash over all weight files: names cached results
    inception: tuple[FeatureNetwork, ...] = ()
    vgg_taps: Callable[[Tensor], Sequence[Tensor]] | None = None  # -1..1 -> relu1_1, 2_1, 3_1
    lpips: Callable[[Tensor, Tensor], Tensor] | None = None  # two batches in -1..1 -> [N]

    @property
    def maps(self) -> Callable[[Tensor], Sequence[Tensor]] | None:
        """Feature maps for the diversity of candidates."""
        return next((network.maps for network in self.inception if network.maps), None)


def load_judges(folder: str | Path | None, device: torch.device | str = "cpu") -> Judges:
    """Every network whose file lies in `folder`. ValueError if there is none of them."""
    if folder is None:
        return Judges()
    path = Path(folder)
    names = (INCEPTION_2048, INCEPTION_768, VGG_TAPS, LPIPS_VGG)
    there = [path / name for name in names if (path / name).exists()]
    if not there:
        raise ValueError(f"{path} holds none of the metric networks: {', '.join(names)}")
    inception = []
    if (path / INCEPTION_2048).exists():
        inception.append(_inception_2048(path / INCEPTION_2048, device))
    if (path / INCEPTION_768).exists():
        inception.append(_inception_768(path / INCEPTION_768, device))
    vgg = _vgg_taps(path / VGG_TAPS, device) if (path / VGG_TAPS).exists() else None
    lpips = _lpips_vgg(path / LPIPS_VGG, device) if (path / LPIPS_VGG).exists() else None
    return Judges("-".join(file_sha256(file)[:16] for file in there), tuple(inception), vgg, lpips)


def features_of(network: FeatureNetwork, pictures: Tensor, title: str, batch: int = 16) -> Floats:
    """Features of uint8 [N, 3, H, W], float64 [N, D], in batches, with a bar on a terminal."""
    parts = tqdm(pictures.split(batch), title, disable=None, leave=False)
    with torch.inference_mode():
        return torch.cat([network.features(part).cpu() for part in parts]).double().numpy()


def _inception_2048(path: Path, device: torch.device | str) -> FeatureNetwork:
    module = load_torchscript(path, device)

    def features(pictures: Tensor) -> Tensor:
        result: Tensor = module(pictures.to(device), return_features=True)
        return result

    return FeatureNetwork("", features)


def _inception_768(path: Path, device: torch.device | str) -> FeatureNetwork:
    module = load_torchscript(path, device)

    def maps(pictures: Tensor) -> list[Tensor]:
        """The network's three stages, 147, 73 and 17 px a side; the third's mean is the feature."""
        x = F.interpolate(pictures.to(device).float(), (299, 299), mode="bilinear")
        first = module.s1((x - 128) / 128)
        second = module.s2(F.max_pool2d(first, 3, 2))
        return [first, second, module.m(F.max_pool2d(second, 3, 2))]

    def features(pictures: Tensor) -> Tensor:
        result: Tensor = module(pictures.to(device))
        return result

    return FeatureNetwork("768", features, maps)


def _vgg_taps(path: Path, device: torch.device | str) -> Callable[[Tensor], Sequence[Tensor]]:
    module = load_torchscript(path, device)

    def taps(pictures: Tensor) -> Sequence[Tensor]:
        result: Sequence[Tensor] = module(pictures.to(device))
        return result

    return taps


def _lpips_vgg(path: Path, device: torch.device | str) -> Callable[[Tensor, Tensor], Tensor]:
    module = load_torchscript(path, device)

    def distance(first: Tensor, second: Tensor) -> Tensor:
        """The file's features are scaled so that their squared distance is LPIPS."""
        codes = [
            module((x.to(device) + 1) * 127.5, resize_images=False, return_lpips=True)
            for x in (first, second)
        ]
        result: Tensor = (codes[0] - codes[1]).square().sum(dim=1)
        return result

    return distance
