"""The device of a command: chosen, checked, and set to compute fast or exactly.

torch is imported when a function needs it, so that `--help` and errors in arguments come at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ACCELERATORS = ("cuda", "xpu", "mps")  # in the order of `auto`
HELP = "auto, cpu, cuda, cuda:N, xpu, xpu:N or mps; a ROCm build of torch answers to cuda"
NAMES = {"cuda": "CUDA", "xpu": "XPU", "mps": "MPS"}
# What lets processes exchange gradients that are on such a device, by torch's name for it.
BACKENDS = {"cuda": "nccl", "xpu": "xccl"}


def choose_device(wanted: str | torch.device = "auto") -> torch.device:
    """Return the device called auto, cpu, cuda, cuda:N, xpu, xpu:N or mps; a device is itself.

    auto is the first accelerator there is, else the processor.

    Raises:
        ValueError: the name is another one, or the device is not here; with cause and remedy.
    """
    import torch

    if isinstance(wanted, torch.device):
        return wanted
    if wanted == "auto":
        return torch.device(next(filter(count, ACCELERATORS), "cpu"))
    kind, colon, number = wanted.partition(":")
    known = kind in ACCELERATORS if not colon else kind in ("cuda", "xpu") and number.isdecimal()
    if wanted == "cpu":
        return torch.device("cpu")
    if not known:
        raise ValueError(f"there is no device called {wanted!r}; give {HELP}")
    here = count(kind)
    if here == 0:
        cause, remedy = _why_none(kind)
        raise ValueError(
            f"this torch sees no {NAMES[kind]} device: {cause}; use --device cpu, or {remedy}"
        )
    if number and int(number) >= here:
        last = f"{kind}:{here - 1}"
        raise ValueError(f"there is no {wanted}: the last {NAMES[kind]} device here is {last}")
    return torch.device(wanted)


def count(kind: str) -> int:
    """Return how many devices of a kind there are."""
    import torch

    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = {"cuda": torch.cuda, "xpu": torch.xpu}[kind]
    return module.device_count() if module.is_available() else 0


def _why_none(kind: str) -> tuple[str, str]:
    """Return why there is no device of a kind, as far as torch knows, and what can be done."""
    import torch

    if kind == "cuda":
        if torch.version.cuda is None and torch.version.hip is None:
            return "it is built without CUDA and ROCm", "install a build of torch for your GPU"
        return "no driver that fits it answers", "install or update the GPU's driver"
    if kind == "xpu":
        return "no Intel GPU answers", "install its driver and a build of torch for XPU"
    if torch.backends.mps.is_built():
        return (
            "there is no GPU that it can use",
            "use a Mac with an Apple GPU and macOS 14 or later",
        )
    return "it is built without MPS", "install the build of torch for macOS"


def measuring_device(wanted: str | torch.device) -> torch.device:
    """Choose a device as `choose_device` does, and set it up by `compute_exactly`."""
    device = choose_device(wanted)
    compute_exactly(device)
    return device


def compute_fast(device: torch.device) -> None:
    """Set this process up for training on `device`; on others than CUDA devices nothing changes.

    What stays in float32 is multiplied as TF32 (10 bits of mantissa), and cuDNN tries which of its
    algorithms is fastest for each shape.
    """
    _set_cuda(device, True)


def compute_exactly(device: torch.device) -> None:
    """Set this process up for measuring on `device`: all of float32, no choice by timing.

    By itself torch lets cuDNN use TF32 for convolutions.
    """
    _set_cuda(device, False)


def _set_cuda(device: torch.device, fast: bool) -> None:
    import torch

    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = fast
        torch.backends.cudnn.allow_tf32 = fast
        torch.backends.cudnn.benchmark = fast


def free_memory(device: torch.device) -> float:
    """Return the bytes that are free on a GPU; infinity elsewhere, where nobody has to ask."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "xpu":
        return torch.xpu.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return math.inf
