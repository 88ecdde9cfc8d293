"""How fairly the daemon serves many clients at once: `python -m benchmarks.stress` (`make stress`).

The daemon runs on this machine's loopback; each client has its own connection and fills one small
hole after the other. For each number of clients the table contains fills per second, the time to
the first candidate, Jain's index of fairness over the candidates of each client (1: all equal; 1 /
N: one got everything), the daemon's CPU time per fill, its peak memory, and the number of errors.
Then come the cases in which a client might have to wait for long:

- edit, alone: a slider that moves all the time, and no other client;
- fill beside two sliders: the same with two sliders, and a third client that fills;
- fill beside a flood: one request of 64 seeds with 64 variants each, and another client that fills;
- edit beside a flood: the same request, and a slider.

With `--against FOLDER` this daemon is compared with the daemon of another checkout (with its
generated protobuf code). Their runs alternate, so that other work on the machine affects both
equally:

    git worktree add ../before v0.1.0
    python -m benchmarks.stress --against ../before --clients 1 8 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from inpaint_client import (
    Box,
    Candidate,
    Capture,
    EditJob,
    Endpoint,
    Extent,
    FillJob,
    InpaintError,
    Picture,
    parse_endpoint,
)
from inpaint_client.client import Client
from inpaint_client.discovery import read_runtime_file
from inpaint_client.errors import ResourceExhaustedError
from inpaint_client.events import Accepted

HERE = Path(__file__).resolve().parents[1]
SIDE, HOLE = 256, 80
RETRY_S = 0.25  # between retries when the queue is full
FLOOD = 64  # seeds, and variants of each
STEP_S = 1.0  # between the starts of a case's clients


@dataclass
class Daemon:
    """A running daemon of one checkout."""

    name: str
    endpoint: Endpoint
    pid: int

    def forget_peak(self) -> None:
        """Reset the peak of its memory."""
        with suppress(OSError):
            Path(f"/proc/{self.pid}/clear_refs").write_text("5", "ascii")

    def processor_s(self) -> float:
        """Return the CPU time since its start, in s; NaN where the system does not report it."""
        with suppress(OSError):
            fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return float("nan")

    def peak_mib(self) -> float:
        """Return the peak memory since the last reset; NaN where the system does not report it."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text("ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return float("nan")


@contextmanager
def running(name: str, checkout: Path, options: argparse.Namespace) -> Iterator[Daemon]:
    """Run a daemon with a checkout's own code."""
    packages = [checkout / part for part in ("model", "server", "protos")]
    with tempfile.TemporaryDirectory(prefix="inpaint-stress-") as folder:
        process = subprocess.Popen(  # noqa: S603 (our own daemon)
            [sys.executable, "-m", "inpaint_server", "--device", options.device]
            + (["--model", options.model] if options.model else []),
            cwd=folder,
            env={
                **os.environ,
                "XDG_RUNTIME_DIR": folder,
                "PYTHONPATH": os.pathsep.join(map(str, packages)),
            },
            stderr=subprocess.DEVNULL,
        )
        try:
            while (runtime := read_runtime_file(Path(folder, "inpaint/server.json"))) is None:
                if process.poll() is not None:
                    raise SystemExit(f"the daemon of {checkout} did not start")
                time.sleep(0.1)
            yield Daemon(name, parse_endpoint(runtime.address, runtime.token), process.pid)
        finally:
            process.terminate()
            process.wait()


def make_job(seeds: Sequence[int], variants: int = 0, direction: str = "") -> FillJob:
    """Build a fill of a small hole in noise."""
    margin = (SIDE - HOLE) // 2
    row = bytes(margin) + b"\xff" * HOLE + bytes(SIDE - margin - HOLE)
    hole = bytes(margin * SIDE) + row * HOLE + bytes((SIDE - margin - HOLE) * SIDE)
    return FillJob(
        capture=Capture(
            crop=Picture(SIDE, SIDE, 3, random.Random(0).randbytes(SIDE * SIDE * 3)),  # noqa: S311
            hole=Picture(SIDE, SIDE, 1, hole),
            crop_box=Box(0, 0, SIDE, SIDE),
            document=Extent(SIDE, SIDE),
        ),
        seeds=tuple(seeds),
        variants=tuple({direction: k / variants} if direction else {} for k in range(variants)),
    )


