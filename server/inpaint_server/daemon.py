"""The daemon, assembled: runs until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.resources import files
from pathlib import Path

import grpc.aio
import torch
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from inpaint_model.heap import keep_freed_memory, return_freed_memory
from inpaint_model.inference import best_dtype
from inpaint_protos.v1 import inpaint_pb2, inpaint_pb2_grpc

from . import __version__
from .accounting import Accounts
from .config import ServerConfig
from .device import choose_device, device_name, use_threads
from .engine import Engine, Urgency
from .errors import ConfigurationError, RequestError
from .filling import warm_up_steps
from .health import HealthMonitor
from .interceptor import StatusInterceptor, TokenInterceptor
from .listening import listening
from .metrics import Metrics
from .models import BundleLoader, Loader, ModelRegistry, default_sources
from .runtime import RuntimeFile
from .service import InpaintService, Parts
from .sessions import SessionCache

log = logging.getLogger(__name__)

MAX_REQUEST_MESSAGE = 64 << 20  # a header with its pictures inside; larger ones come in chunks
MAX_CALLS = 512  # open at once, health watches included; far above the queue's length
TIDY_EVERY_S = 5.0
FAREWELL_S = 1.0  # for the last answers to leave, and for clients that only watch the health

CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_REQUEST_MESSAGE),
    ("grpc.max_send_message_length", -1),  # bounded by the picture that was sent
    ("grpc.so_reuseport", 0),  # two daemons on one port would share it silently
    ("grpc.http2.bdp_probe", 1),
    ("grpc.keepalive_time_ms", 30_000),  # a client that vanished is noticed
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.max_metadata_size", 16 << 10),
]


async def serve(
    config: ServerConfig,
    runtime: RuntimeFile,
    make_loader: Callable[[torch.device, str], Loader] = BundleLoader,
) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises ConfigurationError if it cannot start."""
    # The event loop asks the interpreter for its turn often; at the usual 5 ms a turn, the worker's
    # and the pixel threads' Python would add up to 50 ms to a health check.
    sys.setswitchinterval(0.001)
    keep_freed_memory()
    gc.freeze()  # what the imports made stays for good: every full collection would look at it
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)  # a second Ctrl-C does not wait for running fills

    with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, interrupted)
    async with running(config, runtime, make_loader):
        await stop.wait()


@asynccontextmanager
async def running(
    config: ServerConfig,
    runtime: RuntimeFile,
    make_loader: Callable[[torch.device, str], Loader] = BundleLoader,
) -> AsyncIterator[str]:
    """The daemon while the block runs; gives its address. Leaving drains it."""
    async with AsyncExitStack() as stack:
        token = _token(config.token_file)
        parts = _parts(config, make_loader)
        stack.callback(parts.pixels.shutdown, wait=False, cancel_futures=True)
        monitor = HealthMonitor(parts.engine, parts.device)
        server = _server(parts, monitor, token)
        address = await stack.enter_async_context(listening(server, config))
        if config.metrics:
            metrics = Metrics(parts.accounts, parts.engine, parts.models, parts.sessions)
            stack.callback((await metrics.serve(config.metrics)).close)
        parts.engine.start()
        stack.callback(parts.engine.stop)
        await server.start()
        stack.push_async_callback(_drain, server, monitor, parts, config.grace_s)
        for work in (monitor.watch(), _warm_up(parts, monitor), _tidy(parts)):
            stack.callback(asyncio.create_task(work).cancel)
        runtime.write(address, token)
        log.info(
            "inpaint-server version=%s address=%s device=%r precision=%s models=%s runtime_file=%s",
            __version__, address, device_name(parts.device), parts.precision,
            ",".join(parts.models.entries), runtime.path,
        )  # fmt: skip
        yield address


def _parts(config: ServerConfig, make_loader: Callable[[torch.device, str], Loader]) -> Parts:
    device = choose_device(config.device)
    threads = config.threads or torch.get_num_threads()
    limits = config.limits
    sessions = SessionCache(limits.max_sessions, limits.max_session_bytes, config.session_ttl_s)
    models = ModelRegistry(
        config.models or default_sources(Path(str(files("inpaint_model"))) / "bundles"),
        make_loader(device, config.precision),
        memory_bytes=config.model_memory_bytes,
        on_unload=sessions.forget_encodings,
    )
    return Parts(
        config=config,
        device=device,
        precision=best_dtype(device) if config.precision == "auto" else config.precision,
        engine=Engine(limits.max_queue, on_start=partial(use_threads, threads)),
        models=models,
        sessions=sessions,
        pixels=_pixel_threads(threads),
        accounts=Accounts(),
        batch_size=config.batch_size or (8 if device.type == "cuda" else 1),
    )


def _pixel_threads(threads: int) -> Executor:
    """Two threads for conversion and laying over, which share the cores.

    Each thread that calls torch has helpers of its own, which wait for their turn by spinning: more
    of them than there are cores would keep each other, and the networks, from working.
    """
    return ThreadPoolExecutor(
        2,
        thread_name_prefix="pixels",
        initializer=use_threads,
        initargs=(max(1, threads // 2),),
    )


def _server(parts: Parts, monitor: HealthMonitor, token: str) -> grpc.aio.Server:
    server = grpc.aio.server(
        interceptors=[
            TokenInterceptor(token, parts.accounts.refused),
            StatusInterceptor(parts.engine.fail),
        ],
        options=CHANNEL_OPTIONS,
        maximum_concurrent_rpcs=MAX_CALLS,
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
    """NOT_SERVING, UNAVAILABLE for new requests, and time for those that run.

    The server listens until the end, so that whoever asks meanwhile is told why.
    """
    log.info("stopping=true running=%d grace_s=%.0f", parts.accounts.running, grace_s)
    await monitor.drain()
    with suppress(TimeoutError):
        await asyncio.wait_for(parts.accounts.drain(), grace_s)
    await server.stop(FAREWELL_S)


async def _warm_up(parts: Parts, monitor: HealthMonitor) -> None:
    """Load the default model before anybody asks; requests that come meanwhile go first."""
    entry = parts.models.find("")
    ticket, _ = parts.engine.submit(
        lambda: warm_up_steps(parts.models, entry, parts.batch_size), Urgency.BACKGROUND
    )
    try:
        async for _ in ticket.results():
            await monitor.loaded()  # what follows the first step is only for speed
    except RequestError as error:
        log.error("model=%s cannot be used: %s", entry.name, error)
    except Exception:
        log.exception("model=%s cannot be used", entry.name)


async def _tidy(parts: Parts) -> None:
    """Expired sessions and idle models give their memory back."""
    idle_s = parts.config.idle_unload_s
    tidied = (0, 0)
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        parts.sessions.expire()
        state = parts.accounts.num_requests, len(parts.sessions)
        if state != tidied and not parts.accounts.running:
            tidied = state
            await asyncio.to_thread(return_freed_memory)
        if idle_s:
            with suppress(RequestError):
                parts.engine.submit(lambda: parts.models.unload_idle(idle_s), Urgency.BACKGROUND)


def _token(path: Path | None) -> str:
    """The token of the file, or a new one."""
    if path is None:
        return secrets.token_urlsafe(32)
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"token_file: cannot read {path}: {error}") from error
    if len(token) < 16 or not token.isascii() or any(c.isspace() for c in token):
        raise ConfigurationError(
            f"token_file: {path} must hold one token of at least 16 ASCII characters; for example "
            "the output of `python3 -c 'import secrets; print(secrets.token_urlsafe(32))'`"
        )
    return token
