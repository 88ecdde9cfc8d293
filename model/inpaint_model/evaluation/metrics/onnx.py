"""Run ONNX networks with ONNX Runtime or else OpenCV; both are optional."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps one image [1, 3, H, W] to the network's first output [1, K]."""


def load_onnx(path: Path) -> Network:
    """Load a network for the CPU.

    Raises:
        ValueError: if the file is invalid or no runtime is installed.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file")
    if find_spec("onnxruntime") is not None:
        return _by_onnxruntime(path)
    if find_spec("cv2") is not None:
        return _by_opencv(path)
    raise ValueError(
        f"{path} needs ONNX Runtime or OpenCV: pip install onnxruntime, or "
        "'inpaint-stylegan[evaluate]'"
    )


def _by_onnxruntime(path: Path) -> Network:
    runtime = import_module("onnxruntime")  # untyped
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base class
        raise ValueError(f"{path} is not an ONNX network: {_first_line(error)}") from error
    name = session.get_inputs()[0].name
    return lambda image: np.asarray(session.run(None, {name: image})[0])


def _by_opencv(path: Path) -> Network:
    import cv2

    try:
        network = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error as error:
        raise ValueError(f"{path} is not an ONNX network: {_first_line(error)}") from error

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        network.setInput(image)
        return np.asarray(network.forward(), dtype=np.float32)

    return run


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
