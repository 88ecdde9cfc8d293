"""Measure peak memory on torch's meta device, without allocating it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from meta_device import META, meta_device
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Living(TorchDispatchMode):
    """Counts the bytes of all storages that operations allocate and that are still alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {x.untyped_storage()._cdata for x in tree_leaves((args, kwargs)) if is_there(x)}
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if is_there(x) and x.untyped_storage()._cdata not in given | self._known:
                self._add(x)
        return result

    def _add(self, x: Tensor) -> None:
        storage = x.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._remove, key, size)

    def _remove(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def is_there(x: object) -> bool:
    return isinstance(x, Tensor) and x.device == META


def peak_bytes(call: Callable[[], object]) -> int:
    """Return the peak size in bytes of the tensors that `call` allocates."""
    living = Living()
    with meta_device(), living:
        call()
    return living.peak