@dataclass
class Artist:
    """The results of one client."""

    candidates: int = 0
    fills: list[float] = field(default_factory=list)  # seconds from the call to the end
    firsts: list[float] = field(default_factory=list)  # seconds from the call to a candidate
    edits: list[float] = field(default_factory=list)  # seconds each
    refused: int = 0  # number of times that the queue was full
    errors: list[str] = field(default_factory=list)

    async def fill(self, client: Client, job: FillJob) -> None:
        """Fill once, retrying while the queue is full."""
        began = time.monotonic()
        while True:
            first = True
            try:
                async for event in client.fill(job):
                    if isinstance(event, Candidate):
                        self.candidates += 1
                        if first:
                            self.firsts.append(time.monotonic() - began)
                        first = False
                self.fills.append(time.monotonic() - began)
            except ResourceExhaustedError:
                self.refused += 1
                await asyncio.sleep(random.uniform(0.5, 1.5) * RETRY_S)  # noqa: S311
                continue
            except InpaintError as error:
                self.errors.append(f"{type(error).__name__}: {error}")
            return

    async def slide(self, client: Client, session: str, direction: str) -> None:
        """Edit continuously."""
        for k in count():
            began = time.monotonic()
            edits = {direction: 0.1 * (k % 8 + 1)} if direction else {}
            try:
                async for _ in client.edit(EditJob(session_id=session, edits=edits)):
                    pass
            except InpaintError as error:
                self.errors.append(f"{type(error).__name__}: {error}")
                return
            self.edits.append(time.monotonic() - began)


@asynccontextmanager
async def connected(daemon: Daemon, clients: int) -> AsyncIterator[list[Client]]:
    """Connect `clients` clients, each with its own connection."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                Client(daemon.endpoint, connect_timeout_s=30.0, name=f"client {k}")
            )
            for k in range(clients)
        ]


async def for_a_while(seconds: float, *work: Coroutine[object, object, None]) -> None:
    """Run `work` for `seconds`, then cancel it."""
    tasks = {asyncio.create_task(some) for some in work}
    _, pending = await asyncio.wait(tasks, timeout=seconds)
    while pending:  # a cancellation can get lost (asyncio.wait_for in Python 3.11)
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def begun(client: Client) -> str:
    """Fill once and return the session."""
    session = ""
    async for event in client.fill(make_job([1])):
        if isinstance(event, Accepted):
            session = event.session_id
    return session


# -- Equal load from N clients ---------------------------------------------------------------------


@dataclass
class Load:
    """The results of N clients."""

    seconds: float
    artists: list[Artist]
    peak_mib: float
    processor_s: float  # of the daemon


async def load(daemon: Daemon, clients: int, options: argparse.Namespace) -> Load:
    """Run N clients that fill continuously."""
    artists = [Artist() for _ in range(clients)]
    seconds = max(options.seconds, options.least * clients)

    async def work(artist: Artist, client: Client, number: int) -> None:
        for k in count():
            first = number * 1000 + k * options.candidates
            await artist.fill(client, make_job(range(first, first + options.candidates)))

    async with connected(daemon, clients) as each:
        daemon.forget_peak()
        worked = daemon.processor_s()
        pairs = enumerate(zip(artists, each, strict=True))
        await for_a_while(seconds, *(work(artist, client, k) for k, (artist, client) in pairs))
    return Load(seconds, artists, daemon.peak_mib(), daemon.processor_s() - worked)


def jain(shares: Sequence[float]) -> float:
    """Return Jain's index: 1 if all have the same, 1 / N if one has everything."""
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else float("nan")


