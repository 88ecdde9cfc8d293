"""Create the backend of this machine from the settings."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import torch
from inpaint_model.inference.freeze import best_dtype

from ..config import ServerConfig
from ..filling.sessions import SessionCache
from ..models.budget import Budget, cpu_budget, gpu_budget, request_budget
from ..models.device import choose_devices, free_memory, is_fatal, use_threads
from ..models.device_models import DeviceModels
from ..models.free_memory import free_memory as free_host_memory
from ..models.registry import BundleLoader, Loader, ModelInfo, ModelRegistry, default_sources
from ..scheduling.admission import Admission
from ..scheduling.engine import Engine
from ..scheduling.work_marker import Killed, WorkMarker
from .local_backend import LocalBackend, Parts
from .pixel_threads import PixelThreads
from .upkeep import FREE_INTERVAL_S, UpkeepTimes

log = logging.getLogger(__name__)

CPU_LANES = 4  # workers of a CPU, that is, requests that are filled at the same time

MakeLoader = Callable[[torch.device, str], Loader]


def local_backend(
    config: ServerConfig,
    marker: WorkMarker,
    killed: Killed | None = None,
    make_loader: MakeLoader = BundleLoader,
    on_failure: Callable[[str], None] = lambda sentence: None,
    remedy: str = "restart the daemon",
    *,
    devices: Sequence[torch.device] | None = None,
    tidy_every_s: float = FREE_INTERVAL_S,
    memory_share: float = 1.0,
    session_prefix: str = "",
) -> LocalBackend:
    """Create a backend and start its workers.

    Args:
        config: the settings.
        marker: the file that records what the process is doing.
        killed: the work at which the previous process was killed.
        make_loader: returns the loader of models for a device and a precision.
        on_failure: called in any thread with a message if a device is lost.
        remedy: the remedy for a lost device, for clients and the log.
        devices: devices to use; None = those of `config`.
        tidy_every_s: interval of the checks for unused memory, in seconds.
        memory_share: fraction of the machine's free memory that may be used.
        session_prefix: beginning of the IDs of all sessions.

    Raises:
        ConfigurationError: a device or a model cannot be used.
    """
    chosen = devices or choose_devices(config.device)
    threads = config.threads or torch.get_num_threads()
    limits = config.limits
    free = free_host_memory()
    free = None if free is None else int(free * memory_share)
    sessions = SessionCache(limits.max_sessions, limits.max_session_bytes, config.session_ttl_s)
    loaders = [make_loader(device, config.precision) for device in chosen]
    models = ModelRegistry(model_sources(config), loaders[0])
    infos = [entry.info for entry in models.entries.values()]
    lanes = min(threads, CPU_LANES) if chosen[0].type == "cpu" else 1
    budgets = [model_budget(config, device, infos, free, lanes) for device in chosen]
    on_host = sum(
        budget.most(infos)
        for budget, device in zip(budgets, chosen, strict=True)
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
    precisions = [best_dtype(d) if config.precision == "auto" else config.precision for d in chosen]
    parts = Parts(
        precision=", ".join(dict.fromkeys(precisions)),
        engine=Engine(
            homes,
            limits.max_queue,
            lanes=lanes,
            on_start=partial(_prepare_worker, threads),
            on_lanes=partial(_share_threads, threads),
            is_fatal=is_fatal,
            on_failure=on_failure,
            remedy=remedy,
        ),
        models=models,
        sessions=sessions,
        admission=Admission(requests, limits.max_queue, sessions),
        pixels=PixelThreads(threads),
        marker=marker,
        killed=killed,
    )
    times = UpkeepTimes(config.idle_unload_s, config.alone_unload_s, tidy_every_s)
    return LocalBackend(parts, times, session_prefix)


def model_sources(config: ServerConfig) -> tuple[str, ...]:
    """Return the names and folders of the models; the first is the default."""
    bundled = Path(str(files("inpaint_model"))) / "bundle" / "pretrained"
    return tuple(config.models) or default_sources(bundled)


def model_budget(
    config: ServerConfig,
    device: torch.device,
    infos: Sequence[ModelInfo],
    free: int | None,
    lanes: int = 1,
) -> Budget:
    """Return the memory that models may use on a device.

    Args:
        config: the settings.
        device: the device.
        infos: the models.
        free: free memory of this machine, in bytes; None if it is unknown.
        lanes: number of workers of the device.
    """
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
