"""Send the largest requests for minutes, with little memory: `python -m benchmarks.memory`.

The daemon runs in its own control group with a limit (version 1 or 2; needs the right to create
one, as root has in a container), or, where that is not possible, under `ulimit -d` (--ulimit).
Clients send it the largest requests that it accepts: 8 and 16 bits, 3 and 4 channels, one and
several candidates, holes in the middle and over nearly the entire crop, edits in between; and
requests that can never fit. The benchmark fails if the daemon is killed, if a request fails other
than by a refusal that names a size that would fit, or if a request of that size is then refused.

    python -m benchmarks.memory [--limits 2048 6144] [--minutes 10] [--clients 3] [--model portrait]
    python -m benchmarks.memory --price [--sides 1000 4000 8000]

--price prints the memory that single requests use, next to the estimates.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from inpaint_client import (
    BlockingClient,
    Box,
    Candidate,
    Capture,
    EditJob,
    Endpoint,
    Extent,
    FillJob,
    InpaintError,
    Method,
    Picture,
    RecipeSource,
    SampleType,
    SmoothFill,
    parse_endpoint,
    seed_sequence,
)
from inpaint_client.discovery import read_runtime_file
from inpaint_model.document.geometry import Box as ModelBox
from inpaint_model.pipeline.memory_estimate import working_bytes

MIB = 1 << 20
GROUPS = Path("/sys/fs/cgroup")


class Case(NamedTuple):
    """One request."""

    side: int  # of the crop
    hole: int  # side of the hole in its middle
    bits: int
    channels: int
    candidates: int
    smooth: bool

    @property
    def price(self) -> int:
        """Estimated memory in bytes."""
        crop = ModelBox(0, 0, self.side, self.side)
        margin = (self.side - self.hole) // 2
        hole = ModelBox(margin, margin, self.hole, self.hole)
        size = self.bits // 8
        images = self.side**2 * (self.channels * size + 1)
        return images + working_bytes(crop, hole, self.channels * size + 1)


def job(case: Case) -> FillJob:
    """Build a fill of stripes, which are fast to generate."""
    side, hole = case.side, case.hole
    sample = SampleType.U8 if case.bits == 8 else SampleType.U16
    row = bytes(range(256)) * (side * case.channels * case.bits // 8 // 256 + 1)
    stripe = row[: side * case.channels * case.bits // 8]
    margin = (side - hole) // 2
    outside = bytes(side)
    inside = bytes(margin) + b"\xff" * hole + bytes(side - margin - hole)
    mask = outside * margin + inside * hole + outside * (side - margin - hole)
    return FillJob(
        capture=Capture(
            crop=Picture(side, side, case.channels, stripe * side, sample),
            hole=Picture(side, side, 1, mask),
            crop_box=Box(0, 0, side, side),
            document=Extent(side, side),
        ),
        seeds=seed_sequence(1, case.candidates),
        smooth=SmoothFill.ALWAYS if case.smooth else SmoothFill.NEVER,
    )


class Group:
    """A control group with a memory limit."""

    def __init__(self, limit: int) -> None:
        self._is_v1 = (GROUPS / "memory" / "memory.limit_in_bytes").exists()
        self.folder = (GROUPS / "memory" if self._is_v1 else GROUPS) / f"inpaint-{os.getpid()}"
        self.folder.mkdir()
        name = "memory.limit_in_bytes" if self._is_v1 else "memory.max"
        (self.folder / name).write_text(str(limit))

    def enter(self) -> None:
        """Put this process into the group."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def peak(self) -> int:
        """Peak memory in bytes."""
        name = "memory.max_usage_in_bytes" if self._is_v1 else "memory.peak"
        return int((self.folder / name).read_text())

    def remove(self) -> None:
        """Remove the group once its processes have ended."""
        for _ in range(50):
            try:
                self.folder.rmdir()
            except OSError:
                time.sleep(0.1)
            else:
                return


class Served(NamedTuple):
    """A running daemon."""

    process: subprocess.Popen[bytes]
    endpoint: Endpoint
    log: Path


@contextmanager
def served(folder: Path, group: Group | None, ulimit: int, model: str) -> Iterator[Served]:
    """Run a daemon in the group, or with `ulimit -d`."""

    def enter() -> None:
        if group is not None:
            group.enter()
        if ulimit:
            resource.setrlimit(resource.RLIMIT_DATA, (ulimit, ulimit))

    log = folder / "daemon.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own daemon)
            [sys.executable, "-m", "inpaint_server", "--device", "cpu", "--model", model],
            env={**os.environ, "XDG_RUNTIME_DIR": str(folder)},
            stderr=output,
            preexec_fn=enter,  # noqa: PLW1509 (nothing else runs here yet)
        )
    try:
        while (runtime := read_runtime_file(folder / "inpaint/server.json")) is None:
            if process.poll() is not None:
                raise SystemExit(f"the daemon did not start:\n{log.read_text()}")
            time.sleep(0.1)
        yield Served(process, parse_endpoint(runtime.address, runtime.token), log)
    finally:
        process.terminate()
        process.wait()


