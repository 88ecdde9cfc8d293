"""What the daemon adds to a fill, and how fast it answers: `python -m benchmarks.daemon`.

A 512 px hole in a 1024 px crop, RGB, with `--raw` (no blending beyond coverage), four candidates:
in the process, and through the socket with grpcio and with the pure-Python client. The ways take
turns, so that other work on the machine meets all of them; what one costs over another is the
median of their differences within a turn. Processor time, of the daemon and its client together,
says most on a machine that is not idle. Then an edit in a cached session, and health checks under
full load.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
from inpaint_client import (
    RAW,
    Accepted,
    BlockingClient,
    Box,
    Candidate,
    EditJob,
    Endpoint,
    Extent,
    FillJob,
    Picture,
    parse_endpoint,
)
from inpaint_client.discovery import read_runtime_file
from inpaint_client.wire import fill_requests
from inpaint_model import Inpainter
from inpaint_model import pictures as model_pictures
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc
from inpaint_server.device import choose_device, device_name
from inpaint_server.models import BundleLoader, default_sources

CROP, HOLE, CANDIDATES = 1024, 512, 4
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Sample(NamedTuple):
    """Milliseconds of one fill."""

    first: float
    last: float
    processor: float


class Way(NamedTuple):
    """One way to the same candidates."""

    name: str
    fill: Callable[[], Iterator[object]]
    count: int = CANDIDATES


def make_job() -> FillJob:
    """Noise around a square hole."""
    rng = np.random.default_rng(0)
    hole = np.zeros((CROP, CROP), np.uint8)
    margin = (CROP - HOLE) // 2
    hole[margin:-margin, margin:-margin] = 255
    return FillJob(
        crop=Picture(CROP, CROP, 3, rng.integers(0, 256, (CROP, CROP, 3), np.uint8).tobytes()),
        hole=Picture(CROP, CROP, 1, hole.tobytes()),
        crop_box=Box(0, 0, CROP, CROP),
        document=Extent(CROP, CROP),
        seeds=(1,),
        count=CANDIDATES,
        blending=RAW,
    )


def in_process(inpainter: Inpainter, job: FillJob) -> Iterator[object]:
    """The same fill without a daemon."""
    pixels = np.frombuffer(job.crop.data, np.uint8).reshape(CROP, CROP, 3)
    coverage = np.frombuffer(job.hole.data, np.uint8).reshape(CROP, CROP)
    picture = model_pictures.DocumentPicture(pixels)
    (placement,) = model_pictures.prepare(inpainter, picture, coverage)
    encoding = inpainter.encode(placement.source.erased, placement.source.hole)
    for seed in range(1, 1 + CANDIDATES):
        codes = inpainter.sample(encoding, [seed], 0.8)
        output = inpainter.render(encoding, codes)[0]
        yield model_pictures.lay(placement, output, model_pictures.RAW)


def processor_ms(pid: int) -> float:
    """The processor time of this process and of the one called `pid`.

    Linux has a clock for every process, whose number clock_getcpuclockid(3) makes like this.
    """
    other = time.clock_gettime(~pid << 3 | 2) if sys.platform == "linux" else float("nan")
    return 1000 * (time.process_time() + other)


def in_turns(ways: Sequence[Way], repeats: int, pid: int) -> dict[str, list[Sample]]:
    """`repeats` fills of every way, after two that warm up."""
    samples: dict[str, list[Sample]] = {way.name: [] for way in ways}
    for _ in range(repeats + 2):
        for way in ways:
            began, worked = time.perf_counter(), processor_ms(pid)
            moments = [1000 * (time.perf_counter() - began) for _ in way.fill()]
            assert len(moments) == way.count
            sample = Sample(moments[0], moments[-1], processor_ms(pid) - worked)
            samples[way.name].append(sample)
    return {name: taken[2:] for name, taken in samples.items()}


@contextmanager
def running_daemon(model: str, device: str) -> Iterator[tuple[Endpoint, int]]:
    """A daemon of our own, and its process."""
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


def through_grpcio(stub: pb_grpc.InpaintStub, token: str, job: FillJob) -> Iterator[object]:
    """The candidates as grpcio delivers them."""
    events = stub.Fill(fill_requests(job), metadata=[("authorization", f"Bearer {token}")])
    return (event for event in events if event.HasField("candidate"))


def through_client(client: BlockingClient, job: FillJob) -> Iterator[object]:
    """The candidates as the plug-ins get them."""
    return (event for event in client.fill(job) if isinstance(event, Candidate))


def health_under_load(endpoint: Endpoint, job: FillJob) -> tuple[float, float]:
    """Median and worst milliseconds of a health check while fills run."""
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


def edit_time(client: BlockingClient, job: FillJob, repeats: int) -> float:
    """Milliseconds of an edit in a cached session."""
    session = ""
    for event in client.fill(job):
        session = event.session_id if isinstance(event, Accepted) else session
    times = []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        for event in client.edit(EditJob(session_id=session)):
            if isinstance(event, Candidate):
                times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[2:])


def main() -> None:
    """Print the table."""
    import inpaint_model

    bundled = Path(inpaint_model.__file__).parent / "bundles"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default=default_sources(bundled)[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=10)
    options, _ = parser.parse_known_args()
    device = choose_device(options.device)
    job = make_job()
    print(
        f"model {options.model} on {device_name(device)}: {CANDIDATES} candidates of a {HOLE} px "
        f"hole in a {CROP} px crop, raw; medians of {options.repeats}, ms"
    )
    print(f"{'':24}{'first':>8}{'all':>8}{'over the process':>20}{'processor':>12}{'over':>8}")
    inpainter = BundleLoader(device).load(options.model)
    with running_daemon(options.model, options.device) as (endpoint, pid):
        address = f"{endpoint.host}:{endpoint.port}"
        with (
            grpc.insecure_channel(address, options=UNLIMITED) as channel,
            BlockingClient(lambda: endpoint) as client,
        ):
            stub = pb_grpc.InpaintStub(channel)
            one = replace(job, count=1)
            ways = [
                Way("in the process", lambda: in_process(inpainter, job)),
                Way("grpcio", lambda: through_grpcio(stub, endpoint.token, job)),
                Way("pure-Python client", lambda: through_client(client, job)),
                Way("grpcio, one candidate", lambda: through_grpcio(stub, endpoint.token, one), 1),
            ]
            samples = in_turns(ways, options.repeats, pid)
            for way in ways:
                _print(way.name, samples[way.name], samples[ways[0].name])
            print(f"{'edit in a session':24}{edit_time(client, job, options.repeats):8.1f}")
        median, worst = health_under_load(endpoint, job)
        print(f"{'health under load':24}{median:8.1f}{worst:8.1f}  (median, worst of 50)")


def _print(name: str, taken: Sequence[Sample], plain: Sequence[Sample]) -> None:
    first, last, processor = map(statistics.median, zip(*taken, strict=True))
    over = [
        statistics.median(there - here for there, here in zip(mine, base, strict=True))
        for mine, base in zip(zip(*taken, strict=True), zip(*plain, strict=True), strict=True)
    ]
    if taken is plain:
        print(f"{name:24}{first:8.1f}{last:8.1f}{'':20}{processor:12.1f}")
    elif first == last:
        print(f"{name:24}{first:8.1f}{last:8.1f}{over[0]:+20.1f}{processor:12.1f}")
    else:
        wall = f"{over[0]:+.1f} / {over[1]:+.1f}"
        print(f"{name:24}{first:8.1f}{last:8.1f}{wall:>20}{processor:12.1f}{over[2]:+8.1f}")


if __name__ == "__main__":
    main()
