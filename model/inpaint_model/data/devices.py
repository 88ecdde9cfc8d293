"""Choose the device of a command, and configure it for speed or for exactness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

ACCELERATORS = ("cuda", "xpu", "mps")  # the order of `auto`
HELP = "auto, cpu, cuda, cuda:N, xpu, xpu:N or mps; use cuda for a ROCm build of torch"
NAMES = {"cuda": "CUDA", "xpu": "XPU", "mps": "MPS"}
# torch.distributed backends.
BACKENDS = {"cuda": "nccl", "xpu": "xccl"}


def choose_device(wanted: str | torch.device = "auto") -> torch.device:
    """Return the named device; `auto` is the first available accelerator, otherwise the CPU.

    Raises:
        ValueError: the name is unknown or the device is not available.
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
        raise ValueError(f"unknown device {wanted!r}; give {HELP}")
    here = count(kind)
    if here == 0:
        cause, remedy = _why_none(kind)
        raise ValueError(
            f"torch finds no {NAMES[kind]} device: {cause}; use --device cpu, or {remedy}"
        )
    if number and int(number) >= here:
        last = f"{kind}:{here - 1}"
        raise ValueError(f"there is no device {wanted}; the last {NAMES[kind]} device is {last}")
    return torch.device(wanted)


def count(kind: str) -> int:
    """Return the number of available devices of a kind."""
    import torch

    if kind == "mps":
        return int(torch.backends.mps.is_available())
    module = {"cuda": torch.cuda, "xpu": torch.xpu}[kind]
    return module.device_count() if module.is_available() else 0


def _why_none(kind: str) -> tuple[str, str]:
    """Return cause and remedy."""
    import torch

    if kind == "cuda":
        if torch.version.cuda is None and torch.version.hip is None:
            return "it was built without CUDA and ROCm", "install a build of torch for your GPU"
        return "no compatible driver responds", "install or update the GPU's driver"
    if kind == "xpu":
        return "no Intel GPU responds", "install its driver and a build of torch for XPU"
    if torch.backends.mps.is_built():
        return (
            "this Mac has no supported GPU",
            "use a Mac with an Apple GPU and macOS 14 or later",
        )
    return "it was built without MPS", "install the build of torch for macOS"


def measuring_device(wanted: str | torch.device) -> torch.device:
    """Choose a device and configure it with `compute_exactly`."""
    device = choose_device(wanted)
    compute_exactly(device)
    return device


def compute_fast(device: torch.device) -> None:
    """Let CUDA use TF32 (10 bits of mantissa) for float32, and cuDNN benchmark its algorithms."""
    _set_cuda(device, True)


def compute_exactly(device: torch.device) -> None:
    """Make CUDA compute in full float32; by default torch lets cuDNN use TF32."""
    _set_cuda(device, False)


def _set_cuda(device: torch.device, fast: bool) -> None:
    import torch

    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = fast
        torch.backends.cudnn.allow_tf32 = fast
        torch.backends.cudnn.benchmark = fast


def free_memory(device: torch.device) -> float:
    """Return a GPU's free memory in bytes; infinity for the CPU."""
    import torch

    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "xpu":
        return torch.xpu.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return math.inf
