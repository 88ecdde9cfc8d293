"""What a backend does besides its requests: load, check the devices, and free unused memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from inpaint_model.inference.host_memory import return_freed_memory

from ..errors import RequestError, UnavailableError
from ..filling.filling import warm_up_steps
from ..filling.sessions import SessionCache
from ..models.device import probe
from ..models.device_models import DeviceModels
from ..models.registry import ModelRegistry, RegisteredModel
from ..scheduling.engine import Engine, Steps
from ..scheduling.shares import Priority
from ..scheduling.work_marker import WorkMarker

log = logging.getLogger(__name__)

STALL_S = 120.0  # the longest plausible step: loading a large model from a slow disk
PROBE_INTERVAL_S = 10.0
FREE_INTERVAL_S = 5.0


@dataclass(frozen=True)
class UpkeepTimes:
    """When to free what is not used, in seconds."""

    idle_unload_s: float = 0.0  # unload a model after this idle time; 0 = never
    alone_unload_s: float = 0.0  # drop all models and sessions without requests; 0 = never
    every_s: float = FREE_INTERVAL_S  # interval of the checks


class Use:
    """Counts requests."""

    def __init__(self) -> None:
        self.running = 0
        self.begun = 0

    @contextmanager
    def during(self) -> Iterator[None]:
        """Count one request while the context is active."""
        self.running += 1
        self.begun += 1
        try:
            yield
        finally:
            self.running -= 1


async def warm_up(
    engine: Engine[DeviceModels],
    entry: RegisteredModel,
    marker: WorkMarker,
    on_ready: Callable[[], None],
) -> None:
    """Load the default model on every device in advance; requests have priority.

    `on_ready` is called once the model is loaded on one device.
    """
    homes = engine.homes
    await asyncio.gather(*(_warm_up_one(engine, home, entry, marker, on_ready) for home in homes))


async def _warm_up_one(
    engine: Engine[DeviceModels],
    home: DeviceModels,
    entry: RegisteredModel,
    marker: WorkMarker,
    on_ready: Callable[[], None],
) -> None:
    try:
        job, _ = engine.submit(
            lambda models: warm_up_steps(models, entry), Priority.BACKGROUND, home=home
        )
        with marker.during("LoadModel", {"model": entry.name}):
            async for _ in job.results():
                on_ready()  # the steps after the first one only improve speed
    except RequestError as error:
        log.error(  # noqa: TRY400 (no trace needed)
            "model=%s cannot be used: %s", entry.name, error
        )
    except Exception:
        log.exception("model=%s cannot be used", entry.name)


async def probe_devices(engine: Engine[DeviceModels]) -> None:
    """Check every device regularly; a device that fails is lost.

    The checks run in the background and not when someone asks for the health, so the answer is
    immediate even if a device is busy for minutes.
    """

    def steps(models: DeviceModels) -> Steps[None]:
        try:
            probe(models.device)
        except Exception as error:
            engine.lose_device(error)
        yield None

    while True:
        with suppress(UnavailableError):  # reported by `health_problem`
            for home in engine.homes:
                engine.submit(steps, Priority.BACKGROUND, home=home)
        await asyncio.sleep(PROBE_INTERVAL_S)


async def free_unused(
    engine: Engine[DeviceModels],
    sessions: SessionCache,
    registry: ModelRegistry,
    use: Use,
    times: UpkeepTimes,
) -> None:
    """Free expired sessions and idle models; after a time without requests, free all of them."""
    every_s = (
        min(times.every_s, times.alone_unload_s / 2) if times.alone_unload_s else times.every_s
    )
    tidied = (0, 0, 0)
    asked, last_asked = 0, time.monotonic()
    while True:
        await asyncio.sleep(every_s)
        sessions.expire()
        now = time.monotonic()
        if use.running or use.begun != asked:
            asked, last_asked = use.begun, now
        is_alone = bool(times.alone_unload_s) and now - last_asked >= times.alone_unload_s
        if is_alone:
            sessions.clear()
        entries = registry.entries.values()
        loaded = sum(home.is_loaded(entry) for home in engine.homes for entry in entries)
        state = use.begun, len(sessions), loaded
        if state != tidied and not use.running:
            tidied = state
            await asyncio.to_thread(return_freed_memory)
        if is_alone or times.idle_unload_s:
            idle_s = 0.0 if is_alone else times.idle_unload_s
            free = partial(DeviceModels.unload_idle, idle_s=idle_s)
            with suppress(RequestError):
                for home in engine.homes:
                    engine.submit(free, Priority.BACKGROUND, home=home)
