"""A simulated GPU without values, which reveals mistakes that otherwise appear only on a GPU.

On torch's meta device tensors have shapes but no values. Code that reads a value fails there, where
it would make a GPU wait, and so does code that combines a GPU tensor with a CPU tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from inpaint_model.data import transfer
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.phases import Replay
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device("meta")
COPIES = ("aten::copy_", "aten::_to_copy")


class MixedDevicesError(AssertionError):
    """An operation got tensors on two devices."""


class OneDevice(TorchDispatchMode):
    """Forbid operands on two devices, except in copies.

    Not all meta kernels check this: matrix products and indexing do not. Tensors without dimensions
    may be on any device, since they become arguments of the kernel.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operands = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor)]
        copies = func.name().split(".")[0] in COPIES
        if not copies and len({x.device for x in operands if x.ndim}) > 1:
            shapes = ", ".join(f"{x.device.type} {list(x.shape)}" for x in operands)
            raise MixedDevicesError(f"{func.name()} of {shapes}")
        return func(*args, **(kwargs or {}))


class Uploading(TorchDispatchMode):
    """Forbid operands in CPU memory, as during the capture of a CUDA graph."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operands = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor)]
        here = [x for x in operands if x.device != META]
        there = any(x.device == META for x in (*operands, *tree_leaves(result)))
        if there and any(x.ndim or func.name().split(".")[0] in COPIES for x in here):
            raise MixedDevicesError(f"{func.name()} of {list(here[0].shape)} on the CPU")
        return result


class MetaRecorder:
    """A recorder that forbids uploads and reads, like the capture of a CUDA graph."""

    device = META

    def __init__(self, reads: Reads) -> None:
        self.recordings, self._reads = 0, reads

    def run(self, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        return work()

    def record(self, work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Replay]:
        before = self._reads.count
        with Uploading():  # type: ignore[no-untyped-call]
            outputs = work()
        assert self._reads.count == before, "a phase reads"
        self.recordings += 1
        return outputs, lambda: None


class Silent(DistributedContext):
    """A process that writes no files, since there are no values to write."""

    @property
    def is_main(self) -> bool:
        return False


class Reads:
    """Replaces the reads of `inpaint_model.data.transfer`: returns zeros, and counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.count += 1
        return torch.zeros(x.shape, dtype=x.dtype)


class ProcessorGenerator(torch.Generator):
    """A CPU generator, regardless of the requested device."""

    def __new__(cls, device: torch.device | str = "cpu") -> ProcessorGenerator:
        return super().__new__(cls)


class NoAutocast:
    """Autocast that must be disabled; torch has none for the meta device."""

    def __init__(self, device_type: str, dtype: torch.dtype, enabled: bool = True) -> None:
        assert not enabled, "the meta device has no automatic mixed precision: use float32"

    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...


@contextmanager
def meta_device() -> Iterator[Reads]:
    """Run the block under `OneDevice`, allowing reads only through `transfer`.

    Random numbers come from the CPU, since torch has no generator for the meta device.
    """
    reads = Reads()
    with pytest.MonkeyPatch.context() as patched, OneDevice():  # type: ignore[no-untyped-call]
        patched.setattr(transfer, "_fetched", reads)
        patched.setattr(torch, "Generator", ProcessorGenerator)
        patched.setattr(torch, "autocast", NoAutocast)
        yield reads
