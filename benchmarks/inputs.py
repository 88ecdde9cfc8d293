"""How many training inputs a core prepares per second, and several threads together.

    python -m benchmarks.inputs [--preset portrait-256] [--batch-size 64] [--threads 1 2]

A GPU that trains at N images per second needs N masks per second and, if the images do not fit into
its memory, N images.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import count

import torch
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.masks import training_holes
from inpaint_model.networks.presets import preset
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.inputs import InpainterInputs, ahead
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.settings import InpainterTraining


def rate(make: Callable[[], object], batch: int, seconds: float) -> float:
    """Return images per second of wall-clock time, not counting the first call."""
    make()
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        make()
        done += batch
    return done / (time.perf_counter() - start)


def main(arguments: list[str] | None = None) -> None:
    """Print how fast the inputs of a training are prepared."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--preset", default="portrait-256", help="preset of network sizes (default: %(default)s)"
    )
    parser.add_argument(
        "--batch-size", type=int, default=64, metavar="N", help="batch size (default: %(default)s)"
    )
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=[1, 2],
        metavar="N",
        help="numbers of threads to compare (default: 1 2)",
    )
    parser.add_argument(
        "--seconds", type=float, default=5.0, metavar="S", help="time per row (default: 5)"
    )
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    config, batch = preset(args.preset).generator, args.batch_size
    R, numbers = config.resolution, count()
    pixels = torch.randint(0, 256, (512, 3, R, R), dtype=torch.uint8)
    images = ImageSet(tuple(map(str, range(len(pixels)))), pixels)

    def masks() -> object:
        return training_holes(batch, R, generator_for(0, next(numbers), "holes"))

    def gathered() -> object:
        return pixels[torch.randint(len(pixels), (batch,))]

    def floats() -> object:
        return images.batch(torch.randint(len(pixels), (batch,)), torch.rand(batch) < 0.5)

    def draws(threads: int) -> float:
        inputs = InpainterInputs(InpainterTraining(batch_size=batch), config, DistributedContext())
        stream = ahead(inputs, 0, 10**9, batch, threads, torch.device("cpu"))
        return rate(lambda: next(stream), batch, args.seconds)

    rows = {
        "masks, one core": masks,
        "images as bytes, for a GPU, one core": gathered,
        "images as mirrored float32, one core": floats,
    }
    print(f"{args.preset}, {R} px, batch {batch}, images per second")
    for name, make in rows.items():
        print(f"{rate(make, batch, args.seconds):8.0f}  {name}", flush=True)
    for threads in (0, *args.threads):
        name = f"all draws of an inpainter's step, {threads or 'no'} threads"
        print(f"{draws(threads):8.0f}  {name}", flush=True)


if __name__ == "__main__":
    main()
