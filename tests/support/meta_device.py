"""A device without numbers, on which mistakes show that only a GPU would make.

On torch's meta device tensors have shapes but no values. Whoever reads one fails there, as he would
make a GPU wait; and so does whoever mixes it with a tensor in the processor's memory, as on a GPU.
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
    """An operation got tensors of two devices."""


class OneDevice(TorchDispatchMode):
    """Let no operation but copies have operands of two devices.

    Not all meta kernels check that themselves: a matrix product does not, nor does indexing. A
    tensor without dimensions may be anywhere, since it becomes an argument of the kernel.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        operands = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor)]
        copies = func.name().split(".")[0] in COPIES
        if not copies and len({x.device for x in operands if x.ndim}) > 1:
            shapes = ", ".join(f"{x.device.type} {list(x.shape)}" for x in operands)
            raise MixedDevicesError(f"{func.name()} of {shapes}")
        return func(*args, **(kwargs or {}))


class Uploading(TorchDispatchMode):
    """Let nothing come from the processor's memory, as while a CUDA graph is captured."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        operands = [x for x in tree_leaves((args, kwargs or {})) if isinstance(x, Tensor)]
        here = [x for x in operands if x.device != META]
        there = any(x.device == META for x in (*operands, *tree_leaves(result)))
        if there and any(x.ndim or func.name().split(".")[0] in COPIES for x in here):
            raise MixedDevicesError(f"{func.name()} of {list(here[0].shape)} from the processor")
        return result


class MetaRecorder:
    """Phases of a step as a CUDA graph's capture sees them: no upload, and no read either."""

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
    """A process that writes no files, since there are no numbers to write."""

    @property
    def is_main(self) -> bool:
        return False


class Reads:
    """What `inpaint_model.data.transfer` returns here: zeros, and how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.count += 1
        return torch.zeros(x.shape, dtype=x.dtype)


class ProcessorGenerator(torch.Generator):
    """A generator in the processor's memory, whatever device is asked for."""

    def __new__(cls, device: torch.device | str = "cpu") -> ProcessorGenerator:
        return super().__new__(cls)


class NoAutocast:
    """Where automatic mixed precision is off; torch has none for the meta device."""

    def __init__(self, device_type: str, dtype: torch.dtype, enabled: bool = True) -> None:
        assert not enabled, "the meta device has no automatic mixed precision: use float32"

    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...


@contextmanager
def meta_device() -> Iterator[Reads]:
    """Run what is done inside under `OneDevice`, with reads through `transfer` alone.

    Random numbers are the processor's: torch has no generator for a device without numbers.
    """
    reads = Reads()
    with pytest.MonkeyPatch.context() as patched, OneDevice():  # type: ignore[no-untyped-call]
        patched.setattr(transfer, "_fetched", reads)
        patched.setattr(torch, "Generator", ProcessorGenerator)
        patched.setattr(torch, "autocast", NoAutocast)
        yield reads