def row(clients: int, name: str, loads: Sequence[Load], candidates: int) -> str:
    """Return one line of the table, for all rounds together."""
    firsts = [first for load in loads for artist in load.artists for first in artist.firsts]
    given = [sum(artist.candidates for artist in load.artists) / load.seconds for load in loads]
    index = statistics.median(jain([a.candidates for a in load.artists]) for load in loads)
    unanswered = sum(not artist.firsts for load in loads for artist in load.artists)
    refused = sum(artist.refused for load in loads for artist in load.artists)
    errors = [error for load in loads for artist in load.artists for error in artist.errors]
    peak = max(load.peak_mib for load in loads)
    speed = statistics.median(given) / candidates
    fills = sum(given) / candidates
    cpu_s = sum(load.processor_s / load.seconds for load in loads) / fills if fills else 0.0
    return (
        f"| {clients} | {name} | {speed:.2f} | {_three(firsts)} | {index:.3f} "
        f"| {cpu_s:.2f} | {peak:.0f} | {len(errors)} | {refused} | {unanswered} |"
    )


def _three(seconds: Sequence[float]) -> str:
    """Format the 50th, 95th and 99th percentile, in s."""
    if len(seconds) < 2:
        return " | ".join([f"{seconds[0]:.2f}" if seconds else ""] * 3)
    parts = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"{parts[49]:.2f} | {parts[94]:.2f} | {parts[98]:.2f}"


# -- Cases -----------------------------------------------------------------------------------------


async def edit_alone(daemon: Daemon, seconds: float, direction: str) -> list[Artist]:
    """Run a slider and no other client."""
    slider = Artist()
    async with connected(daemon, 1) as (client,):
        await for_a_while(seconds, slider.slide(client, await begun(client), direction))
    return [slider]


async def fill_beside_sliders(daemon: Daemon, seconds: float, direction: str) -> list[Artist]:
    """Run two sliders, and a client that fills."""
    sliders, filler = [Artist(), Artist()], Artist()
    async with connected(daemon, 3) as (one, other, third):
        sessions = [await begun(one), await begun(other)]
        await for_a_while(
            seconds,
            sliders[0].slide(one, sessions[0], direction),
            sliders[1].slide(other, sessions[1], direction),
            _fill_later(filler, third),
        )
    return [*sliders, filler]


async def fill_beside_flood(daemon: Daemon, seconds: float, direction: str) -> list[Artist]:
    """Run a request with very many candidates, and a client that fills."""
    flood, filler = Artist(), Artist()
    async with connected(daemon, 2) as (one, other):
        job = make_job(range(FLOOD), FLOOD, direction)
        await for_a_while(seconds, flood.fill(one, job), _fill_later(filler, other))
    return [flood, filler]


async def edit_beside_flood(daemon: Daemon, seconds: float, direction: str) -> list[Artist]:
    """Run a request with very many candidates, and a slider."""
    flood, slider = Artist(), Artist()
    async with connected(daemon, 2) as (one, other):
        session = await begun(other)
        job = make_job(range(FLOOD), FLOOD, direction)

        async def later() -> None:
            await asyncio.sleep(STEP_S)
            await slider.slide(other, session, direction)

        await for_a_while(seconds, flood.fill(one, job), later())
    return [flood, slider]


async def _fill_later(artist: Artist, client: Client) -> None:
    await asyncio.sleep(STEP_S)
    for k in count():
        await artist.fill(client, make_job(range(4 * k, 4 * k + 4)))


CASES: dict[str, Callable[[Daemon, float, str], Awaitable[list[Artist]]]] = {
    "edit, alone": edit_alone,
    "fill beside two sliders": fill_beside_sliders,
    "fill beside a flood": fill_beside_flood,
    "edit beside a flood": edit_beside_flood,
}