class Clients:
    """The shared state of the clients."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self._endpoint = endpoint
        self._end = time.monotonic() + seconds
        self.done: Counter[str] = Counter()
        self.failures: list[str] = []
        self.largest = 0

    def run(self, seed: int) -> None:
        """Run one client: send large requests until the time is over."""
        rng = random.Random(seed)  # noqa: S311 (variety, not secrecy)
        while time.monotonic() < self._end and not self.failures:
            with BlockingClient(lambda: self._endpoint) as client:
                try:
                    self._one(client, rng)
                except InpaintError as error:
                    self.failures.append(f"{type(error).__name__}: {error}")

    def _one(self, client: BlockingClient, rng: random.Random) -> None:
        case = Case(
            side=8192,
            hole=8000,
            bits=rng.choice([8, 16]),
            channels=rng.choice([3, 4]),
            candidates=rng.choice([1, 1, 4]),
            smooth=rng.random() < 0.3,
        )
        side = self._refused(client, case)
        if side:
            share = rng.choice([0.3, 0.95])
            case = case._replace(side=side, hole=int(share * side) // 2 * 2)
            if self._refused(client, case):
                self.failures.append(f"{side} px was reported to fit, but was refused")

    def _refused(self, client: BlockingClient, case: Case) -> int:
        """Fill, and edit the last candidate; return 0, or the side that would fit if refused."""
        fill, last = job(case), None
        try:
            for event in client.fill(fill):
                if isinstance(event, Candidate) and event.method is not Method.SMOOTH:
                    last = event
        except InpaintError as error:
            told = re.search(r"at most (\d+) x", str(error))
            if told is None:
                raise
            self.done["refused"] += 1
            return int(told[1])
        self.done["filled"] += 1
        self.largest = max(self.largest, case.hole)
        if last is not None:
            source = RecipeSource(
                recipe=last.recipe, attachment=last.attachment, capture=fill.capture
            )
            for _ in client.edit(EditJob(source=source)):
                pass
            self.done["edited"] += 1
        return 0


def soak(limit: int, minutes: float, clients: int, model: str, *, ulimit: bool) -> bool:
    """Send the largest requests under a limit; return whether all went well."""
    group = None if ulimit else Group(limit)
    with tempfile.TemporaryDirectory(prefix="inpaint-memory-") as name:
        try:
            with served(Path(name), group, limit if ulimit else 0, model) as daemon:
                requests = Clients(daemon.endpoint, minutes * 60)
                threads = [threading.Thread(target=requests.run, args=(k,)) for k in range(clients)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                killed = daemon.process.poll() is not None
                budget = re.search("free_mib=.*", daemon.log.read_text())
            peak = f"peak {group.peak >> 20} MiB" if group else "peak unknown"
        finally:
            if group is not None:
                group.remove()
    counts = ", ".join(f"{count} {what}" for what, count in sorted(requests.done.items()))
    print(f"{limit >> 20} MiB: {counts}; largest hole {requests.largest} px; {peak}")
    print(f"  {budget[0] if budget else ''}")
    for failure in requests.failures[:5]:
        print(f"  FAILED: {failure}")
    print(f"  {'KILLED' if killed else 'not killed'}", flush=True)
    return not killed and not requests.failures


def prices(sides: list[int]) -> None:
    """Print the memory that single requests use."""
    print("| crop | hole | bits x channels | candidates | smooth | used | estimated | s |")
    print("|---|---|---|---|---|---|---|---|")
    shapes = [(8, 3, 1, False), (8, 3, 4, True), (16, 4, 4, False)]
    for case in (Case(min(side + 192, 8192), side, *shape) for side in sides for shape in shapes):
        with (
            tempfile.TemporaryDirectory(prefix="inpaint-memory-") as name,
            served(Path(name), None, 0, "portrait") as daemon,
            BlockingClient(partial(getattr, daemon, "endpoint")) as client,
        ):
            while not client.is_serving():
                time.sleep(0.1)
            time.sleep(3)
            before = _status(daemon.process.pid, "VmRSS:")
            Path(f"/proc/{daemon.process.pid}/clear_refs").write_text("5")
            began = time.monotonic()
            for _ in client.fill(job(case)):
                pass
            seconds = time.monotonic() - began
            took = _status(daemon.process.pid, "VmHWM:") - before
        print(
            f"| {case.side} | {case.hole} | {case.bits} x {case.channels} | {case.candidates} | "
            f"{'yes' if case.smooth else 'no'} | {took >> 20} MiB | {case.price >> 20} MiB | "
            f"{seconds:.0f} |",
            flush=True,
        )


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    raise ValueError(f"process {pid} has no {name}")


def main() -> int:
    """Run the command and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--limits",
        type=int,
        nargs="+",
        default=[2048, 6144],
        help="memory limits in MiB (default: 2048 6144)",
    )
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="duration for each limit (default: 10)"
    )
    parser.add_argument("--clients", type=int, default=3, help="number of clients (default: 3)")
    parser.add_argument(
        "--model", default="portrait", help="name or folder of a bundle (default: portrait)"
    )
    parser.add_argument(
        "--ulimit", action="store_true", help="use `ulimit -d` instead of a control group"
    )
    parser.add_argument(
        "--price", action="store_true", help="print the memory that single requests use"
    )
    parser.add_argument(
        "--sides",
        type=int,
        nargs="+",
        default=[1000, 2000, 4000, 8000],
        help="sides of holes in px, with --price (default: 1000 2000 4000 8000)",
    )
    options = parser.parse_args()
    if options.price:
        prices(options.sides)
        return 0
    good = [
        soak(limit * MIB, options.minutes, options.clients, options.model, ulimit=options.ulimit)
        for limit in options.limits
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
