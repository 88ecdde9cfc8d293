"""What all inpainting models have in common: a frozen generator, `encode`, `mix` and `render`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import ModelConfig
from inpaint_model.networks.generator import Generator, SynthesisNetwork


class Encoding(dict[str, Tensor]):
    """What a model knows of N erased images, for all candidates: tensors [N, ...] by name."""

    @property
    def count(self) -> int:
        """Number of images."""
        return len(next(iter(self.values())))

    def map(self, change: Callable[[Tensor], Tensor]) -> Encoding:
        """Apply a function to every tensor."""
        return Encoding({name: change(part) for name, part in self.items()})

    def expand(self, count: int) -> Encoding:
        """Repeat one image's encoding for `count` candidates, without a copy."""
        return self.map(lambda part: part.expand(count, *part.shape[1:]))

    def split(self, counts: Sequence[int]) -> list[Encoding]:
        """Split into encodings of `counts` consecutive images."""
        parts = zip(*(part.split(list(counts)) for part in self.values()), strict=True)
        return [Encoding(zip(self, part, strict=True)) for part in parts]

    @classmethod
    def joined(cls, encodings: Sequence[Encoding]) -> Encoding:
        """Join encodings into one of all their images."""
        names = encodings[0]
        return cls({name: torch.cat([each[name] for each in encodings]) for name in names})


def encoder_input(image: Tensor, hole: Tensor) -> Tensor:
    """Return [N, 4, R, R]: the image with 0 in the hole, and the known mask."""
    known = 1 - hole
    return torch.cat([image * known, known], dim=1)


def shrink(x: Tensor, side: int) -> Tensor:
    """Average the pixels of each of `side` x `side` cells."""
    return x if x.shape[-1] == side else F.adaptive_avg_pool2d(x, side)


class NormalizingPart(Protocol):
    """A part with the mean and the standard deviation of w as buffers [w_dim]."""

    w_avg: Tensor
    w_std: Tensor


class InpaintingModel(nn.Module, ABC):
    """Fill holes [N, 1, R, R] (0 and 1) in images [N, 3, R, R] (-1..1).

    The generator is frozen; the rest is trained.
    """

    config: ModelConfig

    def __init__(self, config: ModelConfig, generator: Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.precision = torch.float32  # of the convolutions that `freeze_for_inference` converts
        self.generator = generator or Generator(config.generator)

    def estimate_w_statistics(self, samples: int = 10_000, seed: int = 0) -> None:
        """Set the mean of w to `w_avg`, and its deviation to that of `samples` codes."""
        w = self.sampled_codes(samples, seed)
        self.w_avg.copy_(self.generator.mapping.w_avg)
        self.w_std.copy_(w.std(dim=0).clamp_min(1e-6))

    @torch.no_grad()
    def sampled_codes(self, count: int, seed: int) -> Tensor:
        """Return `count` codes w [count, w_dim] of the generator, of any class."""
        rng = torch.Generator().manual_seed(seed)
        mapping = self.generator.mapping
        z = torch.randn(count, self.config.generator.z_dim, generator=rng)
        c = None
        if mapping.c_dim:
            labels = torch.randint(mapping.c_dim, (count,), generator=rng)
            c = F.one_hot(labels, mapping.c_dim).float().to(mapping.w_avg.device)
        return mapping.map(z.to(mapping.w_avg.device), c)

    def encode(self, image: Tensor, hole: Tensor) -> Encoding:
        """Encode images; their content inside the hole is ignored.

        Raises:
            ValueError: The shapes are wrong.
        """
        R = self.config.generator.resolution
        if image.shape[1:] != (3, R, R) or hole.shape[1:] != (1, R, R):
            raise ValueError(
                f"image {list(image.shape)} and hole {list(hole.shape)} must be "
                f"[N, 3, {R}, {R}] and [N, 1, {R}, {R}]"
            )
        return self._encode(shrink(encoder_input(image, hole), self.config.encoder_resolution))

    def forward(self, image: Tensor, hole: Tensor, w_rand: Tensor) -> Tensor:
        """Return the raw output [N, 3, R, R] for sampled codes `w_rand`, as in `mix`.

        Raises:
            ValueError: The shapes are wrong.
        """
        encoding = self.encode(image, hole)
        return self.render(encoding, self.mix(encoding, w_rand))

    @property
    def w_avg(self) -> Tensor:
        """The mean of the generator's w [w_dim]."""
        return self._normalizing_part().w_avg

    @property
    def w_std(self) -> Tensor:
        """The standard deviation of the generator's w [w_dim]."""
        return self._normalizing_part().w_std

    @abstractmethod
    def _normalizing_part(self) -> NormalizingPart:
        """Return the part that normalizes codes."""

    @abstractmethod
    def _encode(self, given: Tensor) -> Encoding:
        """Encode `encoder_input` [N, 4, r, r] at the encoder's resolution r."""

    @abstractmethod
    def mix(self, encoding: Encoding, w_rand: Tensor) -> Tensor:
        """Return the codes W_out of a candidate, given sampled codes `w_rand`.

        Both are [N, num_ws, w_dim], float32. A deterministic model ignores the sampled codes.
        """

    @abstractmethod
    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """Return images [N, 3, R, R], nominally -1..1, given W_out [N, num_ws, w_dim]."""

    @abstractmethod
    def convolutional_parts(self) -> Sequence[nn.Module]:
        """Return the parts that compute in `precision` at inference, besides the synthesis."""

    def synthesis_networks(self) -> Sequence[SynthesisNetwork]:
        """Return the networks whose weights do not depend on the image."""
        return (self.generator.synthesis,)

    def mixed_precision(self) -> AbstractContextManager[object]:
        """Return a context in which convolutions of float32 weights compute in `precision`."""
        weight = next(self.convolutional_parts()[0].parameters())
        if weight.dtype == self.precision:
            return nullcontext()
        return torch.autocast(weight.device.type, self.precision)