def case_row(case: str, name: str, rounds: Sequence[Sequence[Artist]], seconds: float) -> str:
    """Return one line of the table of cases, for all rounds together."""
    artists = [artist for one in rounds for artist in one]
    fillers = [one[-1] for one in rounds if case.startswith("fill")]
    whole = [took for filler in fillers for took in filler.fills]
    first = [took for filler in fillers for took in filler.firsts]
    edits = [took for artist in artists for took in artist.edits]
    errors = sum(len(artist.errors) for artist in artists)
    never = f"none in {seconds - STEP_S:.0f} s"
    cells = [
        (f"{statistics.median(first):.2f}" if first else never) if fillers else "",
        (f"{statistics.median(whole):.2f}" if whole else never) if fillers else "",
        f"{len(whole)}" if fillers else "",
        f"{1000 * statistics.median(edits):.0f}" if edits else "",
        f"{1000 * statistics.quantiles(edits, n=20)[18]:.0f}" if len(edits) > 1 else "",
        f"{len(edits) / len(rounds) / seconds:.1f}" if edits else "",
        f"{errors}",
    ]
    return f"| {case} | {name} | " + " | ".join(cells) + " |"


# -- The command -----------------------------------------------------------------------------------


async def measure(daemons: Sequence[Daemon], options: argparse.Namespace) -> None:
    """Print both tables."""
    for daemon in daemons:
        async with connected(daemon, 1) as (client,):
            while not await client.is_serving(timeout_s=60.0):
                await asyncio.sleep(0.2)
            for _ in range(2):
                await begun(client)
            info = await client.info()
    directions = info.models[0].directions
    direction = directions[0].name if directions else ""
    turns = [random.sample(daemons, len(daemons)) for _ in range(options.rounds)]
    if options.clients:
        print(
            "| clients | daemon | fills/s | first p50, s | p95 | p99 | Jain "
            "| CPU s/fill | peak, MiB | errors | refusals | unanswered |\n" + 12 * "|---" + "|",
            flush=True,
        )
    for clients in options.clients:
        loads: dict[str, list[Load]] = {daemon.name: [] for daemon in daemons}
        for turn in turns:
            for daemon in turn:
                loads[daemon.name].append(await load(daemon, clients, options))
        for name, taken in loads.items():
            print(row(clients, name, taken, options.candidates), flush=True)
    if options.cases:
        print(
            "\n| case | daemon | fill: first, s | all four, s | fills | edit p50, ms | p95 "
            "| edits/s | errors |\n|---|---|---|---|---|---|---|---|---|",
            flush=True,
        )
    for case in options.cases:
        rounds: dict[str, list[list[Artist]]] = {daemon.name: [] for daemon in daemons}
        for turn in turns:
            for daemon in turn:
                given = await CASES[case](daemon, options.case_seconds, direction)
                rounds[daemon.name].append(given)
                await asyncio.sleep(1.0)  # until the current step of a cancelled request ends
        for name, all_rounds in rounds.items():
            print(case_row(case, name, all_rounds, options.case_seconds), flush=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--against", type=Path, metavar="FOLDER", help="another checkout to compare with"
    )
    parser.add_argument(
        "--clients",
        type=int,
        nargs="*",
        default=[1, 2, 4, 8, 16, 64],
        help="numbers of clients to test (default: 1 2 4 8 16 64)",
    )
    parser.add_argument(
        "--candidates", type=int, default=2, help="candidates of each fill (default: 2)"
    )
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="minimum duration of each run (default: 8)"
    )
    parser.add_argument(
        "--least",
        type=float,
        default=0.4,
        help="minimum duration of each run per client, in seconds (default: 0.4)",
    )
    parser.add_argument(
        "--cases", nargs="*", choices=CASES, default=list(CASES), help="cases to run (default: all)"
    )
    parser.add_argument(
        "--case-seconds", type=float, default=15.0, help="duration of each case (default: 15)"
    )
    parser.add_argument("--rounds", type=int, default=1, help="number of rounds (default: 1)")
    parser.add_argument(
        "--model", default="", help="name or folder of a bundle (default: the daemon's)"
    )
    parser.add_argument("--device", default="auto", help="device of the daemon (default: auto)")
    options = parser.parse_args()
    with ExitStack() as stack:
        daemons = [stack.enter_context(running("this", HERE, options))]
        if options.against:
            other = options.against.resolve()
            daemons.insert(0, stack.enter_context(running("before", other, options)))
        asyncio.run(measure(daemons, options))


if __name__ == "__main__":
    main()
