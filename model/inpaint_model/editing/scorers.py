"""Scores from networks that a user supplies: TorchScript, or ONNX where ONNX Runtime is there.

A network takes RGB [N, 3, H, W] in -1..1 at the generator's resolution and gives [N] or [N, K].
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from inpaint_model.editing.statistics import Score
from inpaint_model.torchscript import load_torchscript


def load_scorer(argument: str, device: torch.device | str = "cpu") -> tuple[str, Score]:
    """Name and score of `NAME=FILE` or `NAME=FILE:K`, K being the output that counts."""
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
    return name, lambda pictures: _output(network(pictures.float()), int(index), path)


def _onnx(path: Path, index: int) -> Score:
    if find_spec("onnxruntime") is None:
        raise ValueError(f"{path} needs ONNX Runtime: pip install onnxruntime")
    runtime = import_module("onnxruntime")  # untyped, and optional
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def score(pictures: Tensor) -> Tensor:
        outputs = session.run(None, {name: pictures.float().cpu().numpy()})
        return _output(torch.as_tensor(outputs[0]), index, str(path))

    return score


def _output(values: object, index: int, path: str) -> Tensor:
    if not isinstance(values, Tensor) or values.ndim not in (1, 2):
        raise ValueError(f"{path} does not give [N] or [N, K] for pictures [N, 3, H, W]")
    if values.ndim == 1 and index == 0:
        return values
    if values.ndim == 1 or index >= values.shape[1]:
        raise ValueError(f"{path} has no output {index}")
    return values[:, index]
