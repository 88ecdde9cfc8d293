"""What the processor draws for each step of a training, made ahead while a GPU is busy.

Random numbers are functions of the seed and of the images seen so far (`randomness`), so it does
not matter which thread draws them, nor when: a run that draws ahead equals one that does not, bit
for bit. Threads suffice, since torch lets go of Python's lock while it computes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.data.devices import ACCELERATORS
from inpaint_model.data.masks import training_holes
from inpaint_model.data.sampler import Sampler
from inpaint_model.networks.config import GeneratorConfig
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.settings import InpainterTraining

THREADS = 2  # beside a GPU: `python -m benchmarks.inputs` says what one draws in a second
READY = 3  # steps that are drawn ahead, for each thread

Draws = TypeVar("Draws", bound="InpainterDraws")


class InpainterDraws(NamedTuple):
    """One step's random choices for the B images of this process, in the processor's memory."""

    z: Tensor  # [B, 3, z_dim]: of the image, of the new code, of the code mixed into that
    mixed_from: Tensor  # int64 [B, 1]: the style from which on the new code is mixed
    labels: Tensor  # float32 [B, c_dim]
    hole: Tensor  # [B, 1, R, R]
    real: Tensor  # int64 [K]: for which of the B the new-code branch sees a real image
    image: Tensor  # int64 [K]: which one
    mirrored: Tensor  # bool [K]


@dataclass(frozen=True)
class InpainterInputs:
    """The draws of the step that begins after `nimg` images, for any `nimg`.

    sampler: of real images; None where there are none.
    """

    options: InpainterTraining
    config: GeneratorConfig
    world: DistributedContext
    sampler: Sampler | None = None

    def __call__(self, nimg: int) -> InpainterDraws:
        """Return the draws of the step that begins after `nimg` images."""
        options, config, share = self.options, self.config, self.world.shard
        batch, rng = options.batch_size, generator_for(options.seed, nimg, "latents")
        z = torch.randn(batch, 3, config.z_dim, generator=rng)
        mixed = torch.rand(batch, 1, generator=rng) < options.style_mixing_prob
        cut = torch.randint(1, config.num_ws, (batch, 1), generator=rng)
        classes = torch.randint(max(config.c_dim, 1), (batch,), generator=rng)
        labels = F.one_hot(classes, max(config.c_dim, 1))[:, : config.c_dim].float()
        hole = training_holes(batch, config.resolution, generator_for(options.seed, nimg, "holes"))
        mixed_from = torch.where(mixed, cut, config.num_ws)
        is_real = torch.zeros(batch) > 0
        image, mirrored = torch.zeros(batch, dtype=torch.long), is_real
        if self.sampler is not None:
            image, mirrored = self.sampler.draw(nimg, batch)
            # As many at every step, as far as the batch divides: shapes that stay need no new
            # choice of algorithms, and no other CUDA graph.
            wanted = options.real_fraction * batch
            count = int(wanted) + int(torch.rand((), generator=rng) < wanted % 1)
            is_real[torch.randperm(batch, generator=rng)[:count]] = True
        z, mixed_from, labels, hole, image, mirrored, is_real = map(
            share, (z, mixed_from, labels, hole, image, mirrored, is_real)
        )
        real = is_real.nonzero()[:, 0]
        drawn = (z, mixed_from, labels, hole, real, image[real], mirrored[real])
        return InpainterDraws(*(x.contiguous() for x in drawn))


def ahead(
    draw: Callable[[int], Draws],
    start: int,
    stop: int,
    step: int,
    threads: int | None,
    device: torch.device,
) -> Iterator[Draws]:
    """Yield draw(start), draw(start + step), ... below `stop`.

    threads: how many draw ahead of what is asked for; 0: none; None: two beside a GPU, otherwise
    none. For CUDA draws come in page-locked memory, from which copies need not be waited for.
    """
    if threads is not None and threads < 0:
        raise ValueError(f"{threads} threads cannot draw inputs: give 0 or more (--input-threads)")
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
