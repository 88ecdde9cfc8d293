"""How much of a device's memory models may take, and what follows: the size of batches.

What a model takes is computed from its configuration (`inpaint_model.inference.memory_footprint`),
so it is known before anything is loaded. `DeviceModels` drops models by the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inpaint_model.inference.cuda_graphs import LARGEST_BATCH

from .registry import ModelInfo

HOST_SHARE = 0.8  # of the machine's memory that is free and not for models
HOST_RESERVE = 320 << 20  # bytes: what the heap keeps of freed memory, and libraries take
UNKNOWN_HOST = 2048 << 20  # bytes for requests where it is not known what is free
RESERVE = 512 << 20  # bytes of a GPU for the libraries' workspaces and the allocator's rounding


@dataclass(frozen=True)
class Budget:
    """What the models may take of one device."""

    limit: int = 0  # bytes of all models together; 0: no limit of our own
    largest_batch: int = 1  # renderings at a time, at most
    graphs: bool = False  # whether the device keeps CUDA graphs
    lanes: int = 1  # requests that are worked on at the same time

    def batch_size(self, info: ModelInfo) -> int:
        """Return the largest power of two of renderings at a time that fits; at least 1."""
        size = 1 << self.largest_batch.bit_length() - 1
        while size > 1 and self.limit and self._at_work(info, size) > self.limit:
            size //= 2
        return size

    def resident(self, info: ModelInfo) -> int:
        """Return bytes that a model takes as long as it is loaded."""
        need = info.footprint
        return need.weights + (need.graphs(self.batch_size(info)) if self.graphs else 0)

    def at_work(self, info: ModelInfo) -> int:
        """Return bytes that a model takes while it works, at most."""
        return self._at_work(info, self.batch_size(info))

    def most(self, infos: Sequence[ModelInfo]) -> int:
        """Return bytes that some models take together, at most."""
        kept = sum(map(self.resident, infos))
        together = kept + max(self.at_work(info) - self.resident(info) for info in infos)
        largest = max(map(self.at_work, infos))
        return max(min(together, self.limit), largest) if self.limit else together

    def _at_work(self, info: ModelInfo, size: int) -> int:
        """Weights, graphs, and the runs before a graph is recorded, which are not in its pool."""
        need = info.footprint
        graphs = need.graphs(size) if self.graphs else 0
        return need.weights + graphs + self.lanes * need.working(size)


def gpu_budget(free: int, share: float, limit: int, largest_batch: int) -> Budget:
    """Return the budget of a GPU.

    free: bytes that it has free before any model is loaded; 0: not known. share: of them, for
    models, 0..1. limit: bytes, 0: no other limit than the share. largest_batch: 0: `LARGEST_BATCH`.
    """
    shared = max(int(free * share) - RESERVE, 1) if free else 0
    limits = [bound for bound in (shared, limit) if bound]
    return Budget(min(limits, default=0), largest_batch or LARGEST_BATCH, graphs=True)


def cpu_budget(
    free: int | None, infos: Sequence[ModelInfo], limit: int, largest_batch: int, lanes: int = 1
) -> Budget:
    """Return the budget of the models in the machine's own memory.

    All of them stay loaded if they fit into half of it; else the least recently used leave.

    Args:
        free: bytes that this process may take; None: not known.
        infos: of the models.
        limit: bytes, from the settings; 0: none.
        largest_batch: renderings at a time, at most.
        lanes: requests at the same time, at most.
    """
    everything = Budget(limit, largest_batch, lanes=lanes)
    if limit or free is None or everything.most(infos) <= free // 2:
        return everything
    least = max(map(everything.at_work, infos))
    return Budget(max(free // 2, least), largest_batch, lanes=lanes)


def request_budget(free: int | None, models: int) -> int:
    """Return the bytes that requests and kept sessions may take together.

    Args:
        free: bytes that this process may take; None: not known.
        models: bytes of them that models take.
    """
    if free is None:
        return UNKNOWN_HOST
    return max(int((free - models) * HOST_SHARE) - HOST_RESERVE, 0)
