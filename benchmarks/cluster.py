"""Fill and edit while one worker is drained and one is killed: `python -m benchmarks.cluster`.

Several clients share 200 fills of four candidates and 200 edits, through one of

- `--through envoy`: Envoy in front of three daemons, set up as docs/guide/studio.md says;
- `--through ray`: the daemon in front of three replicas of Ray Serve;
- `--through direct`: a single daemon, without anything being stopped, to compare with.

After a third of the fills, one worker is drained (the daemon gets SIGTERM; the replicas of Ray are
replaced because of a changed setting), and after two thirds, one is killed with SIGKILL. Every
candidate is compared with the one that a single daemon makes of the same seed. The table contains
the requests that were lost, how the others were recovered, and the times before, during and after.
Then the front alone is measured with the tiny model: the CPU time of the front for each fill and
each MB.

It needs `make test-cluster`'s packages. The figures are in docs/reference/cluster.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

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
    Picture,
    RecipeSource,
    parse_endpoint,
)
from inpaint_client.discovery import read_runtime_file
from inpaint_client.events import Accepted, Resumed

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support")]

WORKERS = 3
CLUSTER = {"RAY_AUTH_TOKEN": "a-token-of-the-cluster-of-this-benchmark"}


class Front(Protocol):
    """What clients talk to, and what is behind it."""

    endpoint: Endpoint

    def drain(self) -> None:
        """Stop a worker after its running requests."""

    def kill(self) -> None:
        """Kill a worker."""

    def processor_s(self) -> float:
        """Return the CPU time of what is in front of the workers, in seconds."""


def processor_s(pid: int) -> float:
    """Return the CPU time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def daemon(
    folder: Path, *arguments: str, config: str = "", environment: dict[str, str] | None = None
) -> Iterator[tuple[Endpoint, subprocess.Popen[bytes], Path]]:
    """Run a daemon; yield its address, its process and its log."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.yaml").write_text(config or "{}", "utf-8")
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own daemon)
            [
                *(sys.executable, "-m", "inpaint_server", "--device", "cpu"),
                *("--config", str(folder / "server.yaml"), *arguments),
            ],
            env={**os.environ, "XDG_RUNTIME_DIR": str(folder), **(environment or {})},
            stderr=output,
        )
    try:
        while (runtime := read_runtime_file(folder / "inpaint/server.json")) is None:
            if process.poll() is not None:
                raise SystemExit(f"the daemon did not start: {log.read_text('utf-8')}")
            time.sleep(0.1)
        endpoint = parse_endpoint(runtime.address, runtime.token)
        with BlockingClient(lambda: endpoint) as client:
            while not client.is_serving():
                time.sleep(0.2)
        yield endpoint, process, log
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.wait()


class Direct:
    """A single daemon."""

    def __init__(self, endpoint: Endpoint, process: subprocess.Popen[bytes]) -> None:
        self.endpoint = endpoint
        self._process = process

    def drain(self) -> None:
        """Do nothing."""

    def kill(self) -> None:
        """Do nothing."""

    def processor_s(self) -> float:
        """Return the CPU time of the daemon."""
        return processor_s(self._process.pid)


class Replicas:
    """A daemon in front of replicas of Ray Serve."""

    def __init__(
        self,
        endpoint: Endpoint,
        process: subprocess.Popen[bytes],
        log: Path,
        model: Sequence[str],
        folder: Path,
    ) -> None:
        self.endpoint = endpoint
        self._process, self._log, self._model, self._folder = process, log, model, folder
        self._joining: threading.Thread | None = None

    def drain(self) -> None:
        """Join the cluster with another setting, so that all replicas are drained in turn."""
        found = re.search(r"ray_address=(\S+)", self._log.read_text("utf-8"))
        assert found

        def join() -> None:
            with daemon(
                self._folder / "second",
                *("--ray", found[1]),
                *self._model,
                config=ray_settings(max_seeds=65),
                environment=CLUSTER,
            ):
                pass

        self._joining = threading.Thread(target=join)
        self._joining.start()

    def wait(self) -> None:
        """Wait until the replicas are replaced, if that was begun."""
        if self._joining is not None:
            self._joining.join()

    def kill(self) -> None:
        """Kill the replica that was started last."""
        os.kill(max(replica_processes()), signal.SIGKILL)

    def processor_s(self) -> float:
        """Return the CPU time of the daemon, which passes the requests on."""
        return processor_s(self._process.pid)


def ray_settings(max_seeds: int = 64) -> str:
    """Return the settings of the daemon in front of the replicas."""
    return (
        f"ray: {{min_replicas: {WORKERS}, max_replicas: {WORKERS}, cpus_per_replica: 0.5}}\n"
        f"limits: {{max_seeds: {max_seeds}}}\n"
    )


def replica_processes() -> list[int]:
    """Return the processes of the replicas."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and "ServeReplica:inpaint" in (folder / "cmdline").read_text():
                found.append(int(folder.name))
    return found


