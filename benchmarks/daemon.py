"""How much the daemon adds to the time of a fill, and how fast it responds.

    python -m benchmarks.daemon

A 512 px RGB hole in a 1024 px crop is filled with `--no-blend` and four candidates: in the process,
and through the socket with grpcio and with the pure-Python client. The three are interleaved in
random order, so that other work on the machine affects all of them equally. Their overhead is the
median of the differences within a round, with quartiles; if these are far apart, the machine was
busy, and the median means little. Two more numbers are more stable:

- outside: the time from the client's call to its first candidate, minus the time that the daemon
  itself counts from the start of the work to sending the first candidate. This is upload, checks,
  queue and the way back.
- CPU: the CPU time of a fill, of the daemon and its client together.

Then an edit in a cached session with blending is timed, and health checks under full load.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
from inpaint_client import (
    RAW,
    Accepted,
    Blending,
    BlockingClient,
    Box,
    Candidate,
    Capture,
    Done,
    EditJob,
    Endpoint,
    Extent,
    FillJob,
    Picture,
    parse_endpoint,
    seed_sequence,
    wire,
)
from inpaint_client.discovery import read_runtime_file
from inpaint_server.cli import SPIN_COUNT

os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)  # as in the daemon; must precede torch
from inpaint_model import DocumentInpainter
from inpaint_model.document import blending
from inpaint_model.inference.host_memory import keep_freed_memory
from inpaint_protos.secret import Secret
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc
from inpaint_server.models.device import choose_device, device_name
from inpaint_server.models.registry import BundleLoader, default_sources

CROP, HOLE, CANDIDATES = 1024, 512, 4
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Sample(NamedTuple):
    """Milliseconds of one fill."""

    first: float
    last: float
    processor: float
    outside: float  # time to the first candidate before and after the daemon's work


class Way(NamedTuple):
    """One way to get the same candidates."""

    name: str
    fill: Callable[[], Iterable[object]]  # yields each candidate, and Done if there is a daemon
    candidates: int = CANDIDATES


def make_job(side: int = HOLE) -> FillJob:
    """Build a fill of a square hole in noise."""
    rng = np.random.default_rng(0)
    hole = np.zeros((CROP, CROP), np.uint8)
    margin = (CROP - side) // 2
    hole[margin:-margin, margin:-margin] = 255
    return FillJob(
        capture=Capture(
            crop=Picture(CROP, CROP, 3, rng.integers(0, 256, (CROP, CROP, 3), np.uint8).tobytes()),
            hole=Picture(CROP, CROP, 1, hole.tobytes()),
            crop_box=Box(0, 0, CROP, CROP),
            document=Extent(CROP, CROP),
        ),
        seeds=seed_sequence(1, CANDIDATES),
        blending=RAW,
    )


def in_process(document: DocumentInpainter, job: FillJob) -> Iterator[object]:
    """Fill without a daemon."""
    pixels = np.frombuffer(job.capture.crop.data, np.uint8).reshape(CROP, CROP, 3)
    mask = np.frombuffer(job.capture.hole.data, np.uint8).reshape(CROP, CROP)
    session = document.open(pixels, mask, blending=blending.RAW)
    for fill in document.fill(session, job.seeds):
        yield fill.patches


def processor_ms(pid: int) -> float:
    """Return the CPU time of this process and the process `pid`, in milliseconds.

    Linux has a clock for every process; its id is computed as by clock_getcpuclockid(3).
    """
    other = time.clock_gettime(~pid << 3 | 2) if sys.platform == "linux" else float("nan")
    return 1000 * (time.process_time() + other)


def measured(way: Way, pid: int) -> Sample:
    """Time one fill."""
    moments, within = [], float("nan")
    began, worked = time.perf_counter(), processor_ms(pid)
    for event in way.fill():
        if isinstance(event, Done):
            within = event.first_candidate_ms
        else:
            moments.append(1000 * (time.perf_counter() - began))
    assert len(moments) == way.candidates
    return Sample(moments[0], moments[-1], processor_ms(pid) - worked, moments[0] - within)


def in_turns(ways: Sequence[Way], repeats: int, pid: int) -> dict[str, list[Sample]]:
    """Time `repeats` fills of every way, interleaved, after two warm-up rounds."""
    samples: dict[str, list[Sample]] = {way.name: [] for way in ways}
    for _ in range(repeats + 2):
        for way in random.sample(ways, len(ways)):
            samples[way.name].append(measured(way, pid))
            time.sleep(0.05)  # until worker threads stop spinning
    return {name: taken[2:] for name, taken in samples.items()}


@contextmanager
def running_daemon(model: str, device: str) -> Iterator[tuple[Endpoint, int]]:
    """Run a daemon; yield its endpoint and process id."""
    with tempfile.TemporaryDirectory(prefix="inpaint-bench-") as folder:
        daemon = subprocess.Popen(  # noqa: S603 (our own daemon)
            [sys.executable, "-m", "inpaint_server", "--device", device, "--model", model],
            env={**os.environ, "XDG_RUNTIME_DIR": folder},
            stderr=subprocess.DEVNULL,
        )
        try:
            while (runtime := read_runtime_file(Path(folder, "inpaint/server.json"))) is None:
                if daemon.poll() is not None:
                    raise SystemExit("the daemon did not start")
                time.sleep(0.1)
            yield parse_endpoint(runtime.address, runtime.token), daemon.pid
        finally:
            daemon.terminate()
            daemon.wait()


def through_grpcio(stub: pb_grpc.InpaintStub, token: Secret, job: FillJob) -> Iterator[object]:
    """Yield the candidates that grpcio receives."""
    metadata = [("authorization", f"Bearer {token.reveal()}")]
    return _results(map(wire.event, stub.Fill(wire.fill_requests(job), metadata=metadata)))


def through_client(client: BlockingClient, job: FillJob) -> Iterator[object]:
    """Yield the candidates that the plug-ins' client receives."""
    return _results(client.fill(job))


