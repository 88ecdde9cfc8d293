"""Choose devices, get their names and memory, and check whether they work."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable
from pathlib import Path

import torch
from inpaint_model.data import devices

from ..errors import ConfigurationError

_setting_threads = threading.Lock()


def choose_devices(wanted: str) -> tuple[torch.device, ...]:
    """Return the devices for a setting: one device, or several CUDA devices (cuda:0,cuda:1).

    Names are auto, cpu, cuda, cuda:N, cuda:UUID, xpu, xpu:N and mps. auto is the first CUDA GPU or
    the CPU; the other kinds are untested and must be requested explicitly. ROCm builds of torch
    call their GPUs cuda. UUIDs are listed by `nvidia-smi -L` (GPU-...); a unique prefix is enough.

    Raises:
        ConfigurationError: a device does not exist; the message has the remedy.
    """
    names = [name.strip() for name in wanted.split(",")]
    if len(names) > 1 and not all(name.partition(":")[0] == "cuda" for name in names):
        raise ConfigurationError(
            f"device: {wanted!r} mixes CUDA GPUs with other devices; use only CUDA GPUs "
            "(cuda:0,cuda:1) or a single device"
        )
    chosen = [choose_device(name) for name in names]
    for device in chosen:
        if chosen.count(device) > 1:
            raise ConfigurationError(
                f"device: {wanted!r} lists GPU {device.index} more than once; list each GPU once"
            )
    return tuple(chosen)


def choose_device(wanted: str) -> torch.device:
    """Return the device for one of the names of `choose_devices`."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    if wanted == "cpu":
        return torch.device("cpu")
    kind, colon, which = wanted.partition(":")
    if kind in ("xpu", "mps"):
        try:
            return devices.choose_device(wanted)
        except ValueError as error:
            raise ConfigurationError(f"device: {error}") from None
    is_uuid = which.lower().startswith("gpu-")
    if kind != "cuda" or not (is_uuid or which.isdecimal() or not colon):
        raise ConfigurationError(
            f"device: {wanted!r} is not auto, cpu, cuda, cuda:N, cuda:UUID (GPU-..., see "
            "`nvidia-smi -L`), xpu, xpu:N or mps"
        )
    if not torch.cuda.is_available():
        raise ConfigurationError(
            f"GPU {which or 0} cannot be used because torch finds no CUDA device; start with "
            "`--device cpu`, or install the NVIDIA driver and a CUDA build of torch"
        )
    index = _index_of_uuid(which) if is_uuid else int(which or 0)
    if index >= torch.cuda.device_count():
        raise ConfigurationError(
            f"there is no GPU {index}; this machine has GPUs 0 to {torch.cuda.device_count() - 1}"
        )
    return torch.device("cuda", index)


def _index_of_uuid(wanted: str) -> int:
    """Return the index of the only GPU whose UUID has a prefix."""
    uuids = gpu_uuids()
    found = [k for k, uuid in enumerate(uuids) if uuid.lower().startswith(wanted.lower())]
    if len(found) != 1:
        problem = "more than one GPU has" if found else "no GPU has"
        raise ConfigurationError(
            f"{problem} a UUID that begins with {wanted}; the available GPUs are {', '.join(uuids)}"
        )
    return found[0]


def gpu_uuids() -> list[str]:
    """Return the UUIDs of all GPUs in the order of their indices, as in `nvidia-smi -L`."""
    count = torch.cuda.device_count()
    return [f"GPU-{torch.cuda.get_device_properties(k).uuid}" for k in range(count)]


def device_name(device: torch.device) -> str:
    """Return the display name of a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "xpu":
        return torch.xpu.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "CPU"


def device_names(devices: Iterable[torch.device]) -> str:
    """Return the display names of all devices."""
    return ", ".join(map(device_name, devices))


def free_memory(device: torch.device) -> int:
    """Return the free memory of a GPU, for all processes, in bytes; 0 = unknown."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def peak_memory(device: torch.device) -> int:
    """Return the peak memory of tensors on a GPU since the start, in bytes; 0 = unknown."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def probe(device: torch.device) -> None:
    """Run a small computation on the device.

    Raises:
        RuntimeError: the device fails or returns a wrong result.
    """
    answer = float((torch.arange(4.0, device=device) * 2).sum())
    if answer != 12.0:
        raise RuntimeError(f"the device computed {answer} instead of 12")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out.

    torch has its own class for GPUs; the CPU's allocators raise a plain RuntimeError.
    """
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error) for words in ("can't allocate memory", "not enough memory"))
    )


def is_fatal(error: BaseException) -> bool:
    """Return whether an error means that a CUDA context cannot be used any more.

    Such errors are an assertion or a fault in a kernel, a GPU that fell off the bus, or memory that
    ran out inside a graph. Plain lack of memory (`is_out_of_memory`) is not fatal, because torch
    notices it before it runs a kernel.
    """
    return isinstance(error, getattr(torch, "AcceleratorError", ())) or (
        isinstance(error, RuntimeError) and "CUDA error" in str(error)
    )


def use_threads(count: int) -> None:
    """Set the number of threads that torch uses for the work of the calling thread.

    When a thread first uses parallelism, torch adopts the number that was set last by any thread.
    Later changes by other threads do not affect it.
    """
    with _setting_threads:
        torch.set_num_threads(count)
        torch.get_num_threads()  # adopts the number for this thread


def free_cached_memory(device: torch.device) -> None:
    """Return torch's cached memory to the driver."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "xpu":
        torch.xpu.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
