"""`torch.compile` with a fallback to uncompiled code."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Tensor])


def compiled(function: Function, *example: object) -> Function:
    """Compile `function` and its gradient for arguments like `example`; on failure return it as is.

    It needs a C++ compiler and, on a CPU, a minute or two. Running the example makes errors appear
    here and not in the middle of a training.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own
            fast = torch.compile(function, dynamic=False)
            fast(*example).sum().backward()
    except Exception as error:  # compilers raise anything, and training works without
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        print(f"torch.compile failed ({reason}); continuing without it", flush=True)
        return function
    return fast  # type: ignore[return-value]
