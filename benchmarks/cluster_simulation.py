"""Simulate a cluster with up to 512 devices: `python -m benchmarks.cluster_simulation`.

Artists think, fill four candidates, and then move sliders; the simulation (SimPy, discrete events)
follows each request through a front to a replica and through the steps on its device. The order of
the steps is decided by the daemon's own `Shares`. How long each part takes comes from
service_times.yaml, which names its sources; what a front costs comes from `benchmarks.cluster`.

Fronts:

- `own`: every artist has the address of one daemon;
- `envoy`: consistent hashing of each fill with bounded load, and edits go where the fill went;
- `ray`: the less busy one of two replicas, and edits go to the replica of the session; one daemon
  with one core for Python passes everything on;
- `least`: the least busy replica, an ideal.

The load is the demand of all artists for devices, if none of them ever waited, as a share of what
the devices can do. docs/research/cluster-simulation.md has the results.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import simpy
import yaml
from inpaint_server.scheduling.shares import Priority, Shares
from tqdm import tqdm

FrontKind = Literal["own", "envoy", "ray", "least"]
FRONTS: tuple[FrontKind, ...] = ("own", "envoy", "ray", "least")
Process = Generator[simpy.Event, Any, None]

CANDIDATES = 4
THINK_S = 20.0  # mean pause between the edits of one fill and the next fill
EDITS = 8  # mean number of edits after a fill, geometric
HAND_S = 0.15  # between the answer to an edit and the next position of the slider
SPREAD = 0.15  # standard deviation of the logarithm of a step's time
HASH_BALANCE = 1.25  # Envoy's hash_balance_factor
FILL_MB, EDIT_MB, ANSWER_MB = 4.2, 0.001, 0.3  # sent for a fill, for an edit; one candidate
WARM_UP, WARM_UP_S = 0.2, 4.0  # share of the time that is not counted, at least so many seconds
SHORTEST_S = 10.0  # of a simulation


@dataclass(frozen=True)
class ServiceTimes:
    """Times of the parts of a request on one kind of device, in seconds."""

    encode: float
    render: dict[int, float]  # by the number of candidates in a batch
    edit: float
    host: float  # of a fill, on the CPU next to the device
    host_per_candidate: float
    host_threads: int
    largest_batch: int

    @property
    def fill_s(self) -> float:
        """Time of the device for a fill without batches of several fills."""
        rest = CANDIDATES - 1
        size = min(self.largest_batch, max(s for s in self.render if s <= max(rest, 1)))
        return self.encode + self.render[1] + math.ceil(rest / size) * self.render[size]

    @property
    def bottleneck_s(self) -> float:
        """Time that a cycle (a fill and its edits) takes of whatever is busiest in a replica."""
        device = self.fill_s + EDITS * self.edit
        host = self.host + (CANDIDATES + EDITS) * self.host_per_candidate
        return max(device, host / self.host_threads)


def service_times(name: str) -> ServiceTimes:
    """Read a row of service_times.yaml."""
    path = Path(__file__).with_name("service_times.yaml")
    row = yaml.safe_load(path.read_text("utf-8"))[name]
    return ServiceTimes(
        encode=row["encode"] / 1000,
        render={int(size): ms / 1000 for size, ms in row["render"].items()},
        edit=row["edit"] / 1000,
        host=row["host"] / 1000,
        host_per_candidate=row["host_per_candidate"] / 1000,
        host_threads=row["host_threads"],
        largest_batch=row["largest_batch"],
    )


@dataclass(eq=False)
class Work:
    """A request on a replica, as `Shares` sees it."""

    client: int
    priority: Priority
    arrival: int
    steps: list[tuple[float, int]]  # seconds and candidates of each step
    finished: simpy.Event
    arrived: float
    started: float | None = None
    first: float | None = None  # when the first candidate was made
    results: list[simpy.Event] = field(default_factory=list)


class Replica:
    """A device with its queue, and the host threads that composite what it makes."""

    def __init__(self, env: simpy.Environment, times: ServiceTimes, rng: random.Random) -> None:
        self._env, self._times, self._rng = env, times, rng
        self._shares = Shares()
        self._waiting: list[Work] = []
        self._wake = env.event()
        self._host = simpy.Resource(env, times.host_threads)
        self._arrivals = 0
        self.ongoing = 0
        self.busy_s = 0.0
        env.process(self._run())

    def submit(self, client: int, priority: Priority, steps: Sequence[tuple[float, int]]) -> Work:
        """Queue a request and return it; its `finished` event ends it."""
        self._arrivals += 1
        work = Work(client, priority, self._arrivals, list(steps), self._env.event(), self._env.now)
        self._waiting.append(work)
        if not self._wake.triggered:
            self._wake.succeed()
        return work

    def _run(self) -> Process:
        while True:
            while not self._waiting:
                self._wake = self._env.event()
                yield self._wake
            work = self._shares.choose(self._waiting)
            self._waiting.remove(work)
            seconds, candidates = work.steps.pop(0)
            seconds *= self._rng.lognormvariate(-(SPREAD**2) / 2, SPREAD)
            if work.started is None:
                work.started = self._env.now
            expected = self._shares.begin(work.client)
            yield self._env.timeout(seconds)
            self._shares.end(work.client, expected, seconds)
            self.busy_s += seconds
            if candidates:
                work.results.append(self._env.process(self._composite(work, candidates)))
            if work.steps:
                self._waiting.append(work)
            else:
                self._env.process(self._end(work))

    def _composite(self, work: Work, candidates: int) -> Process:
        for _ in range(candidates):
            with self._host.request() as turn:
                yield turn
                yield self._env.timeout(self._times.host_per_candidate)
            if work.first is None:
                work.first = self._env.now

    def _end(self, work: Work) -> Process:
        yield simpy.AllOf(self._env, work.results)
        work.finished.succeed()

    def prepare(self) -> Process:
        """Do the host's part of a fill before its first step."""
        with self._host.request() as turn:
            yield turn
            yield self._env.timeout(self._times.host)


