"""Copy tensors between CPU and device memory.

A GPU copies asynchronously only from and to page-locked ("pinned") memory. torch caches it, so we
need no buffers; results are copied out of it, or sessions would hold it for long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def upload(array: npt.NDArray[Any] | Tensor, device: torch.device | str) -> Tensor:
    """Copy an array to the device without waiting; on the CPU the memory is shared."""
    here, device = torch.as_tensor(array), torch.device(device)
    if device.type == "cuda" and here.device.type == "cpu" and not here.is_pinned():
        here = here.pin_memory()
    return here.to(device, non_blocking=True)


def uploaded(tensors: Iterable[Tensor], device: torch.device | str) -> tuple[Tensor, ...]:
    """Copy tensors with `upload`."""
    return tuple(upload(x, device) for x in tensors)


def download(x: Tensor) -> Tensor:
    """Wait for all queued work and copy to CPU memory; return a CPU tensor unchanged."""
    if x.device.type != "cuda":
        return x.cpu()
    pinned = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
    pinned.copy_(x, non_blocking=True)
    torch.cuda.current_stream(x.device).record_event().synchronize()
    return pinned.clone()


def read_scalars(*values: Tensor | float) -> list[float]:
    """Return scalars of one device as numbers, in a single transfer."""
    there = [x.detach().float() for x in values if isinstance(x, Tensor)]
    read = iter(_fetched(torch.stack(there)).tolist() if there else [])
    return [next(read) if isinstance(x, Tensor) else float(x) for x in values]


def read_array(x: Tensor) -> npt.NDArray[np.float32]:
    """Return a tensor as a float32 array."""
    array: npt.NDArray[np.float32] = _fetched(x.detach().float()).numpy()
    return array


def _fetched(x: Tensor) -> Tensor:
    """Call `download`; every blocking read goes through here."""
    return download(x)
