"""The device: choosing it, naming it, asking whether it still works."""

from __future__ import annotations

import platform
import threading
from pathlib import Path

import torch

from .errors import ConfigurationError

_setting_threads = threading.Lock()


def choose_device(wanted: str) -> torch.device:
    """The device called auto, cpu, cuda or cuda:N.

    Raises ConfigurationError with the remedy if it is not here.
    """
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if wanted == "cpu":
        return torch.device("cpu")
    kind, _, number = wanted.partition(":")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise ConfigurationError(f"device: {wanted!r} is not auto, cpu, cuda or cuda:N")
    index = int(number or 0)
    if not torch.cuda.is_available():
        raise ConfigurationError(
            f"GPU {index} cannot be used: torch finds no CUDA device. Start with `--device cpu`, "
            "or install the NVIDIA driver and a CUDA build of torch"
        )
    if index >= torch.cuda.device_count():
        raise ConfigurationError(
            f"there is no GPU {index}; this machine has GPU 0 to {torch.cuda.device_count() - 1}"
        )
    return torch.device("cuda", index)


def device_name(device: torch.device) -> str:
    """A name for people."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "CPU"


def probe(device: torch.device) -> None:
    """A tiny calculation; raises when the device gives no or a wrong answer."""
    answer = float((torch.arange(4.0, device=device) * 2).sum())
    if answer != 12.0:
        raise RuntimeError(f"the device calculates wrongly: 12 came out as {answer}")


def is_out_of_memory(error: BaseException) -> bool:
    """torch has its own class for the GPU; the CPU's allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def is_fatal(error: BaseException) -> bool:
    """Whether a CUDA context is beyond repair (an assertion or a fault in a kernel)."""
    return isinstance(error, getattr(torch, "AcceleratorError", ())) or (
        isinstance(error, RuntimeError) and "CUDA error" in str(error)
    )


def use_threads(count: int) -> None:
    """Let torch share what the calling thread asks for among `count` threads, whatever other
    threads choose for themselves.

    torch takes the number that was set last, by any thread, when a thread first shares its work.
    """
    with _setting_threads:
        torch.set_num_threads(count)
        torch.get_num_threads()  # takes it


def free_cached_memory(device: torch.device) -> None:
    """Give what torch keeps for later back to the driver."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
