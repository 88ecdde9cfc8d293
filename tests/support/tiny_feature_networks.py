"""Small feature networks with random weights, as TorchScript files."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from inpaint_model.training.projected.discriminator import ProjectedDiscriminator
from inpaint_model.training.projected.feature_network import load_feature_network
from torch import Tensor, nn


class TinyNetwork(nn.Module):
    """Images -> maps at 1/4, 1/8, ... of their size, by strided depthwise convolutions."""

    def __init__(self, channels: Sequence[int] = (4, 6, 8, 8)) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.stages = nn.ModuleList()
        width = 4
        for count in channels:
            down = nn.Conv2d(width, width, 3, stride=2, padding=1, groups=width)
            self.stages.append(nn.Sequential(down, nn.Conv2d(width, count, 1), nn.ReLU6()))
            width = count

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)
        maps: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


def save_script(network: nn.Module, path: Path) -> Path:
    """Write a network as a TorchScript file, which torch has deprecated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(network.eval()).save(str(path))
    return path


def tiny_feature_network(path: Path, channels: Sequence[int] = (4, 6, 8, 8), seed: int = 0) -> Path:
    """Write a network with weights from a seed; return `path`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return save_script(TinyNetwork(channels), path)


def tiny_projected(
    path: Path, resolution: int = 32, seed: int = 0, dtype: torch.dtype = torch.float32
) -> ProjectedDiscriminator:
    """Return projected discriminators for a network file, with mixing and heads from a seed."""
    network = load_feature_network(path, dtype)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return ProjectedDiscriminator([network], resolution, dtype)
