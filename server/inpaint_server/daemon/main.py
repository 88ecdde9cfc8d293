"""Assemble the daemon and run it until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import grpc.aio
import torch
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from inpaint_model.inference.host_memory import keep_freed_memory
from inpaint_protos.v1 import inpaint_pb2, inpaint_pb2_grpc

from .. import __version__
from ..config import ServerConfig, host_and_port, is_local, override
from ..errors import ConfigurationError
from ..models.registry import BundleLoader, Loader
from ..serving.assembly import local_backend
from ..serving.backend import Backend
from ..serving.local_backend import Parts
from ..serving.upkeep import FREE_INTERVAL_S
from ..wire.interceptor import StatusInterceptor, TokenInterceptor
from ..wire.limits import MAX_CALLS, MAX_MESSAGE_BYTES
from ..wire.request_log import RequestLog
from ..wire.service import InpaintService
from .access import Access
from .connections import FIRST_CALL_S, ConnectionGuard, raise_file_limit
from .health import HealthMonitor
from .listening import listening
from .metrics_server import MetricsServer
from .runtime_file import Predecessor, RuntimeFile

log = logging.getLogger(__name__)

LOST_GRACE_S = 2.0  # grace period for the answers to requests whose device was lost
FLUSH_S = 1.0  # time to send the last answers, and for clients that only watch the health

CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),  # for clients that do not accept chunks
    ("grpc.so_reuseport", 0),  # otherwise two daemons could silently share a port
    ("grpc.http2.bdp_probe", 1),
    ("grpc.keepalive_time_ms", 30_000),  # to notice clients that vanished
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.server_handshake_timeout_ms", int(FIRST_CALL_S * 1000)),
]


async def serve(
    config: ServerConfig,
    runtime: RuntimeFile,
    make_loader: Callable[[torch.device, str], Loader] = BundleLoader,
    remedy: str = "restart the daemon",
    read_again: Callable[[], ServerConfig] | None = None,
) -> str | None:
    """Run the daemon until SIGTERM or SIGINT, or until a device is lost.

    Args:
        config: the settings.
        runtime: the runtime file, which is locked.
        make_loader: returns the loader of models for a device and a precision.
        remedy: the remedy for a lost device, for clients and the log.
        read_again: reads the settings again on SIGHUP; None = SIGHUP stops the daemon as SIGTERM
            does.

    Returns:
        The message about a lost device; None after a normal shutdown.

    Raises:
        ConfigurationError: the daemon cannot start with these settings.
    """
    # The event loop must often wait for the GIL. At the default switch interval of 5 ms, the Python
    # code of the worker and the pixel threads would add up to 50 ms to a health check.
    sys.setswitchinterval(0.001)
    keep_freed_memory()
    gc.freeze()  # imported objects are permanent; exclude them from garbage collections
    stop, lost = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    failures: list[str] = []

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)  # a second Ctrl-C does not wait for running fills

    def failed(sentence: str) -> None:  # in a worker's thread
        failures.append(sentence)
        with suppress(RuntimeError):  # the event loop is closed: the daemon stops anyway
            loop.call_soon_threadsafe(lost.set)

    with suppress(NotImplementedError):  # on Windows, Ctrl-C raises KeyboardInterrupt instead
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, interrupted)
    access = Access(config, runtime.predecessor and runtime.predecessor.token)
    async with running(config, runtime, make_loader, failed, remedy, access=access) as address:

        def reload() -> None:
            if read_again is None:
                stop.set()
            elif access.reload(read_again):
                try:
                    runtime.write(address, access.token)
                except ConfigurationError as error:
                    log.error("%s", error)  # noqa: TRY400 (no trace needed)

        if hasattr(signal, "SIGHUP"):  # not on Windows
            loop.add_signal_handler(signal.SIGHUP, reload)
        ends = [asyncio.create_task(event.wait()) for event in (stop, lost)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
    return None if stop.is_set() else failures[0]


@asynccontextmanager
async def running(
    config: ServerConfig,
    runtime: RuntimeFile,
    make_loader: Callable[[torch.device, str], Loader] = BundleLoader,
    on_failure: Callable[[str], None] = lambda sentence: None,
    remedy: str = "restart the daemon",
    *,
    access: Access | None = None,
    devices: Sequence[torch.device] | None = None,
    tidy_every_s: float = FREE_INTERVAL_S,
) -> AsyncIterator[str]:
    """Run the daemon during the context, and yield its address. On exit, shut it down gracefully.

    Args:
        config: the settings.
        runtime: the runtime file, which is locked.
        make_loader: returns the loader of models for a device and a precision.
        on_failure: called in any thread with a message if a device is lost; the context should
            then be left.
        remedy: the remedy for a lost device, for clients and the log.
        access: token and certificate; None = those of `config`.
        devices: devices to use; None = those of `config`.
        tidy_every_s: interval of the checks for unused memory, in seconds.
    """
    async with AsyncExitStack() as stack:
        if config.traces:
            stack.callback(_start_tracing(config.traces))
        access = access or Access(config, runtime.predecessor and runtime.predecessor.token)
        if runtime.predecessor is not None:  # keep the address that clients know
            config = _as_before(config, runtime.predecessor)
        backend: Backend
        parts: Parts | None = None
        if config.ray is not None:
            backend = _ray_backend(config)
        else:
            backend = local = local_backend(
                config,
                runtime.marker,
                runtime.left_behind(),
                make_loader,
                on_failure,
                remedy,
                devices=devices,
                tidy_every_s=tidy_every_s,
            )
            parts = local.parts
        stack.callback(backend.stop)
        request_log = RequestLog()
        monitor = HealthMonitor(backend)
        tokens = TokenInterceptor(lambda: access.token, request_log.refused)
        service = InpaintService(config, backend, request_log)
        server = _server(service, monitor, tokens)
        address = await stack.enter_async_context(listening(server, config, access.credentials()))
        background = [monitor.watch(), backend.run(monitor.ready)]
        if not address.startswith("unix:") and sys.platform != "win32":
            guard = ConnectionGuard(host_and_port(address.removeprefix("tls://"))[1])
            tokens.on_admission, tokens.on_check = guard.admit, guard.note_check
            background.append(guard.watch())
        if config.metrics:
            from .metrics import (
                Metrics,
            )  # importing its library takes 50 ms, and metrics are rarely enabled

            endpoint = MetricsServer(
                config.metrics,
                Metrics(request_log, parts).text,
                backend.health_problem,
                lambda: access.metrics_token,
            )
            is_remote = not is_local(config.metrics)
            context = access.context() if is_remote else None
            stack.callback((await endpoint.start(context)).close)
        await server.start()
        stack.push_async_callback(_drain, server, monitor, backend, request_log, config.grace_s)
        for work in background:
            stack.callback(asyncio.create_task(work).cancel)
        runtime.write(address, access.token)
        made = await backend.describe()
        log.info(
            "inpaint-server version=%s address=%s device=%r precision=%s models=%s runtime_file=%s",
            __version__, address, made.device, made.precision,
            ",".join(model.info.name for model in made.models), runtime.path,
        )  # fmt: skip
        yield address


def _start_tracing(address: str) -> Callable[[], None]:
    try:
        from .. import tracing
    except ImportError as error:
        raise ConfigurationError(
            "traces: OpenTelemetry is not installed; run `pip install 'inpaint-stylegan[tracing]'`"
        ) from error
    return tracing.install(address)


def _ray_backend(config: ServerConfig) -> Backend:
    assert config.ray is not None
    _protect_cluster(is_new=not config.ray.address)
    try:
        import ray  # noqa: F401 (tells a missing package from a bug of ours)
    except ImportError as error:
        raise ConfigurationError(
            "ray: Ray Serve is not installed; run `pip install 'inpaint-stylegan[ray]'`"
        ) from error
    from ..cluster.ray_backend import RayBackend

    return RayBackend(config)


def _protect_cluster(*, is_new: bool) -> None:
    """Require Ray's token, before Ray is imported, unless the environment says otherwise.

    Ray itself does so for a new cluster only, and writes its token to a file that other users can
    read if they can read the home folder. So a new cluster gets a token of its own.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    if is_new and not {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _server(
    service: InpaintService, monitor: HealthMonitor, tokens: TokenInterceptor
) -> grpc.aio.Server:
    most = ("grpc.max_allowed_incoming_connections", raise_file_limit())
    server = grpc.aio.server(
        interceptors=[tokens, StatusInterceptor(service.idle_s, MAX_CALLS)],
        options=[*CHANNEL_OPTIONS, most],
    )
    inpaint_pb2_grpc.add_InpaintServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(monitor.servicer, server)
    names = [
        service.full_name
        for module in (inpaint_pb2, health_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
    ]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    return server


async def _drain(
    server: grpc.aio.Server,
    monitor: HealthMonitor,
    backend: Backend,
    request_log: RequestLog,
    grace_s: float,
) -> None:
    """Refuse new requests with UNAVAILABLE, and wait for the running ones.

    The server listens until the end, so that new clients get the reason.
    """
    if backend.has_failed:
        grace_s = min(grace_s, LOST_GRACE_S)
    log.info("stopping=true running=%d grace_s=%.0f", request_log.running, grace_s)
    monitor.drain()
    with suppress(TimeoutError):
        await asyncio.wait_for(request_log.drain(), grace_s)
    if backend.has_failed:
        # A client that receives its answer and the end of the connection together may miss it.
        await asyncio.sleep(FLUSH_S)
    await server.stop(FLUSH_S)


def _as_before(config: ServerConfig, predecessor: Predecessor) -> ServerConfig:
    """Return the settings with the port of the program that this one replaced."""
    if any(address.startswith("unix:") for address in (config.listen, predecessor.address)):
        return config
    host, port = host_and_port(config.listen)
    if port == 0:
        port = host_and_port(predecessor.address.removeprefix("tls://"))[1]
    return override(config, listen=f"{host}:{port}")
