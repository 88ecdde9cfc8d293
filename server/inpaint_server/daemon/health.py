"""`grpc.health.v1`, answered from a real check of worker and device.

The check runs beside the requests, not inside the answer: health is told at once even when the
device is busy for minutes. A worker whose step takes longer than any step may is unhealthy.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from grpc_health.v1 import health, health_pb2

from ..errors import Unavailable
from ..models.device import probe
from ..models.device_models import DeviceModels
from ..scheduling.engine import Engine, Steps
from ..scheduling.shares import Urgency

log = logging.getLogger(__name__)

SERVICES = ("", "inpaint.v1.Inpaint")
STALL_S = 120.0  # the longest credible step: loading a large model from a slow disk
PROBE_EVERY_S = 10.0
LOOK_EVERY_S = 0.5


class HealthMonitor:
    """Keeps the status of the standard health service true."""

    def __init__(self, engine: Engine[DeviceModels]) -> None:
        self.servicer = health.aio.HealthServicer()
        self._ready = False
        self._engine = engine
        self._told: str | None = ""

    async def watch(self) -> None:
        """Check the workers, and now and then the devices, until cancelled."""
        next_probe = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await self._tell(self._trouble())
            if self._ready and loop.time() >= next_probe:
                next_probe = loop.time() + PROBE_EVERY_S
                self._submit_probes()
            await asyncio.sleep(LOOK_EVERY_S)

    async def loaded(self) -> None:
        """The default model is there: requests will be answered without delay."""
        self._ready = True
        await self._tell(self._trouble())

    async def drain(self) -> None:
        """NOT_SERVING from now on, whatever the device does."""
        await self.servicer.enter_graceful_shutdown()

    def _trouble(self) -> str | None:
        trouble = self._engine.trouble(STALL_S)
        return trouble or (None if self._ready else "the model is being loaded")

    async def _tell(self, trouble: str | None) -> None:
        if trouble == self._told:
            return
        self._told = trouble
        log.info("health=%s", "SERVING" if trouble is None else f"NOT_SERVING reason={trouble!r}")
        response = health_pb2.HealthCheckResponse
        for service in SERVICES:
            await self.servicer.set(
                service, response.SERVING if trouble is None else response.NOT_SERVING
            )

    def _submit_probes(self) -> None:
        def steps(models: DeviceModels) -> Steps[None]:
            try:
                probe(models.device)
            except Exception as error:
                self._engine.lose_device(error)
            yield None

        with suppress(Unavailable):  # the trouble is told in the next round
            for home in self._engine.homes:
                self._engine.submit(steps, Urgency.BACKGROUND, home=home)
