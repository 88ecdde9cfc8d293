"""Assemble the daemon and run it until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.resources import files
from pathlib import Path

import grpc.aio
import torch
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.inference.host_memory import keep_freed_memory, return_freed_memory
from inpaint_protos.v1 import inpaint_pb2, inpaint_pb2_grpc

from .. import __version__
from ..config import ServerConfig, host_and_port, override
from ..errors import ConfigurationError, RequestError
from ..filling.filling import warm_up_steps
from ..filling.sessions import SessionCache
from ..models.budget import Budget, cpu_budget, gpu_budget, request_budget
from ..models.device import choose_devices, device_names, free_memory, is_fatal, use_threads
from ..models.device_models import DeviceModels
from ..models.registry import BundleLoader, Loader, ModelInfo, ModelRegistry, default_sources
from ..scheduling.admission import Admission
from ..scheduling.engine import Engine
from ..scheduling.shares import Priority
from ..wire.interceptor import StatusInterceptor, TokenInterceptor
from ..wire.limits import MAX_CALLS, MAX_MESSAGE_BYTES
from ..wire.request_log import RequestLog
from ..wire.service import InpaintService, Parts
from .access import Access
from .connections import FIRST_CALL_S, ConnectionGuard, raise_file_limit
from .free_memory import free_memory as free_host_memory
from .health import HealthMonitor
from .listening import listening
from .runtime_file import Predecessor, RuntimeFile

log = logging.getLogger(__name__)

CPU_LANES = 4  # workers of a CPU, that is, requests that are filled at the same time
HOUSEKEEPING_INTERVAL_S = 5.0
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
    tidy_every_s: float = HOUSEKEEPING_INTERVAL_S,
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
        tidy_every_s: interval of the housekeeping, in seconds.
    """
    async with AsyncExitStack() as stack:
        access = access or Access(config, runtime.predecessor and runtime.predecessor.token)
        if runtime.predecessor is not None:  # keep the address that clients know
            config = _as_before(config, runtime.predecessor)
        engine = partial(Engine, is_fatal=is_fatal, on_failure=on_failure, remedy=remedy)
        chosen = devices or choose_devices(config.device)
        parts = _parts(config, chosen, make_loader, engine, runtime)
        stack.callback(parts.pixels.shutdown, wait=False, cancel_futures=True)
        monitor = HealthMonitor(parts.engine)
        tokens = TokenInterceptor(lambda: access.token, parts.request_log.refused)
        server = _server(parts, monitor, tokens)
        address = await stack.enter_async_context(listening(server, config, access.credentials()))
        background = [monitor.watch(), _warm_up(parts, monitor), _housekeeping(parts, tidy_every_s)]
        if not address.startswith("unix:") and sys.platform != "win32":
            guard = ConnectionGuard(host_and_port(address.removeprefix("tls://"))[1])
            tokens.on_admission, tokens.on_check = guard.admit, guard.note_check
            background.append(guard.watch())
        if config.metrics:
            from .metrics import (
                Metrics,
            )  # importing its library takes 50 ms, and metrics are rarely enabled

            metrics = Metrics(parts.request_log, parts.engine, parts.models, parts.sessions)
            stack.callback((await metrics.serve(config.metrics)).close)
        parts.engine.start()
        stack.callback(parts.engine.stop)
        await server.start()
        stack.push_async_callback(_drain, server, monitor, parts, config.grace_s)
        for work in background:
            stack.callback(asyncio.create_task(work).cancel)
        runtime.write(address, access.token)
        log.info(
            "inpaint-server version=%s address=%s device=%r precision=%s models=%s runtime_file=%s",
            __version__, address, device_names(home.device for home in parts.engine.homes),
            parts.precision,
            ",".join(parts.models.entries), runtime.path,
        )  # fmt: skip
        yield address


def _parts(
    config: ServerConfig,
    devices: Sequence[torch.device],
    make_loader: Callable[[torch.device, str], Loader],
    make_engine: Callable[..., Engine[DeviceModels]],
    runtime: RuntimeFile,
) -> Parts:
    threads = config.threads or torch.get_num_threads()
    limits = config.limits
    free = free_host_memory()
    sessions = SessionCache(limits.max_sessions, limits.max_session_bytes, config.session_ttl_s)
    loaders = [make_loader(device, config.precision) for device in devices]
    models = ModelRegistry(
        config.models
        or default_sources(Path(str(files("inpaint_model"))) / "bundle" / "pretrained"),
        loaders[0],
    )
    infos = [entry.info for entry in models.entries.values()]
    lanes = min(threads, CPU_LANES) if devices[0].type == "cpu" else 1
    budgets = [_budget(config, device, infos, free, lanes) for device in devices]
    on_host = sum(
        budget.most(infos)
        for budget, device in zip(budgets, devices, strict=True)
        if device.type == "cpu"
    )
    homes = [
        DeviceModels(loader, budget, on_unload=sessions.forget_encodings)
        for loader, budget in zip(loaders, budgets, strict=True)
    ]
    requests = limits.max_pending_bytes or request_budget(free, on_host)
    log.info(
        "free_mib=%s models_mib=%d requests_mib=%d",
        "unknown" if free is None else free >> 20, on_host >> 20, requests >> 20,
    )  # fmt: skip
    precisions = [
        best_dtype(d) if config.precision == "auto" else config.precision for d in devices
    ]
    return Parts(
        config=config,
        precision=", ".join(dict.fromkeys(precisions)),
        engine=make_engine(
            homes,
            limits.max_queue,
            lanes=lanes,
            on_start=partial(_prepare_worker, threads),
            on_lanes=partial(_share_threads, threads),
        ),
        models=models,
        sessions=sessions,
        admission=Admission(requests, limits.max_queue, sessions),
        pixels=_pixel_threads(threads),
        request_log=RequestLog(),
        marker=runtime.marker,
        killed=runtime.left_behind(),
    )


