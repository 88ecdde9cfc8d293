"""Measure the cost of the wire protocol: `python -m benchmarks.client`.

A 512 px hole in a 1024 px RGBA crop is uploaded (5 MiB), and four fills of 512 x 512 RGBA with
coverage are downloaded (5 MiB), from a daemon without a model in its own process. The plug-ins'
pure-Python client is compared with grpcio, over TCP and a Unix socket. The conversion of pixels in
a host is timed as well.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
from inpaint_client import (
    BlockingClient,
    Box,
    Candidate,
    Capture,
    Extent,
    FillJob,
    Picture,
    parse_endpoint,
    pixels,
    seed_sequence,
)
from inpaint_client.wire import fill_requests
from inpaint_protos.v1 import inpaint_pb2_grpc as pb_grpc

FAKE_DAEMON = Path(__file__).resolve().parents[1] / "tests" / "support" / "fake_daemon.py"
Fill = Callable[[], Iterator[object]]  # the candidates of one fill, as they arrive
CROP, HOLE, CANDIDATES, REPEATS = 1024, 512, 4, 15


def make_job() -> FillJob:
    """Build a fill of a hole in the middle of a crop."""
    margin = (CROP - HOLE) // 2
    row = bytes(margin) + b"\xff" * HOLE + bytes(margin)
    hole = bytes(margin * CROP) + row * HOLE + bytes(margin * CROP)
    return FillJob(
        capture=Capture(
            crop=Picture(CROP, CROP, 4, b"\x80\x60\x40\xff" * (CROP * CROP)),
            hole=Picture(CROP, CROP, 1, hole),
            crop_box=Box(0, 0, CROP, CROP),
            document=Extent(CROP, CROP),
        ),
        seeds=seed_sequence(1, CANDIDATES),
    )


@contextmanager
def with_client(address: str, job: FillJob) -> Iterator[Fill]:
    """Yield a function that fills with the plug-ins' client."""
    with BlockingClient(lambda: parse_endpoint(address)) as client:
        yield lambda: (event for event in client.fill(job) if isinstance(event, Candidate))


@contextmanager
def with_grpcio(address: str, job: FillJob) -> Iterator[Fill]:
    """Yield a function that fills with grpcio."""
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options=unlimited) as channel:
        stub = pb_grpc.InpaintStub(channel)
        yield lambda: (
            event.candidate
            for event in stub.Fill(fill_requests(job))
            if event.HasField("candidate")
        )


def measure(fill: Fill) -> tuple[float, float]:
    """Return the median milliseconds to the first candidate and to the last."""
    first, last = [], []
    for _ in range(REPEATS + 2):
        start = time.perf_counter()
        moments = [time.perf_counter() - start for _ in fill()]
        assert len(moments) == CANDIDATES
        first.append(moments[0] * 1e3)
        last.append(moments[-1] * 1e3)
    return statistics.median(first[2:]), statistics.median(last[2:])  # the first two warm up


@contextmanager
def daemon(*arguments: str) -> Iterator[str]:
    """Run a daemon and yield its address."""
    command = [sys.executable, str(FAKE_DAEMON), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready "):
                yield line.split()[1]
                break
        process.terminate()


def main() -> None:
    """Print the times of fills with both clients."""
    job = make_job()
    print(
        f"{CROP} px RGBA sent, {CANDIDATES} fills of {HOLE} px received; medians of {REPEATS}, ms"
    )
    print(f"{'':24}{'first':>8}{'all':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for where, arguments in (("TCP", ()), ("Unix", ("--unix", f"{folder}/s.sock"))):
            with daemon(*arguments) as address:
                for name, make in (("pure Python", with_client), ("grpcio", with_grpcio)):
                    with make(address, job) as fill:
                        first, last = measure(fill)
                    print(f"{name + ', ' + where:24}{first:8.1f}{last:8.1f}")
    hole = job.capture.hole
    layer = b"\1\2\3\4" * (CROP * CROP)
    for name, work in (
        ("BGRA to RGBA, 1024 px", lambda: pixels.rearrange(layer, "BGRA", "RGBA")),
        ("box of the hole", lambda: pixels.bounding_box(hole.data, hole.extent)),
        ("overview of 1024 px", lambda: pixels.shrink(layer, CROP, 4, 2)),
    ):
        start = time.perf_counter()
        for _ in range(REPEATS):
            work()
        print(f"{name:24}{'':8}{(time.perf_counter() - start) / REPEATS * 1e3:8.1f}")


if __name__ == "__main__":
    main()
