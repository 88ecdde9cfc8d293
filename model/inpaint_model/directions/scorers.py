"""Scores from the user's networks, in TorchScript or ONNX.

They take RGB [N, 3, H, W] in -1..1 at the generator's resolution and return [N] or [N, K].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint_model.bundle.torchscript import load_torchscript
from inpaint_model.directions.measurements import Score
from inpaint_model.evaluation.metrics.onnx import load_onnx


def load_scorer(argument: str, device: torch.device | str = "cpu") -> tuple[str, Score]:
    """Load `NAME=FILE` or `NAME=FILE:K`, where K is the output to use."""
    name, _, file = argument.partition("=")
    path, _, index = file.rpartition(":")
    if not path or not index.isdecimal():
        path, index = file, "0"
    if not name or not path:
        raise ValueError(f"{argument!r}: give NAME=FILE or NAME=FILE:OUTPUT")
    if not Path(path).is_file():
        raise ValueError(f"{path} is not a file")
    if Path(path).suffix.lower() == ".onnx":
        return name, _onnx(Path(path), int(index))
    network = load_torchscript(Path(path), device)
    return name, lambda images: _output(network(images.float()), int(index), path)


def _onnx(path: Path, index: int) -> Score:
    network = load_onnx(path)

    def score(images: Tensor) -> Tensor:
        rows = [network(one[None].float().cpu().numpy()) for one in images]
        return _output(torch.as_tensor(np.concatenate(rows)), index, str(path))

    return score


def _output(values: object, index: int, path: str) -> Tensor:
    if not isinstance(values, Tensor) or values.ndim not in (1, 2):
        raise ValueError(f"{path} does not return [N] or [N, K] for images [N, 3, H, W]")
    if values.ndim == 1 and index == 0:
        return values
    if values.ndim == 1 or index >= values.shape[1]:
        raise ValueError(f"{path} has no output {index}")
    return values[:, index]