@dataclass
class Measured:
    """What artists saw after the warm-up."""

    queue_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    edit_s: list[float] = field(default_factory=list)
    fills: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    seconds: float = 0.0
    front_busy: float = 0.0
    device_busy: float = 0.0


@dataclass(frozen=True)
class FrontCost:
    """CPU time of one front."""

    cores: int
    s_per_request: float
    s_per_mb: float


class Cluster:
    """Replicas behind a front, with artists."""

    def __init__(
        self,
        kind: FrontKind,
        replicas: int,
        times: ServiceTimes,
        cost: FrontCost | None,
        seed: int,
        fronts: int = 1,
    ) -> None:
        self.env = simpy.Environment()
        self.measured = Measured()
        self._kind, self._times, self._cost = kind, times, cost
        self._rng = random.Random(seed)  # noqa: S311 (a simulation)
        self.replicas = [Replica(self.env, times, self._rng) for _ in range(replicas)]
        self._front = simpy.Resource(self.env, fronts * cost.cores) if cost else None
        self._from = 0.0

    def run(self, artists: int, seconds: float) -> Measured:
        """Let so many artists work for so long; return what they saw after the warm-up."""
        self._from = max(WARM_UP * seconds, min(WARM_UP_S, seconds / 2))
        for number in range(artists):
            self.env.process(self._artist(number))
        self.env.run(self._from)
        busy = sum(replica.busy_s for replica in self.replicas)
        front = self.measured.front_busy
        self.env.run(seconds)
        measured = self.measured
        measured.seconds = seconds - self._from
        worked = sum(replica.busy_s for replica in self.replicas) - busy
        measured.device_busy = worked / (measured.seconds * len(self.replicas))
        if self._front is not None:
            available = measured.seconds * self._front.capacity
            measured.front_busy = (measured.front_busy - front) / available
        return measured

    def _artist(self, number: int) -> Process:
        own = self._rng.choice(self.replicas)
        yield self.env.timeout(self._rng.expovariate(1 / THINK_S))  # in the middle of a pause
        while True:
            replica = self._choose(own)
            yield from self._fill(number, replica)
            while self._rng.random() > 1 / (EDITS + 1):
                yield self.env.timeout(HAND_S)
                yield from self._edit(number, replica)
            yield self.env.timeout(self._rng.expovariate(1 / THINK_S))

    def _choose(self, own: Replica) -> Replica:
        if self._kind == "own":
            return own
        if self._kind == "least":
            return min(self.replicas, key=lambda each: each.ongoing)
        if self._kind == "ray":
            two = self._rng.sample(self.replicas, min(2, len(self.replicas)))
            return min(two, key=lambda each: each.ongoing)
        mean = (sum(each.ongoing for each in self.replicas) + 1) / len(self.replicas)
        most = math.ceil(HASH_BALANCE * mean)
        first = self._rng.randrange(len(self.replicas))
        ring = self.replicas[first:] + self.replicas[:first]
        return next((each for each in ring if each.ongoing < most), ring[0])

    def _fill(self, number: int, replica: Replica) -> Process:
        began = self.env.now
        replica.ongoing += 1
        yield from self._pass_on(FILL_MB)
        yield from replica.prepare()
        work = replica.submit(number, Priority.FILL, list(self._steps()))
        yield work.finished
        yield from self._pass_on(CANDIDATES * ANSWER_MB)
        replica.ongoing -= 1
        if began >= self._from:
            assert work.started is not None
            assert work.first is not None
            self.measured.queue_s.append(work.started - work.arrived)
            self.measured.first_s.append(work.first - began)
            self.measured.fills[number] += 1

    def _steps(self) -> Iterator[tuple[float, int]]:
        yield self._times.encode, 0
        yield self._times.render[1], 1
        left = CANDIDATES - 1
        while left:
            fits = min(left, self._times.largest_batch)
            size = max(size for size in self._times.render if size <= fits)
            yield self._times.render[size], size
            left -= size

    def _edit(self, number: int, replica: Replica) -> Process:
        began = self.env.now
        replica.ongoing += 1
        yield from self._pass_on(EDIT_MB)
        work = replica.submit(number, Priority.EDIT, [(self._times.edit, 1)])
        yield work.finished
        yield from self._pass_on(ANSWER_MB)
        replica.ongoing -= 1
        if began >= self._from:
            self.measured.edit_s.append(self.env.now - began)

    def _pass_on(self, megabytes: float) -> Process:
        """Pass a message through the front; a request is charged half with each direction."""
        if self._front is None or self._cost is None:
            return
        seconds = self._cost.s_per_request / 2 + self._cost.s_per_mb * megabytes
        with self._front.request() as turn:
            yield turn
            yield self.env.timeout(seconds)
        self.measured.front_busy += seconds


