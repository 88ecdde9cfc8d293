"""The models on one device: loaded on demand, and unloaded when others need the memory.

Everything runs on the workers that own the device, except `is_loaded`, which is thread-safe. A step
keeps using its model even if another worker unloads it meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator

import torch
from inpaint_model import Inpainter

from ..errors import DeviceOutOfMemoryError
from ..scheduling.measurements import BATCHES, Histogram
from .budget import Budget
from .device import free_cached_memory, is_out_of_memory
from .registry import Loader, RegisteredModel

log = logging.getLogger(__name__)


class DeviceModels:
    """The models on one device. The least recently used model is unloaded first."""

    def __init__(
        self,
        loader: Loader,
        budget: Budget | None = None,
        *,
        on_unload: Callable[[str, DeviceModels], None] = lambda name, home: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the models of a device without loading any.

        Args:
            loader: loader of the models for this device.
            budget: memory budget; None = no limit and batches of one rendering.
            on_unload: called with the name of an unloaded model and this object.
            clock: clock for idle times, in seconds.
        """
        self._loader = loader
        self._budget = budget or Budget()
        self._on_unload = on_unload
        self._clock = clock
        self._lock = threading.RLock()  # shared by the device's workers
        self._loaded: dict[RegisteredModel, Inpainter] = {}
        self._last_used: dict[RegisteredModel, float] = {}
        self.batch_sizes = Histogram(BATCHES)  # renderings of each step

    @property
    def device(self) -> torch.device:
        """The device that the models are on."""
        return self._loader.device

    def is_loaded(self, entry: RegisteredModel) -> bool:
        """Return whether the model is loaded on the device."""
        return entry in self._loaded

    def batch_size(self, entry: RegisteredModel) -> int:
        """Return how many renderings per batch fit into the budget."""
        return self._budget.batch_size(entry.info)

    @property
    def resident_bytes(self) -> int:
        """The bytes of all loaded models, computed from their configurations."""
        with self._lock:
            return self._resident()

    @property
    def budget_bytes(self) -> int:
        """The limit of `resident_bytes`; 0 = none."""
        return self._budget.limit

    def needed(self, entry: RegisteredModel) -> int:
        """Return the bytes that the model takes while it runs, computed from its configuration."""
        return self._budget.at_work(entry.info)

    def use(self, entry: RegisteredModel) -> Inpainter:
        """Return the model; load it if necessary, and unload others that no longer fit."""
        with self._lock:
            self._last_used[entry] = self._clock()
            if entry not in self._loaded:
                if self._budget.limit:
                    room = self._budget.limit - self.needed(entry)
                    while self._resident() > room and self.unload_oldest(entry):
                        pass
                self._loaded[entry] = self._load(entry)
            return self._loaded[entry]

    def _load(self, entry: RegisteredModel) -> Inpainter:
        while True:
            began = time.monotonic()
            try:
                inpainter = self._loader.load(entry.source)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if not self.unload_oldest(entry):
                    raise DeviceOutOfMemoryError("MODEL_MEMORY", model=entry.name) from error
                continue
            seconds = time.monotonic() - began
            log.info(
                "model=%s loaded=true device=%s seconds=%.2f", entry.name, self.device, seconds
            )
            return inpainter

    def unload(self, entry: RegisteredModel) -> bool:
        """Free the model's memory and return whether it was loaded."""
        with self._lock:
            if self._loaded.pop(entry, None) is None:
                return False
        self._on_unload(entry.name, self)
        free_cached_memory(self.device)
        log.info("model=%s loaded=false device=%s", entry.name, self.device)
        return True

    def unload_oldest(self, keep: RegisteredModel) -> bool:
        """Free the least recently used model other than `keep`; False if there is none."""
        with self._lock:
            others = [entry for entry in self._loaded if entry is not keep]
            return bool(others) and self.unload(min(others, key=self._last_used.__getitem__))

    def unload_idle(self, idle_s: float) -> Generator[None, None, None]:
        """Unload, step by step, the models that were not used for `idle_s` seconds."""
        for entry in list(self._loaded):
            if self._clock() - self._last_used[entry] > idle_s:
                self.unload(entry)
                yield

    def _resident(self) -> int:
        return sum(self._budget.resident(entry.info) for entry in self._loaded)
