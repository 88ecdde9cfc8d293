"""Networks from weight files that compute the features for the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.bundle.weights import file_sha256
from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.metrics.detection import Detect, load_detector
from inpaint_model.evaluation.metrics.identity import Embed, load_identity

# Files in `--metrics-dir`: TorchScript or ONNX.
INCEPTION_2048 = "inception-2015-12-05.pt"  # NVIDIA's, as in stylegan2-ada
INCEPTION_768 = "inception768_fp16.pt"
VGG_TAPS = "vgg19_relu3_fp16.pt"
LPIPS_VGG = "vgg16.pt"  # NVIDIA's, with the LPIPS heads
DETECTOR = "face_detection_yunet_2026may.onnx"
MESH = "landmarks468_fp16.pt"  # MediaPipe's
IDENTITY = "MobileFaceNet.onnx"
NAMES = (INCEPTION_2048, INCEPTION_768, VGG_TAPS, LPIPS_VGG, DETECTOR, MESH, IDENTITY)
MESH_SIDE = 192  # px of the mesh network's input


@dataclass(frozen=True)
class FeatureNetwork:
    """A network that maps images uint8 [N, 3, H, W] to feature vectors, float32 [N, D]."""

    suffix: str  # the features' width, as in `fid768`; "" for the 2048-d Inception
    features: Callable[[Tensor], Tensor]
    maps: Callable[[Tensor], Sequence[Tensor]] | None = None  # [N, C, h, w]

    @property
    def name(self) -> str:
        """Name for reports."""
        return f"Inception ({self.suffix or 2048} features)"


@dataclass(frozen=True)
class EvaluationNetworks:
    """The networks whose weight files are available."""

    sha256: Mapping[str, str] = field(default_factory=dict)  # by file name
    inception: tuple[FeatureNetwork, ...] = ()
    vgg_taps: Callable[[Tensor], Sequence[Tensor]] | None = None  # -1..1 -> relu1_1, 2_1, 3_1
    lpips: Callable[[Tensor, Tensor], Tensor] | None = None  # two batches in -1..1 -> [N]
    detect: Detect | None = None
    mesh: Callable[[Tensor], Tensor] | None = None  # uint8 [N, 3, H, W] -> landmarks [N, 468, 3]
    embed: Embed | None = None

    @property
    def key(self) -> str:
        """Identifies the weights in cache keys."""
        return "-".join(digest[:16] for digest in self.sha256.values())

    @property
    def maps(self) -> Callable[[Tensor], Sequence[Tensor]] | None:
        """Feature maps for comparing candidates and eyes."""
        return next((network.maps for network in self.inception if network.maps), None)


def load_evaluation_networks(
    folders: Sequence[Path], device: torch.device | str = "cpu"
) -> EvaluationNetworks:
    """Load each network from the first of `folders` that has its file.

    Raises:
        ValueError: a folder has none of the files.
    """
    for folder in folders:
        if not any((folder / name).exists() for name in NAMES):
            raise ValueError(f"{folder} holds none of the metric networks: {', '.join(NAMES)}")
    files = {
        name: next(folder / name for folder in folders if (folder / name).exists())
        for name in NAMES
        if any((folder / name).exists() for folder in folders)
    }
    inception = []
    if INCEPTION_2048 in files:
        inception.append(_inception_2048(files[INCEPTION_2048], device))
    if INCEPTION_768 in files:
        inception.append(_inception_768(files[INCEPTION_768], device))
    return EvaluationNetworks(
        {name: file_sha256(path) for name, path in files.items()},
        tuple(inception),
        _vgg_taps(files[VGG_TAPS], device) if VGG_TAPS in files else None,
        _lpips_vgg(files[LPIPS_VGG], device) if LPIPS_VGG in files else None,
        load_detector(files[DETECTOR]) if DETECTOR in files else None,
        _mesh(files[MESH], device) if MESH in files else None,
        load_identity(files[IDENTITY]) if IDENTITY in files else None,
    )


def features_of(
    network: FeatureNetwork, images: Tensor, title: str, batch: int = 16
) -> Float64Array:
    """Return features of images uint8 [N, 3, H, W], [N, D]."""
    parts = tqdm(images.split(batch), title, disable=None, leave=False)
    with torch.inference_mode():
        return torch.cat([network.features(part).cpu() for part in parts]).double().numpy()


def meshes_of(mesh: Callable[[Tensor], Tensor], images: Tensor, batch: int = 16) -> Float64Array:
    """Return face landmarks of images uint8 [N, 3, H, W], [N, 468, 3]."""
    parts = tqdm(images.split(batch), "finding landmarks", disable=None, leave=False)
    with torch.inference_mode():
        return torch.cat([mesh(part).cpu() for part in parts]).double().numpy()


def _inception_2048(path: Path, device: torch.device | str) -> FeatureNetwork:
    module = load_torchscript(path, device)

    def features(images: Tensor) -> Tensor:
        result: Tensor = module(images.to(device), return_features=True)
        return result

    return FeatureNetwork("", features)


def _inception_768(path: Path, device: torch.device | str) -> FeatureNetwork:
    module = load_torchscript(path, device)

    def maps(images: Tensor) -> list[Tensor]:
        # Stages of 147, 73 and 17 px; the feature is the third's mean.
        x = F.interpolate(images.to(device).float(), (299, 299), mode="bilinear")
        first = module.s1((x - 128) / 128)
        second = module.s2(F.max_pool2d(first, 3, 2))
        return [first, second, module.m(F.max_pool2d(second, 3, 2))]

    def features(images: Tensor) -> Tensor:
        result: Tensor = module(images.to(device))
        return result

    return FeatureNetwork("768", features, maps)


def _vgg_taps(path: Path, device: torch.device | str) -> Callable[[Tensor], Sequence[Tensor]]:
    module = load_torchscript(path, device)

    def taps(images: Tensor) -> Sequence[Tensor]:
        result: Sequence[Tensor] = module(images.to(device))
        return result

    return taps


def _lpips_vgg(path: Path, device: torch.device | str) -> Callable[[Tensor, Tensor], Tensor]:
    module = load_torchscript(path, device)

    def distance(first: Tensor, second: Tensor) -> Tensor:
        # The features are scaled so that their squared distance is LPIPS.
        codes = [
            module((x.to(device) + 1) * 127.5, resize_images=False, return_lpips=True)
            for x in (first, second)
        ]
        result: Tensor = (codes[0] - codes[1]).square().sum(dim=1)
        return result

    return distance


def _mesh(path: Path, device: torch.device | str) -> Callable[[Tensor], Tensor]:
    module = load_torchscript(path, device)

    def mesh(images: Tensor) -> Tensor:
        # In units of the image's side, from the upper left corner.
        size = (MESH_SIDE, MESH_SIDE)
        x = images.to(device).float() / 127.5 - 1
        points: Tensor = module(F.interpolate(x, size, mode="bilinear", antialias=True))[0]
        return points.view(-1, 468, 3) / MESH_SIDE

    return mesh
