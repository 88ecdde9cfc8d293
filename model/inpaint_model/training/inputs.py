"""Random inputs of training steps, drawn ahead on the CPU while a GPU is busy.

Drawing ahead does not change them (`randomness.py`). Threads suffice, since torch releases the GIL.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from inpaint_model.data.devices import ACCELERATORS
from inpaint_model.data.kept_features import Feature, holes_around_features
from inpaint_model.data.masks import training_holes
from inpaint_model.data.sampler import Sampler
from inpaint_model.networks.config import GeneratorConfig
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.settings import InpainterTraining

THREADS = 2  # with a GPU (`python -m benchmarks.inputs`)
READY = 3  # steps drawn ahead per thread

Draws = TypeVar("Draws", bound="InpainterDraws")


class InpainterDraws(NamedTuple):
    """The random choices of one step for this process, on the CPU."""

    z: Tensor  # [B, 3, z_dim]: of the image, the new code and the code mixed into that
    mixed_from: Tensor  # int64 [B, 1]: first style of the mixed-in code
    labels: Tensor  # [B, c_dim]
    hole: Tensor  # [B, 1, R, R]
    real: Tensor  # int64 [K]: positions that get a real image in the new-code branch
    image: Tensor  # int64 [K]: indices of these images
    mirrored: Tensor  # bool [K]


@dataclass(frozen=True)
class InpainterInputs:
    """Makes the draws of any step."""

    options: InpainterTraining
    config: GeneratorConfig
    world: DistributedContext
    sampler: Sampler | None = None  # of real images
    features: Sequence[Feature] = ()  # of aligned images, which some holes keep

    def __call__(self, nimg: int) -> InpainterDraws:
        """Return the draws after `nimg` images."""
        options, config, share = self.options, self.config, self.world.shard
        batch, rng = options.batch_size, generator_for(options.seed, nimg, "latents")
        z = torch.randn(batch, 3, config.z_dim, generator=rng)
        mixed = torch.rand(batch, 1, generator=rng) < options.style_mixing_prob
        cut = torch.randint(1, config.num_ws, (batch, 1), generator=rng)
        classes = torch.randint(max(config.c_dim, 1), (batch,), generator=rng)
        labels = F.one_hot(classes, max(config.c_dim, 1))[:, : config.c_dim].float()
        hole = self._holes(generator_for(options.seed, nimg, "holes"))
        mixed_from = torch.where(mixed, cut, config.num_ws)
        is_real = torch.zeros(batch) > 0
        image, mirrored = torch.zeros(batch, dtype=torch.long), is_real
        if self.sampler is not None:
            image, mirrored = self.sampler.draw(nimg, batch)
            # The same number at every step, up to rounding: new shapes need another CUDA graph.
            wanted = options.real_fraction * batch
            count = int(wanted) + int(torch.rand((), generator=rng) < wanted % 1)
            is_real[torch.randperm(batch, generator=rng)[:count]] = True
        z, mixed_from, labels, hole, image, mirrored, is_real = map(
            share, (z, mixed_from, labels, hole, image, mirrored, is_real)
        )
        real = is_real.nonzero()[:, 0]
        drawn = (z, mixed_from, labels, hole, real, image[real], mirrored[real])
        return InpainterDraws(*(x.contiguous() for x in drawn))

    def _holes(self, rng: Generator) -> Tensor:
        batch, R = self.options.batch_size, self.config.resolution
        holes = training_holes(batch, R, rng)
        if self.options.kept_fraction:
            chosen = torch.rand(batch, generator=rng) < self.options.kept_fraction
            holes[chosen] = holes_around_features(int(chosen.sum()), R, rng, self.features)
        return holes


def ahead(
    draw: Callable[[int], Draws],
    start: int,
    stop: int,
    step: int,
    threads: int | None,
    device: torch.device,
) -> Iterator[Draws]:
    """Yield draw(start), draw(start + step), ... below `stop`, drawn ahead by threads.

    By default only GPUs get threads. For CUDA, page-locked memory makes copies asynchronous.

    Raises:
        ValueError: the number of threads is negative.
    """
    if threads is not None and threads < 0:
        raise ValueError(
            f"the number of input threads is {threads}; give --input-threads 0 or more"
        )
    pinned = device.type == "cuda"
    threads = (THREADS if device.type in ACCELERATORS else 0) if threads is None else threads
    if not threads:
        yield from map(draw, range(start, stop, step))
        return

    def prepare(nimg: int) -> Draws:
        draws = draw(nimg)
        return type(draws)(*(x.pin_memory() for x in draws)) if pinned else draws

    pool = ThreadPoolExecutor(threads, "draws")
    try:
        coming = iter(range(start, stop, step))
        waiting = deque(pool.submit(prepare, nimg) for nimg in islice(coming, READY * threads))
        while waiting:
            draws = waiting.popleft().result()
            waiting.extend(pool.submit(prepare, nimg) for nimg in islice(coming, 1))
            yield draws
    finally:
        pool.shutdown(cancel_futures=True)
