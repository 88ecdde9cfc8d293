"""The device: choosing it, naming it, asking whether it still works."""

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
    """Return the devices that a text names, one or several of CUDA's (cuda:0,cuda:1).

    Names are auto, cpu, cuda, cuda:N, cuda:UUID, xpu, xpu:N and mps. auto is the first CUDA GPU or
    the processor: nobody has tried the others yet, so they must be asked for. ROCm builds of torch
    call their GPUs cuda. A UUID is what `nvidia-smi -L` prints (GPU-...); its beginning suffices
    where only one GPU has it.

    Raises:
        ConfigurationError: a device is not here; the message has the remedy.
    """
    names = [name.strip() for name in wanted.split(",")]
    if len(names) > 1 and not all(name.partition(":")[0] == "cuda" for name in names):
        raise ConfigurationError(
            f"device: {wanted!r} mixes GPUs with something else; name GPUs only (cuda:0,cuda:1), "
            "or `cpu` alone"
        )
    chosen = [choose_device(name) for name in names]
    for device in chosen:
        if chosen.count(device) > 1:
            raise ConfigurationError(
                f"device: {wanted!r} names GPU {device.index} more than once; name each GPU once"
            )
    return tuple(chosen)


def choose_device(wanted: str) -> torch.device:
    """Return one device, by the names of `choose_devices`."""
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
            f"device: {wanted!r} is not auto, cpu, cuda, cuda:N, cuda:UUID (as `nvidia-smi -L` "
            "prints it: GPU-...), xpu, xpu:N or mps"
        )
    if not torch.cuda.is_available():
        raise ConfigurationError(
            f"GPU {which or 0} cannot be used: torch finds no CUDA device. Start with "
            "`--device cpu`, or install the NVIDIA driver and a CUDA build of torch"
        )
    index = _index_of_uuid(which) if is_uuid else int(which or 0)
    if index >= torch.cuda.device_count():
        raise ConfigurationError(
            f"there is no GPU {index}; this machine has GPU 0 to {torch.cuda.device_count() - 1}"
        )
    return torch.device("cuda", index)


def _index_of_uuid(wanted: str) -> int:
    """Return the number of the only GPU whose UUID begins so."""
    uuids = gpu_uuids()
    found = [k for k, uuid in enumerate(uuids) if uuid.lower().startswith(wanted.lower())]
    if len(found) != 1:
        problem = "more than one GPU has" if found else "no GPU has"
        raise ConfigurationError(
            f"{problem} a UUID that begins with {wanted}; the GPUs here are {', '.join(uuids)}"
        )
    return found[0]


def gpu_uuids() -> list[str]:
    """Return the UUIDs of all GPUs, by their numbers, as `nvidia-smi -L` prints them."""
    count = torch.cuda.device_count()
    return [f"GPU-{torch.cuda.get_device_properties(k).uuid}" for k in range(count)]


def device_name(device: torch.device) -> str:
    """Return a name for people."""
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
    """Return the names of all devices, for people."""
    return ", ".join(map(device_name, devices))


def free_memory(device: torch.device) -> int:
    """Return bytes that a GPU has free now, for this process and all others; 0: not known."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that tensors took on a GPU since the start; 0: not known."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def probe(device: torch.device) -> None:
    """Calculate a little; raise when the device gives no answer or a wrong one."""
    answer = float((torch.arange(4.0, device=device) * 2).sum())
    if answer != 12.0:
        raise RuntimeError(f"the device calculates wrongly: 12 came out as {answer}")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory did not suffice.

    For the GPU torch has a class of its own; the CPU's allocators raise a plain RuntimeError.
    """
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error) for words in ("can't allocate memory", "not enough memory"))
    )


def is_fatal(error: BaseException) -> bool:
    """Return whether an error says that a CUDA context is beyond repair.

    That is an assertion or a fault in a kernel, a GPU that fell off the bus, or memory that ran out
    in the middle of a graph. A plain lack of memory is not (`is_out_of_memory`): torch noticed it
    before anything ran.
    """
    return isinstance(error, getattr(torch, "AcceleratorError", ())) or (
        isinstance(error, RuntimeError) and "CUDA error" in str(error)
    )


def use_threads(count: int) -> None:
    """Let torch share what the calling thread asks for among `count` threads.

    torch takes the number that was set last, by any thread, when a thread first shares its work;
    what other threads choose later does not change it.
    """
    with _setting_threads:
        torch.set_num_threads(count)
        torch.get_num_threads()  # takes it


def free_cached_memory(device: torch.device) -> None:
    """Give what torch keeps for later back to the driver."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "xpu":
        torch.xpu.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
