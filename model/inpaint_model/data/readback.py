"""Reading results from the device that computes them.

A processor that reads a number from a GPU waits until everything queued before it is done, and the
GPU then waits until the next work is queued. So training and filling read in few places, and always
through these functions. `tests/model/test_meta_device.py` counts the reads and finds all others.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_model.data.transfer import download


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
    """The tensor in the processor's memory: where everybody waits."""
    return download(x)
