"""The backend that passes requests on to replicas in a Ray cluster.

Clients talk to this daemon and not to Serve's own proxy, which can neither be bound to an address
nor use TLS for gRPC, and knows neither our token nor gRPC's health protocol (docs/decisions/0047).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import ray
import torch
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import (
    AutoscalingConfig,
    AutoscalingPolicy,
    ProxyLocation,
    RequestRouterConfig,
)
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from .. import __version__
from ..config import RayConfig, ServerConfig
from ..errors import (
    ConfigurationError,
    NotFoundError,
    RequestError,
    ResourceExhaustedError,
    UnavailableError,
)
from ..filling.specs import EditSpec, FillSpec, ImageHeader, SegmentSpec
from ..models.budget import request_budget
from ..models.free_memory import free_memory
from ..models.registry import BundleLoader, ModelRegistry
from ..scheduling.admission import Admission
from ..scheduling.shares import Priority
from ..serving.answers import Activity, Answer, Description, ModelState, SegmentAnswer
from ..serving.assembly import model_sources
from ..serving.backend import Caller, Upload
from .autoscaling import QueueTimePolicy
from .replica import Replica

log = logging.getLogger(__name__)
T = TypeVar("T")

ROUTER = "inpaint_server.cluster.session_router.SessionRouter"
APPLICATION, DEPLOYMENT = "inpaint", "Replica"
POLL_INTERVAL_S = 1.0
ONGOING = 64  # requests of one replica, whose own queue is shorter
DESCRIBED_WITHIN_S = 10.0
CONNECTED_WITHIN_S = 5.0


class RayBackend:
    """Implementation of `Backend` with replicas in a Ray cluster."""

    def __init__(self, config: ServerConfig) -> None:
        """Connect to the cluster, or start one on this machine.

        Raises:
            ConfigurationError: there is no cluster at the address, or a model cannot be used.
        """
        assert config.ray is not None
        self._config = config
        self._settings = config.ray
        self._models = ModelRegistry(model_sources(config), BundleLoader(torch.device("cpu")))
        limits = config.limits
        # Images pass through this process; what replicas need is reserved there.
        self._uploads = Admission(
            limits.max_pending_bytes or request_budget(free_memory(), 0), limits.max_queue
        )
        self._running = 0
        self._problem: str | None = None
        self._handle: DeploymentHandle[Any] | None = None
        self._deployed = asyncio.Event()
        _connect(self._settings)

    @property
    def has_failed(self) -> bool:
        """Whether nothing can be answered any more. Replicas are restarted, so never."""
        return False

    def health_problem(self) -> str | None:
        """Return why a restart would help."""
        return self._problem or (
            None if ray.is_initialized() else "the connection to the Ray cluster is lost"
        )

    async def run(self, on_ready: Callable[[bool], None]) -> None:
        """Deploy the replicas, then report whether there are any until cancelled."""
        try:
            self._handle = await asyncio.to_thread(self._deploy)
        except Exception as error:
            self._problem = (
                f"the replicas cannot be deployed: {(str(error).splitlines() or [''])[0]}"
            )
            log.exception("replicas=0")
            return
        finally:
            self._deployed.set()
        told = False
        while True:
            running = await asyncio.to_thread(_count_running)
            self._running = running
            if (running > 0) != told:
                told = running > 0
                on_ready(told)
            await asyncio.sleep(POLL_INTERVAL_S)

    def stop(self) -> None:
        """Stop the replicas, unless they belong to a cluster that other daemons may use, too."""
        if not self._settings.address:
            serve.shutdown()
        ray.shutdown()

    def _deploy(self) -> DeploymentHandle[Any]:
        """Return a handle to the replicas, which another daemon may have deployed.

        If they run with other settings, they are replaced one after the other.
        """
        settings, config = self._settings, _of_replica(self._config, self._settings)
        cpus = settings.cpus_per_replica
        on_one = max(1, min(settings.max_replicas, int((os.cpu_count() or 1) // max(cpus, 0.01))))
        same = replace(settings, address="")
        fingerprint = hashlib.sha256(repr((__version__, config, same)).encode()).hexdigest()
        running = _with_fingerprint(fingerprint)
        if running is not None:
            log.info("ray=joined replicas of another daemon")
            return running
        deployment: Any = serve.deployment(
            name=DEPLOYMENT,
            max_ongoing_requests=ONGOING,
            max_queued_requests=config.limits.max_queue,
            graceful_shutdown_timeout_s=config.grace_s,
            health_check_timeout_s=60.0,
            ray_actor_options={"num_cpus": cpus, "num_gpus": settings.gpus_per_replica},
            autoscaling_config=_autoscaling(settings),
            request_router_config=RequestRouterConfig(request_router_class=ROUTER),
        )(Replica)
        handle = serve.run(
            deployment.bind(config, 1.0 / on_one, fingerprint), name=APPLICATION, route_prefix=None
        )
        assert isinstance(handle, DeploymentHandle)
        return handle

    # -- Fill and edit --------------------------------------------------------------------------

    async def fill(
        self, spec: FillSpec, upload: Upload, caller: Caller
    ) -> AsyncGenerator[Answer, None]:
        """Pass a fill on to the replica with the least work, preferably one with the model."""
        names = {name for edits in (spec.edits, *spec.variants) for name in edits}
        self._models.candidate_models(spec.model, names, len(spec.seeds))  # may refuse
        handle = await self._replicas()
        async with self._uploads.open(_bytes(spec.shapes), Priority.FILL):
            data = await upload.images(spec.shapes)
            chosen = handle.options(stream=True, multiplexed_model_id=spec.model)
            answers = chosen.fill.remote(spec, data, _passed(caller))
            async for answer in self._answers(answers):
                yield answer

    async def edit(
        self, spec: EditSpec, upload: Upload, caller: Caller
    ) -> AsyncGenerator[Answer, None]:
        """Pass an edit on to the replica of its session, else to any replica with its source."""
        handle = await self._replicas()
        if spec.session_id:
            chosen = handle.options(stream=True, session_id=spec.session_id)
            known = replace(spec, source=None)
            answers = chosen.edit.remote(known, [], _passed(caller))
            try:
                async for answer in self._answers(answers):
                    yield answer
            except NotFoundError as error:
                if spec.source is None or error.code != "UNKNOWN_SESSION":
                    raise
            else:
                return
        if spec.source is None:
            raise NotFoundError("session", spec.session_id)
        geometry = spec.source.geometry
        shapes = [geometry.crop, geometry.hole] if geometry else []
        async with self._uploads.open(_bytes(shapes), Priority.EDIT):
            data = await upload.images(shapes)
            chosen = handle.options(stream=True)
            anywhere = replace(spec, session_id="")
            answers = chosen.edit.remote(anywhere, data, _passed(caller))
            async for answer in self._answers(answers):
                yield answer

    async def segment(
        self, spec: SegmentSpec, upload: Upload, caller: Caller
    ) -> AsyncGenerator[SegmentAnswer, None]:
        """Pass an image on to the replica with the least work."""
        handle = await self._replicas()
        async with self._uploads.open(_bytes([spec.image]), Priority.EDIT):
            data = await upload.images([spec.image])
            answers = handle.options(stream=True).segment.remote(spec, data, _passed(caller))
            async for answer in self._answers(answers):
                yield answer

    async def _answers(self, answers: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401
        """Yield the answers of a replica; an error of the cluster becomes one of the request."""
        try:
            async for answer in answers:
                if isinstance(answer, RequestError):
                    raise answer
                yield answer
        except BackPressureError:
            limit = self._config.limits.max_queue
            raise ResourceExhaustedError("QUEUE_FULL", limit=limit) from None
        except (RayError, RayServeException) as error:
            log.warning("a replica is lost: %s", (str(error).splitlines() or [""])[0])
            raise UnavailableError("REPLICA_LOST") from None
        finally:
            answers.cancel()

    async def _replicas(self) -> DeploymentHandle[Any]:
        await self._deployed.wait()
        if self._handle is None:
            raise UnavailableError("REPLICA_LOST")
        return self._handle

    # -- Description and models -----------------------------------------------------------------

    async def describe(self) -> Description:
        """Describe all replicas together."""
        found = await self._everywhere("describe") if self._running else []
        loaded = {m.info.name for each in found for m in each.models if m.is_loaded}
        default = self._models.find("")
        count = f"{len(found)} replica{'s' if len(found) != 1 else ''}"
        devices = ", ".join(dict.fromkeys(each.device for each in found))
        return Description(
            device=f"{count} on Ray" + (f": {devices}" if devices else ""),
            device_type=found[0].device_type if found else "cpu",
            precision=", ".join(dict.fromkeys(each.precision for each in found)),
            models=tuple(
                ModelState(entry.info, entry.name in loaded, entry is default)
                for entry in self._models.entries.values()
            ),
            memory_budget=min((each.memory_budget for each in found), default=0)
            or self._uploads.max_bytes,
            activity=_sum([each.activity for each in found]),
            killed=None,
        )

    async def load_model(self, name: str, caller: Caller) -> ModelState:
        """Load a model on every replica."""
        entry = self._models.find(name)
        await self._everywhere("load_model", entry.name)
        return ModelState(entry.info, True, entry is self._models.find(""))

    async def unload_model(self, name: str, caller: Caller) -> bool:
        """Free a model's memory on every replica."""
        entry = self._models.find(name)
        return any(await self._everywhere("unload_model", entry.name))

    async def _everywhere(self, method: str, *arguments: object) -> list[Any]:
        handle = await self._replicas()
        try:
            results: list[Any] = await handle.broadcast(method, *arguments).results_async(
                timeout_s=DESCRIBED_WITHIN_S if method == "describe" else None
            )
        except (RayError, RayServeException, TimeoutError) as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, RequestError):
                raise cause from None
            raise UnavailableError("REPLICA_LOST") from None
        return results


