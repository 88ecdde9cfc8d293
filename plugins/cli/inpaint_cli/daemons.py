"""`inpaint ps` and `inpaint stop`, which show and stop the running daemon. Neither starts one."""

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

STOP_S = 60.0  # longer than the default time that a daemon allows for running fills
POLL_INTERVAL_S = 0.1


def ps(options: Namespace) -> int:
    """Run `inpaint ps`."""
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
    if doing is not None:  # None from older daemons
        lines[1] += f", {doing.busy_workers} of {doing.workers} workers busy"
        lines[2] += f", {doing.calls - 1} calls open"  # without this one
        memory = _mib(doing.memory_bytes) if doing.memory_bytes else "unknown"
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
    """Run `inpaint stop`, which stops the daemon and waits until it has exited."""
    if sys.platform == "win32":
        raise InputError(
            "`inpaint stop` does not work on Windows.", "Press Ctrl-C in the daemon's window."
        )
    here = _of_this_user()
    name = f"inpaint-server {here.version} at {here.address}, process {here.pid}"
    print(f"stopping {name}", flush=True)
    try:
        os.kill(here.pid, signal.SIGTERM)
    except ProcessLookupError:  # it has just exited
        pass
    except PermissionError as error:
        raise InputError(
            f"{name} belongs to another user.", "Only that user can stop it."
        ) from error
    until = time.monotonic() + STOP_S
    while not here.is_stale() and process_exists(here.pid):
        if time.monotonic() > until:
            print(f"inpaint: {name} is still finishing its running fills", file=sys.stderr)
            return REFUSED
        time.sleep(POLL_INTERVAL_S)
    print("stopped")
    return DONE


def _of_this_user() -> RuntimeFile:
    """Return the runtime file of the daemon from the settings and environment variables.

    Raises:
        DaemonNotFoundError: the daemon is not running.
        InputError: the daemon does not belong to this user on this machine.
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
            "Stop it on its own machine, as the user who started it.",
        )
    raise DaemonNotFoundError(f"No daemon answers at {address}.", "")