def _results(events: Iterable[object]) -> Iterator[object]:
    return (event for event in events if isinstance(event, Candidate | Done))


def health_under_load(endpoint: Endpoint, job: FillJob) -> tuple[float, float]:
    """Return the median and maximum milliseconds of a health check while fills run."""
    stop = threading.Event()

    def load() -> None:
        with BlockingClient(lambda: endpoint) as client:
            while not stop.is_set():
                for _ in client.fill(job):
                    if stop.is_set():
                        break

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    times = []
    with BlockingClient(lambda: endpoint) as client:
        client.is_serving()
        time.sleep(1.0)
        for _ in range(50):
            began = time.perf_counter()
            client.is_serving()
            times.append(1000 * (time.perf_counter() - began))
            time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    return statistics.median(times), max(times)


def edit_time(client: BlockingClient, job: FillJob, direction: str, repeats: int) -> float:
    """Return the median milliseconds of a blended edit in a cached session, as with a slider."""
    session = ""
    for event in client.fill(replace(job, blending=Blending())):
        session = event.session_id if isinstance(event, Accepted) else session
    times = []
    for k in range(repeats + 2):
        edits = {direction: 0.1 * (k % 8 + 1)} if direction else {}
        began = time.perf_counter()
        for event in client.edit(EditJob(session_id=session, edits=edits)):
            if isinstance(event, Candidate):
                times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[2:])


def main() -> None:
    """Print the table."""
    import inpaint_model

    bundled = Path(inpaint_model.__file__).parent / "bundle" / "pretrained"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--model", default=default_sources(bundled)[0], help="name or folder of a bundle"
    )
    parser.add_argument("--device", default="auto", help="device of the model (default: auto)")
    parser.add_argument("--repeats", type=int, default=30, help="number of rounds (default: 30)")
    options, _ = parser.parse_known_args()
    device = choose_device(options.device)
    keep_freed_memory()  # as the daemon does
    job = make_job()
    print(
        f"model {options.model} on {device_name(device)}: {CANDIDATES} candidates of a {HOLE} px "
        f"hole in a {CROP} px crop, without blending; medians of {options.repeats} (and overhead "
        "over the process, with quartiles), ms"
    )
    print(f"{'':24}{'first':>6}{'':19}{'all':>6}{'':19}{'CPU':>6}{'':19}{'outside':>8}")
    document = DocumentInpainter(BundleLoader(device).load(options.model))
    with running_daemon(options.model, options.device) as (endpoint, pid):
        address = f"{endpoint.host}:{endpoint.port}"
        with (
            grpc.insecure_channel(address, options=UNLIMITED) as channel,
            BlockingClient(lambda: endpoint) as client,
        ):
            stub = pb_grpc.InpaintStub(channel)
            one = replace(job, seeds=(1,))
            ways = [
                Way("in the process", lambda: in_process(document, job)),
                Way("grpcio", lambda: through_grpcio(stub, endpoint.token, job)),
                Way("pure-Python client", lambda: through_client(client, job)),
                Way("grpcio, one candidate", lambda: through_grpcio(stub, endpoint.token, one), 1),
            ]
            samples = in_turns(ways, options.repeats, pid)
            for way in ways:
                _print(way, samples[way.name], samples[ways[0].name])
            single, several = (
                statistics.median(sample.first for sample in samples[way.name])
                for way in (ways[3], ways[1])
            )
            print(f"{'first of four over one':24}{several / single:8.2f}")
            known = next(model for model in client.info().models if model.is_default).directions
            direction = known[0].name if known else ""
            for side in (256, HOLE):
                label, small = f"live edit, {side} px hole", make_job(side)
                print(f"{label:24}{edit_time(client, small, direction, options.repeats):8.1f}")
        median, worst = health_under_load(endpoint, job)
        print(f"{'health under load':24}{median:8.1f}{worst:8.1f}  (median, worst of 50)")


def _print(way: Way, taken: Sequence[Sample], plain: Sequence[Sample]) -> None:
    columns = []
    for mine, base in zip(zip(*taken, strict=True), zip(*plain, strict=True), strict=True):
        differences = [there - here for there, here in zip(mine, base, strict=True)]
        low, middle, high = statistics.quantiles(differences, n=4)
        over = "" if taken is plain else f"{middle:+.0f} ({low:+.0f}..{high:+.0f})"
        columns.append(f"{statistics.median(mine):6.0f} {over:18}")
    if way.candidates < CANDIDATES:
        columns[1:3] = [" " * len(columns[0])] * 2  # not comparable with four candidates
    outside = statistics.median(sample.outside for sample in taken)
    print(f"{way.name:24}{''.join(columns[:3])}{outside:8.1f}")


if __name__ == "__main__":
    main()
