"""The models on one device: loaded when they are needed, dropped when others need their room.

Everything here runs on the workers that own the device, but `is_loaded`, which may be asked from
anywhere. A step goes on with the model that it was given even if another worker unloads it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator

import torch
from inpaint_model import Inpainter

from ..errors import DeviceOutOfMemoryError
from .budget import Budget
from .device import free_cached_memory, is_out_of_memory
from .registry import Loader, RegisteredModel

log = logging.getLogger(__name__)


class DeviceModels:
    """What a device's workers work with. The least recently used model leaves first."""

    def __init__(
        self,
        loader: Loader,
        budget: Budget | None = None,
        *,
        on_unload: Callable[[str, DeviceModels], None] = lambda name, home: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """budget: None: no limit, and renderings one at a time.

        on_unload: told the name of a model that leaves, and from where.
        """
        self._loader = loader
        self._budget = budget or Budget()
        self._on_unload = on_unload
        self._clock = clock
        self._lock = threading.RLock()  # of the device's workers
        self._loaded: dict[RegisteredModel, Inpainter] = {}
        self._last_used: dict[RegisteredModel, float] = {}

    @property
    def device(self) -> torch.device:
        """The device that the models are on."""
        return self._loader.device

    def is_loaded(self, entry: RegisteredModel) -> bool:
        """Return whether the model is on the device now."""
        return entry in self._loaded

    def batch_size(self, entry: RegisteredModel) -> int:
        """Return how many renderings at a time the budget has room for."""
        return self._budget.batch_size(entry.info)

    def needed(self, entry: RegisteredModel) -> int:
        """Return bytes that the model takes while it works, as computed from its configuration."""
        return self._budget.at_work(entry.info)

    def use(self, entry: RegisteredModel) -> Inpainter:
        """Return the model, loaded if it is not; others leave when they do not fit beside it."""
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
        """Free the model's memory; False if it was not loaded."""
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
        """Steps that free the models which nobody used for so long."""
        for entry in list(self._loaded):
            if self._clock() - self._last_used[entry] > idle_s:
                self.unload(entry)
                yield

    def _resident(self) -> int:
        return sum(self._budget.resident(entry.info) for entry in self._loaded)
