"""Copies between the processor's memory and a device's, without waiting where that is possible.

A GPU copies by itself only from and to memory that the system cannot move ("pinned"). torch keeps
such memory and hands it out again once the copies that use it are done, so buffers of our own would
only do the same a second time. Results leave it at once: sessions would otherwise keep it for long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def upload(array: npt.NDArray[Any] | Tensor, device: torch.device | str) -> Tensor:
    """Return an array on the device, of the same shape and type, without waiting for the copy.

    On the processor it is the array's own memory.
    """
    here, device = torch.as_tensor(array), torch.device(device)
    if device.type == "cuda" and here.device.type == "cpu" and not here.is_pinned():
        here = here.pin_memory()
    return here.to(device, non_blocking=True)


def uploaded(tensors: Iterable[Tensor], device: torch.device | str) -> tuple[Tensor, ...]:
    """Return each on the device, as `upload` does."""
    return tuple(upload(x, device) for x in tensors)


def download(x: Tensor) -> Tensor:
    """Return a tensor in the processor's memory, once everything queued before it is done.

    Of the processor's own tensors it is the tensor itself.
    """
    if x.device.type != "cuda":
        return x.cpu()
    pinned = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
    pinned.copy_(x, non_blocking=True)
    torch.cuda.current_stream(x.device).record_event().synchronize()
    return pinned.clone()


def read_scalars(*values: Tensor | float) -> list[float]:
    """Return scalars of one device as numbers, in one transfer however many they are.

    Those that are numbers already need none.
    """
    there = [x.detach().float() for x in values if isinstance(x, Tensor)]
    read = iter(_fetched(torch.stack(there)).tolist() if there else [])
    return [next(read) if isinstance(x, Tensor) else float(x) for x in values]


def read_array(x: Tensor) -> npt.NDArray[np.float32]:
    """Return a tensor of any shape as a float32 array of that shape."""
    array: npt.NDArray[np.float32] = _fetched(x.detach().float()).numpy()
    return array


def _fetched(x: Tensor) -> Tensor:
    """Return the tensor in the processor's memory: where everybody waits."""
    return download(x)
