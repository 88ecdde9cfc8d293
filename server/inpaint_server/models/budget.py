"""Memory budget of the models on a device, and the resulting batch sizes.

The memory of a model is computed from its configuration, so it is known before the model is loaded
(`inpaint_model.inference.memory_footprint`). `DeviceModels` unloads models by the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inpaint_model.inference.cuda_graphs import LARGEST_BATCH

from .registry import ModelInfo

HOST_SHARE = 0.8  # fraction of the free main memory without models, for requests
HOST_RESERVE = 320 << 20  # bytes for freed memory that the heap keeps, and for libraries
UNKNOWN_HOST = 2048 << 20  # bytes for requests if the free memory is unknown
RESERVE = 512 << 20  # bytes of a GPU for library workspaces and the allocator's rounding


@dataclass(frozen=True)
class Budget:
    """Memory budget of the models on one device."""

    limit: int = 0  # bytes of all models together; 0 = no limit
    largest_batch: int = 1  # maximum number of renderings per batch
    graphs: bool = False  # whether the device keeps CUDA graphs
    lanes: int = 1  # requests that run at the same time

    def batch_size(self, info: ModelInfo) -> int:
        """Return the largest batch size that fits, a power of two and at least 1."""
        size = 1 << self.largest_batch.bit_length() - 1
        while size > 1 and self.limit and self._at_work(info, size) > self.limit:
            size //= 2
        return size

    def resident(self, info: ModelInfo) -> int:
        """Return the bytes that a loaded model takes."""
        need = info.footprint
        return need.weights + (need.graphs(self.batch_size(info)) if self.graphs else 0)

    def at_work(self, info: ModelInfo) -> int:
        """Return the maximum number of bytes that a model takes while it runs."""
        return self._at_work(info, self.batch_size(info))

    def most(self, infos: Sequence[ModelInfo]) -> int:
        """Return the maximum number of bytes that several models take together."""
        kept = sum(map(self.resident, infos))
        together = kept + max(self.at_work(info) - self.resident(info) for info in infos)
        largest = max(map(self.at_work, infos))
        return max(min(together, self.limit), largest) if self.limit else together

    def _at_work(self, info: ModelInfo, size: int) -> int:
        """Sum weights, graphs, and the runs before recording, which are not in a graph's pool."""
        need = info.footprint
        graphs = need.graphs(size) if self.graphs else 0
        return need.weights + graphs + self.lanes * need.working(size)


def gpu_budget(free: int, share: float, limit: int, largest_batch: int) -> Budget:
    """Return the budget of a GPU.

    Args:
        free: free memory before any model is loaded, in bytes; 0 = unknown.
        share: fraction of it for models, 0..1.
        limit: additional limit in bytes; 0 = none.
        largest_batch: maximum number of renderings per batch; 0 = `LARGEST_BATCH`.
    """
    shared = max(int(free * share) - RESERVE, 1) if free else 0
    limits = [bound for bound in (shared, limit) if bound]
    return Budget(min(limits, default=0), largest_batch or LARGEST_BATCH, graphs=True)


def cpu_budget(
    free: int | None, infos: Sequence[ModelInfo], limit: int, largest_batch: int, lanes: int = 1
) -> Budget:
    """Return the budget of the models in main memory.

    All models stay loaded if they fit into half of the free memory. Otherwise the least recently
    used ones are unloaded.

    Args:
        free: bytes that this process may use; None = unknown.
        infos: descriptions of the models.
        limit: limit from the settings, in bytes; 0 = none.
        largest_batch: maximum number of renderings per batch.
        lanes: maximum number of requests at the same time.
    """
    everything = Budget(limit, largest_batch, lanes=lanes)
    if limit or free is None or everything.most(infos) <= free // 2:
        return everything
    least = max(map(everything.at_work, infos))
    return Budget(max(free // 2, least), largest_batch, lanes=lanes)


def request_budget(free: int | None, models: int) -> int:
    """Return the bytes that requests and kept sessions may use together.

    Args:
        free: bytes that this process may use; None = unknown.
        models: bytes of them that models take.
    """
    if free is None:
        return UNKNOWN_HOST
    return max(int((free - models) * HOST_SHARE) - HOST_RESERVE, 0)
