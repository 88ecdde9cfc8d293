"""Scores from the user's networks, in TorchScript or ONNX.

They take RGB [N, 3, H, W] in -1..1 at the generator's resolution and return [N] or [N, K].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.directions.measurements import Score
from inpaint_model.evaluation.metrics.onnx import load_onnx

Network = Callable[[Tensor], object]


def load_scorers(
    arguments: Sequence[str], device: torch.device | str = "cpu"
) -> list[tuple[str, Score]]:
    """Load scorers from `NAME=FILE` or `NAME=FILE:K`, where K is the output to use.

    Scorers of the same file share one network, which runs once per batch of images.

    Raises:
        ValueError: if an argument is malformed, or its file is missing or damaged.
    """
    networks: dict[Path, _Shared] = {}
    scorers = []
    for argument in arguments:
        name, path, index = _parsed(argument)
        if path not in networks:
            networks[path] = _Shared(_load(path, device))
        scorers.append((name, _scorer(networks[path], index, path)))
    return scorers


def _parsed(argument: str) -> tuple[str, Path, int]:
    name, _, file = argument.partition("=")
    path, _, index = file.rpartition(":")
    if not path or not index.isdecimal():
        path, index = file, "0"
    if not name or not path:
        raise ValueError(f"{argument!r}: give NAME=FILE or NAME=FILE:OUTPUT")
    if not Path(path).is_file():
        raise ValueError(f"{path} is not a file")
    return name, Path(path), int(index)


def _load(path: Path, device: torch.device | str) -> Network:
    if path.suffix.lower() != ".onnx":
        module = load_torchscript(path, device)
        return lambda images: module(images.float())
    onnx = load_onnx(path)

    def network(images: Tensor) -> Tensor:
        rows = [onnx(one[None].float().cpu().numpy()) for one in images]
        return torch.as_tensor(np.concatenate(rows))

    return network


class _Shared:
    """A network that keeps its last answer, for scorers that use other outputs of it."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._images: Tensor | None = None
        self._values: object = None

    def __call__(self, images: Tensor) -> object:
        if images is not self._images:
            self._images, self._values = images, self._network(images)
        return self._values


def _scorer(network: Network, index: int, path: Path) -> Score:
    return lambda images: _output(network(images), index, path)


def _output(values: object, index: int, path: Path) -> Tensor:
    if not isinstance(values, Tensor) or values.ndim not in (1, 2):
        raise ValueError(f"{path} does not return [N] or [N, K] for images [N, 3, H, W]")
    if values.ndim == 1 and index == 0:
        return values
    if values.ndim == 1 or index >= values.shape[1]:
        raise ValueError(f"{path} has no output {index}")
    return values[:, index]