def _connect(settings: RayConfig) -> None:
    """Join the cluster at the address, or start one that only this machine can reach."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    at_term = signal.getsignal(signal.SIGTERM)
    local: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    where = f"the cluster at {settings.address}" if settings.address else "a local cluster"
    try:
        _check_reachable(settings.address)
        ray.init(
            settings.address or "local",
            namespace="inpaint",
            configure_logging=False,
            log_to_driver=True,
            **({} if settings.address else local),
        )
        serve.start(proxy_location=ProxyLocation.Disabled)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ConfigurationError(
            f"ray: cannot use {where}: {reason}; check the address and the cluster's token "
            "(RAY_AUTH_TOKEN)"
        ) from error
    finally:
        signal.signal(signal.SIGTERM, at_term)  # Ray would exit without draining
    if not settings.address:
        _check_resources(settings)
    log.info("ray_address=%s", ray.get_runtime_context().gcs_address)


def _check_resources(settings: RayConfig) -> None:
    """Refuse settings that this machine can never satisfy; Ray itself would wait for a machine."""
    available = ray.cluster_resources()
    for name, each, key in (
        ("GPU", settings.gpus_per_replica, "gpus_per_replica"),
        ("CPU", settings.cpus_per_replica, "cpus_per_replica"),
    ):
        needed, there = settings.min_replicas * each, available.get(name, 0.0)
        if needed > there:
            raise ConfigurationError(
                f"ray: {settings.min_replicas} replicas with {key}: {each:g} need {needed:g} "
                f"{name}s, but this machine has {there:g}; reduce {key} or min_replicas"
            )


def _check_reachable(address: str) -> None:
    """Raise an OSError at once if nothing listens there; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECTED_WITHIN_S).close()