def artists_for(load: float, replicas: int, times: ServiceTimes) -> int:
    """Return how many artists demand a share of what the replicas can do, if nobody waits."""
    cycle_s = THINK_S + times.fill_s + EDITS * (HAND_S + times.edit)
    return max(1, round(load * replicas * cycle_s / times.bottleneck_s))


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile; NaN without values."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else math.nan


def jain(counts: Sequence[int]) -> float:
    """Return Jain's index of fairness."""
    return sum(counts) ** 2 / (len(counts) * sum(c * c for c in counts)) if any(counts) else 0.0


def costs(path: Path) -> dict[FrontKind, FrontCost | None]:
    """Return what each front costs, from the JSON file of measurements."""
    measured = json.loads(path.read_text("utf-8"))
    return {
        "own": None,
        "least": None,
        "envoy": FrontCost(4, measured["envoy"]["s_per_request"], measured["envoy"]["s_per_mb"]),
        "ray": FrontCost(1, measured["ray"]["s_per_request"], measured["ray"]["s_per_mb"]),
    }


def simulate(
    kind: FrontKind,
    replicas: int,
    load: float,
    times: ServiceTimes,
    cost: FrontCost | None,
    *,
    fills: int,
    seeds: int,
    fronts: int = 1,
) -> dict[str, Any]:
    """Return the figures of a case, with the half-range over the seeds of the most important."""
    artists = artists_for(load, replicas, times)
    cycle_s = THINK_S + times.fill_s + EDITS * (HAND_S + times.edit)
    seconds = min(max(fills * cycle_s / artists, SHORTEST_S), 40 * cycle_s)
    runs = [
        Cluster(kind, replicas, times, cost, seed, fronts).run(artists, seconds)
        for seed in range(seeds)
    ]
    firsts = [percentile(run.first_s, 0.95) for run in runs]
    return {
        "front": kind,
        "replicas": replicas,
        "load": load,
        "artists": artists,
        "fills_per_s": round(statistics.mean(len(run.first_s) / run.seconds for run in runs), 2),
        "queue_p50_s": round(statistics.mean(percentile(run.queue_s, 0.5) for run in runs), 3),
        "queue_p95_s": round(statistics.mean(percentile(run.queue_s, 0.95) for run in runs), 3),
        "first_p50_s": round(statistics.mean(percentile(run.first_s, 0.5) for run in runs), 3),
        "first_p95_s": round(statistics.mean(firsts), 3),
        "first_p95_range": round((max(firsts) - min(firsts)) / 2, 3),
        "edit_p95_s": round(statistics.mean(percentile(run.edit_s, 0.95) for run in runs), 3),
        "jain": round(statistics.mean(jain(list(run.fills.values())) for run in runs), 3),
        "device_busy": round(statistics.mean(run.device_busy for run in runs), 2),
        "front_busy": round(statistics.mean(run.front_busy for run in runs), 2),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    keys = list(rows[0])
    lines = [keys, ["---"] * len(keys), *([str(row[key]) for key in keys] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate all cases and print the tables."""
    parser = argparse.ArgumentParser("benchmarks.cluster_simulation")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--costs", type=Path, default=Path(__file__).with_name("front_costs.json"))
    parser.add_argument("--devices", nargs="+", default=["cpu-core", "gpu-estimate"])
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 8, 64, 512])
    parser.add_argument("--loads", type=float, nargs="+", default=[0.3, 0.6, 0.8, 0.95])
    parser.add_argument("--fills", type=int, default=1200, help="fills of each run, about")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--price", type=float, default=1.0, help="of a GPU for an hour")
    parser.add_argument("--core-price", type=float, default=0.05, help="of a core for an hour")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    cost_of = costs(options.costs)
    prices = {"cpu-core": options.core_price, "gpu-estimate": options.price}
    rows: dict[str, list[dict[str, Any]]] = {}
    cases = [
        (device, replicas, load, kind)
        for device in options.devices
        for replicas in options.replicas
        for load in options.loads
        for kind in FRONTS
    ]
    for device, replicas, load, kind in tqdm(cases, unit="case"):
        row = simulate(
            kind, replicas, load, service_times(device), cost_of[kind],
            fills=options.fills, seeds=options.seeds,
        )  # fmt: skip
        rows.setdefault(device, []).append(row)
    parts = [f"## {device}\n\n{table(found)}\n" for device, found in rows.items()]
    for device in options.devices:
        found = list(thousand_artists(device, cost_of, prices[device], options.seeds))
        rows[f"{device}, a thousand artists"] = found
        parts.append(f"## {device}, a thousand artists\n\n{table(found)}\n")
    (options.out / "simulation.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    (options.out / "simulation.md").write_text("\n".join(parts), "utf-8")
    print("\n".join(parts))


def thousand_artists(
    device: str, cost_of: dict[FrontKind, FrontCost | None], price: float, seeds: int
) -> Iterator[dict[str, Any]]:
    """Yield how many replicas keep the promise for a thousand artists, and their cost.

    The promise: 95 of 100 first candidates arrive within 2 s, and 95 of 100 edits within 0.3 s.
    """
    times = service_times(device)
    for active in (100, 300, 600):
        for kind in ("envoy", "ray"):
            low, high = 0, 2
            while not _keeps_promise(kind, active, high, times, cost_of[kind], seeds):
                low, high = high, 2 * high
                if high > 4096:
                    break
            while high - low > max(1, high // 50):
                middle = (low + high) // 2
                kept = _keeps_promise(kind, active, middle, times, cost_of[kind], seeds)
                low, high = (low, middle) if kept else (middle, high)
            yield {
                "artists at work": active,
                "front": kind,
                "fronts": _fronts(kind, active, times, cost_of[kind]),
                "replicas": high if high <= 4096 else "more than 4096",
                "cost per hour": round(high * price, 2),
            }


def _keeps_promise(
    kind: FrontKind,
    artists: int,
    replicas: int,
    times: ServiceTimes,
    cost: FrontCost | None,
    seeds: int,
) -> bool:
    fronts = _fronts(kind, artists, times, cost)
    runs = [
        Cluster(kind, replicas, times, cost, seed, fronts).run(artists, 120.0)
        for seed in range(seeds)
    ]
    return all(
        percentile(run.first_s, 0.95) < 2.0 and percentile(run.edit_s, 0.95) < 0.3 for run in runs
    )


def _fronts(kind: FrontKind, artists: int, times: ServiceTimes, cost: FrontCost | None) -> int:
    """Return how many fronts are busy for at most half of the time."""
    if cost is None:
        return 0
    cycle_s = THINK_S + times.fill_s + EDITS * (HAND_S + times.edit)
    megabytes = FILL_MB + CANDIDATES * ANSWER_MB + EDITS * (EDIT_MB + ANSWER_MB)
    seconds = (1 + EDITS) * cost.s_per_request + megabytes * cost.s_per_mb
    return max(1, math.ceil(2 * artists * seconds / cycle_s / cost.cores))


if __name__ == "__main__":
    main()
