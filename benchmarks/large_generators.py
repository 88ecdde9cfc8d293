"""Time and memory of fills with generators of 256, 512 and 1024 px, with random weights.

    python -m benchmarks.large_generators [--presets paper-256 paper-512 paper-1024] [--repeats 3]

Each model runs in a process of its own. The document is twice as large as the model's square, and
the hole half as large, so that nothing is enlarged. Printed are the encoding with the first
candidate, four candidates, an edit in the same session, each blended, and the most memory that the
process had. On a GPU and for training, `python -m benchmarks.roofline` computes both.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from inpaint_model import DocumentInpainter
from inpaint_model.document.geometry import Frame
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.networks.presets import preset

from .synthesis import untrained

CPU = torch.device("cpu")


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def measure(name: str, repeats: int) -> str:
    """Return a row of the table."""
    sizes = preset(name)
    R = sizes.generator.resolution
    inpainter = DocumentInpainter(untrained(sizes, "hierarchical", CPU, best_dtype(CPU)))
    image = np.random.default_rng(0).integers(0, 256, (2 * R, 2 * R, 3), dtype=np.uint8)
    hole = np.zeros((2 * R, 2 * R), np.uint8)
    hole[3 * R // 4 : 5 * R // 4, 3 * R // 4 : 5 * R // 4] = 255
    frame = Frame(R, R, R)

    def fill(count: int) -> None:
        session = inpainter.open(image, hole, frame=frame)
        list(inpainter.fill(session, list(range(count))))

    fill(1)  # warms up
    session = inpainter.open(image, hole, frame=frame)
    list(inpainter.fill(session, [0]))
    times = [
        milliseconds(lambda: fill(1), repeats),
        milliseconds(lambda: fill(4), repeats),
        milliseconds(lambda: list(inpainter.fill(session, [0])), repeats),
    ]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {name} | " + " | ".join(f"{value:.0f}" for value in (*times, peak)) + " |"


def main() -> int:
    """Print the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--presets", nargs="+", default=["paper-256", "paper-512", "paper-1024"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", metavar="PRESET", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(measure(args.measure, args.repeats))
        return 0
    print(f"CPU, {best_dtype(CPU)}, {torch.get_num_threads()} threads")
    print("| preset | first candidate, ms | four candidates, ms | an edit, ms | memory, MiB |")
    print("|---|---|---|---|---|", flush=True)
    for name in args.presets:
        command = [sys.executable, "-m", "benchmarks.large_generators"]
        command += ["--measure", name, "--repeats", str(args.repeats)]
        ended = subprocess.run(command, check=False)  # noqa: S603
        if ended.returncode:
            return ended.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