def _of_replica(config: ServerConfig, settings: RayConfig) -> ServerConfig:
    """Return the settings of a replica, which clients cannot reach."""
    usual = ServerConfig()
    return replace(
        config,
        ray=None,
        listen=usual.listen,
        tls=None,
        token_file=None,
        runtime_file=None,
        metrics="",
        metrics_token_file=None,
        traces="",
        device="cuda:0" if settings.gpus_per_replica else "cpu",
        threads=config.threads or max(1, int(settings.cpus_per_replica)),
        gpu_memory_share=config.gpu_memory_share * (settings.gpus_per_replica or 1.0),
        models=tuple(map(_absolute, model_sources(config))),
    )


def _with_fingerprint(fingerprint: str) -> DeploymentHandle[Any] | None:
    """Return a handle to running replicas if all of them have these settings."""
    try:
        handle = serve.get_app_handle(APPLICATION)
        found = handle.broadcast("fingerprint").results(timeout_s=DESCRIBED_WITHIN_S)
    except (RayError, RayServeException, TimeoutError):
        return None
    return handle if found and set(found) == {fingerprint} else None


def _autoscaling(settings: RayConfig) -> AutoscalingConfig:
    policy = AutoscalingPolicy(
        policy_function=QueueTimePolicy, policy_kwargs={"target_s": settings.queue_target_s}
    )
    return AutoscalingConfig(
        min_replicas=settings.min_replicas,
        max_replicas=settings.max_replicas,
        upscale_delay_s=settings.upscale_delay_s,
        downscale_delay_s=settings.downscale_delay_s,
        policy=policy,
    )


def _count_running() -> int:
    """Return the number of replicas that accept requests; 0 if the cluster does not answer."""
    try:
        application = serve.status().applications.get(APPLICATION)
    except (RayError, RayServeException, TimeoutError):
        return 0
    if application is None or DEPLOYMENT not in application.deployments:
        return 0
    states = application.deployments[DEPLOYMENT].replica_states
    return sum(count for state, count in states.items() if state == "RUNNING")


def _absolute(source: str) -> str:
    """Return a source that means the same in another process: folders by their absolute path."""
    path = Path(source)
    return str(path.absolute()) if path.is_dir() else source


def _bytes(shapes: Sequence[ImageHeader]) -> int:
    """Return the bytes of images, twice, because they are copied to the replica."""
    return 2 * sum(shape.num_bytes for shape in shapes)


def _passed(caller: Caller) -> Caller:
    """Return a caller for another process, with the time that is left as the deadline."""
    if caller.deadline is None:
        return caller
    return replace(caller, deadline=max(0.0, caller.deadline - time.monotonic()))


def _sum(activities: Sequence[Activity]) -> Activity:
    return Activity(
        queue_length=sum(each.queue_length for each in activities),
        busy_workers=sum(each.busy_workers for each in activities),
        workers=sum(each.workers for each in activities),
        sessions=sum(each.sessions for each in activities),
        session_bytes=sum(each.session_bytes for each in activities),
        memory_bytes=sum(each.memory_bytes for each in activities),
    )
