"""What the daemon adds to a fill, and how fast it answers: `python -m benchmarks.daemon`.

A 512 px hole in a 1024 px crop, RGB, with `--raw` (no blending beyond coverage), four candidates:
in the process, and through the socket with grpcio and with the pure-Python client. Then an edit in
a cached session, and health checks under full load.
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
from collections.abc import Callable, Iterator
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


class Times(NamedTuple):
    """Milliseconds, medians."""

    first: float
    last: float


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


def measure(fill: Callable[[], Iterator[object]], repeats: int, count: int = CANDIDATES) -> Times:
    """Medians over `repeats` fills, after two that warm up."""
    first, last = [], []
    for _ in range(repeats + 2):
        began = time.perf_counter()
        moments = [time.perf_counter() - began for _ in fill()]
        assert len(moments) == count
        first.append(1000 * moments[0])
        last.append(1000 * moments[-1])
    return Times(statistics.median(first[2:]), statistics.median(last[2:]))


@contextmanager
def running_daemon(model: str, device: str) -> Iterator[Endpoint]:
    """A daemon of our own."""
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
            yield parse_endpoint(runtime.address, runtime.token)
        finally:
            daemon.terminate()
            daemon.wait()


def through_grpcio(stub: pb_grpc.InpaintStub, token: str, job: FillJob) -> Iterator[object]:
    """The candidates as grpcio delivers them."""
    events = stub.Fill(fill_requests(job), metadata=[("authorization", f"Bearer {token}")])
    return (event for event in events if event.HasField("candidate"))


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
    print(f"{'':28}{'first':>8}{'all':>8}{'over the process':>20}")
    inpainter = BundleLoader(device).load(options.model)
    plain = measure(lambda: in_process(inpainter, job), options.repeats)
    print(f"{'in the process':28}{plain.first:8.1f}{plain.last:8.1f}")
    with running_daemon(options.model, options.device) as endpoint:
        address = f"{endpoint.host}:{endpoint.port}"
        with grpc.insecure_channel(address, options=UNLIMITED) as channel:
            stub = pb_grpc.InpaintStub(channel)
            alone = measure(
                lambda: through_grpcio(stub, endpoint.token, replace(job, count=1)),
                options.repeats,
                count=1,
            )
            _print("grpcio, one candidate", alone, plain)
            _print(
                "grpcio",
                measure(lambda: through_grpcio(stub, endpoint.token, job), options.repeats),
                plain,
            )
        with BlockingClient(lambda: endpoint) as client:
            _print(
                "pure-Python client",
                measure(
                    lambda: (e for e in client.fill(job) if isinstance(e, Candidate)),
                    options.repeats,
                ),
                plain,
            )
            print(f"{'edit in a session':28}{edit_time(client, job, options.repeats):8.1f}")
        median, worst = health_under_load(endpoint, job)
        print(f"{'health under load':28}{median:8.1f}{worst:8.1f}  (median, worst of 50)")


def _print(name: str, times: Times, plain: Times) -> None:
    over = f"{times.first - plain.first:+.1f}"
    if times.last != times.first:
        over += f" / {times.last - plain.last:+.1f}"
    print(f"{name:28}{times.first:8.1f}{times.last:8.1f}{over:>20}")


if __name__ == "__main__":
    main()
