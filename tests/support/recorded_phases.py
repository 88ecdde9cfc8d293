"""Simulate a CUDA graph on the CPU: record operations and repeat them on the same memory.

Recording runs the operations, since torch needs results, and then undoes their changes. A replay
repeats the recorded operations; Python numbers keep the values of the recording, as in a graph.
Operations that a graph cannot record fail in the same place: reading a value, random numbers of the
CPU, results whose size depends on values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from inpaint_model.training.phases import Replay
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

UNRECORDABLE = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal")


class NotRecordableError(RuntimeError):
    """An operation cannot be recorded in a graph."""


class Operation(NamedTuple):
    """One launch."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any

    def repeat(self) -> None:
        again = self.function(*self.args, **self.kwargs)
        for old, new in zip(tree_leaves(self.result), tree_leaves(again), strict=True):
            if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                old.copy_(new)


class Noting(TorchDispatchMode):
    """Records every operation, and the previous contents of the memory that it changes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self.before: dict[int, tuple[Any, Any]] = {}  # by address: storage and its contents
        self._made: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        random = any(isinstance(x, torch.Generator) for x in tree_leaves((args, kwargs)))
        if name in UNRECORDABLE or random or name.startswith(("rand", "normal", "bernoulli")):
            raise NotRecordableError(f"operation not permitted when recording: {name}")
        given = zip(func._schema.arguments, args, strict=False)
        named = {x.name: x for x in func._schema.arguments}
        written = [v for x, v in given if _writes(x)]
        written += [v for n, v in kwargs.items() if n in named and _writes(named[n])]
        for x in tree_leaves(written):
            storage = x.untyped_storage()
            if storage.data_ptr() not in self._made and storage.data_ptr() not in self.before:
                self.before[storage.data_ptr()] = storage, storage.clone()
        result = func(*args, **kwargs)
        arguments = {
            x.untyped_storage().data_ptr()
            for x in tree_leaves((args, kwargs))
            if isinstance(x, Tensor)
        }
        for x in tree_leaves(result):
            if isinstance(x, Tensor) and x.untyped_storage().data_ptr() not in arguments:
                self._made.add(x.untyped_storage().data_ptr())
        self.operations.append(Operation(func, args, kwargs, result))
        return result

    def put_back(self) -> None:
        """Undo all changes."""
        for storage, contents in self.before.values():
            storage.copy_(contents)

    @torch.no_grad()
    def replay(self) -> None:
        for operation in self.operations:
            operation.repeat()


def _writes(argument: Any) -> bool:
    return argument.alias_info is not None and argument.alias_info.is_write


class ProcessorRecorder:
    """A recorder that counts runs, recordings and replays."""

    def __init__(self, device: torch.device, break_at: int | None = None) -> None:
        """Make a recorder that fails in the middle of the recording with index `break_at`."""
        self.device = device
        self.runs = self.recordings = self.replays = 0
        self._break_at = break_at

    def run(self, work: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        self.runs += 1
        return work()

    def record(self, work: Callable[[], dict[str, Tensor]]) -> tuple[dict[str, Tensor], Replay]:
        noting = Noting()
        try:
            with noting:
                outputs = work()
                if self.recordings == self._break_at:
                    raise RuntimeError("operation not permitted when stream is capturing\nat ...")
        finally:
            noting.put_back()
        self.recordings += 1

        def replay() -> None:
            self.replays += 1
            noting.replay()

        return outputs, replay
