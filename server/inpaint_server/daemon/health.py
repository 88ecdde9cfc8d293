"""`grpc.health.v1`, based on actual checks of the workers and the devices.

There are two kinds of services. The empty service and `inpaint.v1.Inpaint` report readiness for
load balancers: they are SERVING if a request would be answered now. `liveness` is for supervisors
that restart the daemon: it is SERVING unless a restart would help, even while a model is being
loaded or the daemon is shutting down.

The backend is checked in the background and not during the health call, so the answer is immediate.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable

from grpc_health.v1 import health_pb2, health_pb2_grpc

from ..errors import NotFoundError
from ..serving.backend import Backend

log = logging.getLogger(__name__)

READINESS = ("", "inpaint.v1.Inpaint")
LIVENESS = ("liveness",)
POLL_INTERVAL_S = 0.5


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Health service that reports the status set with `tell`; watchers wait for changes."""

    def __init__(self) -> None:
        self._serving = dict.fromkeys(READINESS, False) | dict.fromkeys(LIVENESS, True)
        self._changed = asyncio.Event()

    def tell(self, services: Iterable[str], is_serving: bool) -> None:
        """Set the status of some services."""
        self._serving.update(dict.fromkeys(services, is_serving))
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(  # noqa: N802 (the name in the contract)
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> health_pb2.HealthCheckResponse:
        """Return the status of a service."""
        if request.service not in self._serving:
            raise NotFoundError("service", request.service, filter(None, self._serving))
        return self._response(request.service)

    async def Watch(  # noqa: N802 (the name in the contract)
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Yield the status of a service now and whenever it changes."""
        told = None
        while True:
            changed = self._changed
            response = self._response(request.service)
            if response != told:
                told = response
                yield response
            await changed.wait()

    def _response(self, service: str) -> health_pb2.HealthCheckResponse:
        response = health_pb2.HealthCheckResponse
        if service not in self._serving:
            return response(status=response.SERVICE_UNKNOWN)
        is_serving = self._serving[service]
        return response(status=response.SERVING if is_serving else response.NOT_SERVING)


class HealthMonitor:
    """Monitor that keeps the status of the health service up to date."""

    def __init__(self, backend: Backend) -> None:
        self.servicer = HealthServicer()
        self._is_ready = False
        self._draining = False
        self._backend = backend
        self._told: str | None = ""

    async def watch(self) -> None:
        """Check the backend until cancelled."""
        while True:
            self._tell()
            await asyncio.sleep(POLL_INTERVAL_S)

    def ready(self, is_ready: bool) -> None:
        """Note whether requests are answered without delay from now on."""
        self._is_ready = is_ready
        self._tell()

    def drain(self) -> None:
        """Report NOT_SERVING from now on, regardless of the backend."""
        self._draining = True
        self._tell()

    def _tell(self) -> None:
        health_problem = self._backend.health_problem()
        self.servicer.tell(LIVENESS, health_problem is None)
        if not self._is_ready:
            health_problem = health_problem or "the model is being loaded"
        if self._draining:
            health_problem = "the daemon is shutting down"
        if health_problem == self._told:
            return
        self._told = health_problem
        log.info(
            "health=%s",
            "SERVING" if health_problem is None else f"NOT_SERVING reason={health_problem!r}",
        )
        self.servicer.tell(READINESS, health_problem is None)