class Balanced:
    """Envoy in front of daemons."""

    def __init__(self, studio: Any) -> None:
        self.endpoint = studio.endpoint()
        self._studio = studio

    def drain(self) -> None:
        """Stop the first daemon with SIGTERM, and start it again, as in maintenance."""
        first = self._studio.daemons[0]
        first.drain()

        def again() -> None:
            first.process.wait()
            first.start(*self.arguments)

        threading.Thread(target=again).start()

    arguments: Sequence[str] = ()

    def kill(self) -> None:
        """Kill the second daemon."""
        self._studio.daemons[1].kill()

    def processor_s(self) -> float:
        """Return the CPU time of Envoy."""
        return processor_s(self._studio.envoy.process.pid)


@contextmanager
def running(through: str, model: Sequence[str], folder: Path) -> Iterator[Front]:
    """Run a front with its workers."""
    if through == "envoy":
        from cluster import studio

        folder.mkdir(parents=True, exist_ok=True)
        with studio(folder, WORKERS, arguments=model) as started:
            front = Balanced(started)
            front.arguments = model
            yield front
    elif through == "ray":
        settings = ray_settings()
        with daemon(folder, "--ray", *model, config=settings, environment=CLUSTER) as started:
            front_of_replicas = Replicas(*started, model, folder)
            while len(replica_processes()) < WORKERS:
                time.sleep(0.2)
            yield front_of_replicas
            front_of_replicas.wait()
    else:
        with daemon(folder, *model) as (endpoint, process, _):
            yield Direct(endpoint, process)


