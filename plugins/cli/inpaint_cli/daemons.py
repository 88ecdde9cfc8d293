"""`inpaint ps` and `inpaint stop`: the daemon that runs. Neither starts one."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from inpaint_client import (
    BlockingClient,
    DaemonInfo,
    DaemonNotFoundError,
    InputError,
    Model,
    find_daemon,
)
from inpaint_client.discovery import RuntimeFile, process_exists, runtime_files

from .exit_status import DONE, REFUSED

STOP_S = 60.0  # longer than a daemon lets fills go on, unless its settings say otherwise
POLL_INTERVAL_S = 0.1


def ps(options: Namespace) -> int:
    """`inpaint ps`."""
    endpoint = find_daemon()
    with BlockingClient(lambda: endpoint) as client:
        known = client.info()
    here = next((each for each in runtime_files() if each.address == str(endpoint)), None)
    if options.json:
        print(json.dumps(_object(known, str(endpoint), here)))
    else:
        print("\n".join(_lines(known, str(endpoint), here)))
    return DONE


def _object(known: DaemonInfo, address: str, here: RuntimeFile | None) -> dict[str, Any]:
    told = asdict(known)
    kept = ("version", "device", "precision", "queue_length", "uptime_s", "activity")
    return {
        "address": address,
        "pid": here and here.pid,
        **{name: told[name] for name in kept},
        "models": [
            {"name": m.name, "loaded": m.loaded, "memory_bytes": m.memory_bytes}
            for m in known.models
        ],
    }


def _lines(known: DaemonInfo, address: str, here: RuntimeFile | None) -> list[str]:
    process = f", process {here.pid}" if here else ""
    lines = [
        f"inpaint-server {known.version} at {address}{process}, up {_spoken(known.uptime_s)}",
        f"device    {known.device} ({known.precision})",
        f"queue     {known.queue_length} waiting",
    ]
    doing = known.activity
    if doing is not None:  # else it is of an earlier version
        lines[1] += f", {doing.busy_workers} of {doing.workers} workers busy"
        lines[2] += f", {doing.calls - 1} calls open"  # but for this one
        memory = _mib(doing.memory_bytes) if doing.memory_bytes else "not known"
        lines.append(f"memory    {memory}")
        lines.append(f"sessions  {doing.sessions}, {_mib(doing.session_bytes)}")
    titles = ["models", *[""] * len(known.models)]
    return lines + [
        f"{title:10}{_model(m)}" for title, m in zip(titles, known.models, strict=False)
    ]


def _model(model: Model) -> str:
    state = f"loaded, {_mib(model.memory_bytes)}" if model.loaded else "not loaded"
    return f"{model.name} ({'default, ' if model.is_default else ''}{state})"


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:.0f} MiB"


def _spoken(seconds: float) -> str:
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def stop(options: Namespace) -> int:
    """`inpaint stop`: ask the daemon to end, and wait until it has."""
    if sys.platform == "win32":
        raise InputError("Windows cannot ask a program to end.", "Press Ctrl-C where it runs.")
    here = _of_this_user()
    name = f"inpaint-server {here.version} at {here.address}, process {here.pid}"
    print(f"stopping {name}", flush=True)
    try:
        os.kill(here.pid, signal.SIGTERM)
    except ProcessLookupError:  # it was about to end
        pass
    except PermissionError as error:
        raise InputError(
            f"{name} belongs to another user.", "Only that user can stop it."
        ) from error
    until = time.monotonic() + STOP_S
    while not here.is_stale() and process_exists(here.pid):
        if time.monotonic() > until:
            print(f"inpaint: {name} is still finishing what runs", file=sys.stderr)
            return REFUSED
        time.sleep(POLL_INTERVAL_S)
    print("stopped")
    return DONE


def _of_this_user() -> RuntimeFile:
    """Return what the daemon that settings and environment name says of itself.

    Raises:
        DaemonNotFoundError: none runs.
        InputError: it is not this user's on this machine.
    """
    address = str(find_daemon())
    for runtime in runtime_files():  # those of this user
        if runtime.address == address:
            if runtime.is_stale():
                break
            return runtime
    else:
        raise InputError(
            f"The daemon at {address} was not started by this user on this machine.",
            "Stop it where it runs.",
        )
    raise DaemonNotFoundError(f"No daemon answers at {address}.", "")