def _budget(
    config: ServerConfig,
    device: torch.device,
    infos: Sequence[ModelInfo],
    free: int | None,
    lanes: int = 1,
) -> Budget:
    if device.type == "cpu":
        batch = config.batch_size or 1
        return cpu_budget(free, infos, config.model_memory_bytes, batch, lanes)
    if device.type != "cuda":  # no CUDA graphs, and the free memory is unknown
        return Budget(config.model_memory_bytes, config.batch_size or 1)
    return gpu_budget(
        free_memory(device),
        config.gpu_memory_share,
        config.model_memory_bytes,
        config.batch_size,
    )


def _prepare_worker(threads: int, models: DeviceModels) -> None:
    use_threads(threads)
    if models.device.type == "cuda":
        torch.cuda.set_device(models.device)  # the default device of this worker's thread


def _share_threads(threads: int, models: DeviceModels, lanes: int) -> None:
    """Divide the CPU's threads among the busy workers."""
    if models.device.type == "cpu":
        use_threads(max(1, threads // lanes))


def _pixel_threads(threads: int) -> Executor:
    """Return an executor with two threads for conversion and blending, which share the cores.

    Each thread that calls torch has its own OpenMP threads, which busy-wait. If there were more of
    them than cores, they would slow down each other and the networks.
    """
    return ThreadPoolExecutor(
        2,
        thread_name_prefix="pixels",
        initializer=use_threads,
        initargs=(max(1, threads // 2),),
    )


def _server(parts: Parts, monitor: HealthMonitor, tokens: TokenInterceptor) -> grpc.aio.Server:
    most = ("grpc.max_allowed_incoming_connections", raise_file_limit())
    server = grpc.aio.server(
        interceptors=[tokens, StatusInterceptor(parts.config.idle_s, MAX_CALLS)],
        options=[*CHANNEL_OPTIONS, most],
    )
    inpaint_pb2_grpc.add_InpaintServicer_to_server(InpaintService(parts), server)
    health_pb2_grpc.add_HealthServicer_to_server(monitor.servicer, server)
    names = [
        service.full_name
        for module in (inpaint_pb2, health_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
    ]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    return server


async def _drain(
    server: grpc.aio.Server, monitor: HealthMonitor, parts: Parts, grace_s: float
) -> None:
    """Refuse new requests with UNAVAILABLE, and wait for the running ones.

    The server listens until the end, so that new clients get the reason.
    """
    if parts.engine.has_failed:
        grace_s = min(grace_s, LOST_GRACE_S)
    log.info("stopping=true running=%d grace_s=%.0f", parts.request_log.running, grace_s)
    monitor.drain()
    with suppress(TimeoutError):
        await asyncio.wait_for(parts.request_log.drain(), grace_s)
    if parts.engine.has_failed:
        # A client that receives its answer and the end of the connection together may miss it.
        await asyncio.sleep(FLUSH_S)
    await server.stop(FLUSH_S)


async def _warm_up(parts: Parts, monitor: HealthMonitor) -> None:
    """Load the default model on every device in advance; requests have priority."""
    await asyncio.gather(*(_warm_up_one(parts, monitor, home) for home in parts.engine.homes))


async def _warm_up_one(parts: Parts, monitor: HealthMonitor, home: DeviceModels) -> None:
    entry = parts.models.find("")
    try:
        job, _ = parts.engine.submit(
            lambda models: warm_up_steps(models, entry), Priority.BACKGROUND, home=home
        )
        with parts.marker.during("LoadModel", {"model": entry.name}):
            async for _ in job.results():
                monitor.loaded()  # the steps after the first one only improve speed
    except RequestError as error:
        log.error(  # noqa: TRY400 (no trace needed)
            "model=%s cannot be used: %s", entry.name, error
        )
    except Exception:
        log.exception("model=%s cannot be used", entry.name)


async def _housekeeping(parts: Parts, every_s: float) -> None:
    """Free expired sessions and idle models; after a time without requests, free all of them."""
    idle_s, alone_s = parts.config.idle_unload_s, parts.config.alone_unload_s
    tidied = (0, 0, 0)
    asked, last_asked = 0, time.monotonic()
    if alone_s:
        every_s = min(every_s, alone_s / 2)
    while True:
        await asyncio.sleep(every_s)
        parts.sessions.expire()
        now = time.monotonic()
        if parts.request_log.running or parts.request_log.num_requests != asked:
            asked, last_asked = parts.request_log.num_requests, now
        is_alone = bool(alone_s) and now - last_asked >= alone_s
        if is_alone:
            parts.sessions.clear()
        models = parts.models.entries.values()
        loaded = sum(home.is_loaded(model) for home in parts.engine.homes for model in models)
        state = parts.request_log.num_requests, len(parts.sessions), loaded
        if state != tidied and not parts.request_log.running:
            tidied = state
            await asyncio.to_thread(return_freed_memory)
        if is_alone or idle_s:
            free = partial(DeviceModels.unload_idle, idle_s=0.0 if is_alone else idle_s)
            with suppress(RequestError):
                for home in parts.engine.homes:
                    parts.engine.submit(free, Priority.BACKGROUND, home=home)


def _as_before(config: ServerConfig, predecessor: Predecessor) -> ServerConfig:
    """Return the settings with the port of the program that this one replaced."""
    if any(address.startswith("unix:") for address in (config.listen, predecessor.address)):
        return config
    host, port = host_and_port(config.listen)
    if port == 0:
        port = host_and_port(predecessor.address.removeprefix("tls://"))[1]
    return override(config, listen=f"{host}:{port}")