def make_job(seed: int, side: int, count: int = 4) -> FillJob:
    """Build a fill of a hole in noise; the noise depends on the side only."""
    hole = bytearray(side * side)
    size = min(side // 2, 256)
    left = (side - size) // 2
    for y in range(left, left + size):
        hole[y * side + left : y * side + left + size] = b"\xff" * size
    return FillJob(
        capture=Capture(
            crop=Picture(side, side, 3, random.Random(side).randbytes(side * side * 3)),  # noqa: S311
            hole=Picture(side, side, 1, bytes(hole)),
            crop_box=Box(0, 0, side, side),
            document=Extent(side, side),
        ),
        seeds=tuple(range(seed, seed + count)),
    )


@dataclass
class Results:
    """What the clients saw."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    fills: int = 0
    edits: int = 0
    firsts: list[tuple[int, float]] = field(default_factory=list)  # phase, seconds
    edit_s: list[tuple[int, float]] = field(default_factory=list)
    pixels: dict[tuple[str, int], bytes] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)


class Clients:
    """Clients that share a number of fills, each followed by an edit."""

    def __init__(self, front: Front, count: int, side: int, direction: str) -> None:
        self._front, self._count, self._side, self._direction = front, count, side, direction
        self._next = iter(range(count))
        self._phase = 0
        self.results = Results()

    def run(self, clients: int, *, stops_workers: bool) -> Results:
        """Run until all fills and edits are done."""
        threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for phase, stop in enumerate((self._front.drain, self._front.kill), 1):
            while stops_workers and self.results.fills < self._count * phase // 3:
                time.sleep(0.05)
                if not any(thread.is_alive() for thread in threads):
                    break
            if stops_workers:
                stop()
                self._phase = phase
        for thread in threads:
            thread.join()
        return self.results

    def _client(self) -> None:
        with BlockingClient(lambda: self._front.endpoint) as client:
            while True:
                with self.results.lock:
                    number = next(self._next, None)
                if number is None:
                    return
                try:
                    self._fill_and_edit(client, number)
                except InpaintError as error:
                    with self.results.lock:
                        self.results.events["lost"] += 1
                    print(f"lost: {type(error).__name__}: {error}", file=sys.stderr)

    def _fill_and_edit(self, client: BlockingClient, number: int) -> None:
        results, job = self.results, make_job(10 * number, self._side)
        phase, began, first = self._phase, time.monotonic(), None
        accepted, made = None, None
        for event in client.fill(job):
            if isinstance(event, Accepted):
                accepted = accepted or event
            elif isinstance(event, Resumed):
                results.events["fills resumed"] += 1
            elif isinstance(event, Candidate):
                first = first or time.monotonic() - began
                made = made or event
                results.pixels["fill", event.seed] = bytes(event.patches[0].fill.data)
        assert accepted is not None
        assert made is not None
        assert first is not None
        with results.lock:
            results.fills += 1
            results.firsts.append((phase, first))
        source = RecipeSource(recipe=made.recipe, attachment=made.attachment, capture=job.capture)
        edit = EditJob(
            session_id=accepted.session_id,
            routing_key=accepted.routing_key,
            source=source,
            index=made.index,
            edits={self._direction: 1.0},
        )
        phase, began = self._phase, time.monotonic()
        for event in client.edit(edit):
            if isinstance(event, Accepted) and event.session_id != accepted.session_id:
                results.events["edits by recipe"] += 1
            elif isinstance(event, Candidate):
                results.pixels["edit", made.seed] = bytes(event.patches[0].fill.data)
        with results.lock:
            results.edits += 1
            results.edit_s.append((phase, time.monotonic() - began))


def percentiles(values: Sequence[tuple[int, float]], phase: int) -> str:
    """Return the median and the 95th percentile of a phase, in milliseconds."""
    own = sorted(value for of, value in values if of == phase)
    if not own:
        return "-"
    return f"{1000 * statistics.median(own):.0f}, {1000 * own[int(0.95 * (len(own) - 1))]:.0f}"


def cost_of_front(front: Front, number: int, side: int) -> tuple[float, float]:
    """Return the CPU time of the front and the time of a fill of one candidate, in seconds."""
    with BlockingClient(lambda: front.endpoint) as client:
        list(client.fill(make_job(0, side, 1)))  # connect
        before, began = front.processor_s(), time.monotonic()
        for seed in range(number):
            list(client.fill(make_job(seed, side, 1)))
        return (front.processor_s() - before) / number, (time.monotonic() - began) / number


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser("benchmarks.cluster", description=__doc__.splitlines()[0])
    parser.add_argument("--through", choices=["envoy", "ray", "direct"], required=True)
    parser.add_argument("--fills", type=int, default=200)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--side", type=int, default=512, help="of the crops, px")
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--direction", default="hair_lightness")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    options = parser.parse_args(arguments)
    model = [word for name in options.model or ["portrait"] for word in ("--model", name)]
    figures: dict[str, Any] = {"through": options.through}
    with tempfile.TemporaryDirectory(prefix="inpaint-cluster-") as name:
        folder = Path(name)
        runs: dict[str, Results] = {}
        for through in ("direct", options.through):
            with running(through, model, folder / f"run-{through}") as front:
                clients = Clients(front, options.fills, options.side, options.direction)
                began = time.monotonic()
                runs[through] = clients.run(options.clients, stops_workers=through != "direct")
                seconds = time.monotonic() - began
            print(f"{through}: {options.fills} fills and edits in {seconds:.0f} s", flush=True)
            if through == options.through == "direct":
                break
        results, right = runs[options.through], runs["direct"].pixels
        differing = sum(results.pixels[key] != right[key] for key in right if key in results.pixels)
        figures |= {
            "fills": results.fills,
            "edits": results.edits,
            "lost": results.events["lost"],
            "fills_resumed": results.events["fills resumed"],
            "edits_by_recipe": results.events["edits by recipe"],
            "candidates_compared": len(results.pixels),
            "candidates_that_differ": differing,
            "seconds": round(seconds, 1),
        }
        for title, values in (("first_ms", results.firsts), ("edit_ms", results.edit_s)):
            figures[title] = {
                name: percentiles(values, phase)
                for phase, name in enumerate(("before", "during the drain", "after the kill"))
            }
        figures["front"] = {}
        for side in (256, 2048):
            with running(options.through, ["--model", "tiny"], folder / f"cost-{side}") as front:
                cpu_s, fill_s = cost_of_front(front, 40, side)
            megabytes = make_job(0, side, 1).capture.num_bytes / 1e6
            figures["front"][side] = {
                "cpu_ms": round(1000 * cpu_s, 2),
                "fill_ms": round(1000 * fill_s, 1),
                "mb_sent": round(megabytes, 2),
            }
    print(json.dumps(figures, indent=2))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
