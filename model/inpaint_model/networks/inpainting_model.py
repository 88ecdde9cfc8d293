"""The inpainting model, with all five rows of the paper's Table 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import InpaintingConfig
from inpaint_model.networks.encoder import Body, Encoder, EncoderOutput
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.mixer import Mixer
from inpaint_model.networks.skip_encoder import SkipEncoder


class Encoding(NamedTuple):
    """What is known of N erased images, for all candidates."""

    tokens: Tensor  # [N, t * num_ws, w_dim]
    features: Tensor  # [N, E, s, s]
    hole_fraction: Tensor  # [N, 1, s, s], per cell, 0..1
    encoder_input: Tensor  # [N, 4, r, r]: erased image and known mask

    def expand(self, count: int) -> Encoding:
        """Repeat one image's encoding for `count` candidates, without a copy."""
        return Encoding(*(part.expand(count, -1, *part.shape[2:]) for part in self))

    def split(self, counts: Sequence[int]) -> list[Encoding]:
        """Split into encodings of `counts` consecutive images."""
        parts = zip(*(part.split(list(counts)) for part in self), strict=True)
        return [Encoding(*part) for part in parts]

    @classmethod
    def joined(cls, encodings: Sequence[Encoding]) -> Encoding:
        """Join encodings into one of all their images."""
        return cls(*(torch.cat(parts) for parts in zip(*encodings, strict=True)))


def encoder_input(image: Tensor, hole: Tensor) -> Tensor:
    """Return [N, 4, R, R]: the image with 0 in the hole, and the known mask."""
    known = 1 - hole
    return torch.cat([image * known, known], dim=1)


class InpaintingModel(nn.Module):
    """Fill holes [N, 1, R, R] (0 and 1) in images [N, 3, R, R] (-1..1).

    The generator is frozen; the rest is trained.
    """

    def __init__(self, config: InpaintingConfig, generator: Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.precision = torch.float32  # of the generator's convolutions
        G = config.generator
        self.generator = generator or Generator(G)
        self.encoder = Encoder(
            config.encoder,
            config.encoder_resolution,
            G.num_ws,
            G.w_dim,
            config.mixer.tokens_per_style,
        )
        self.mixer = Mixer(config.mixer, G.num_ws, G.w_dim)
        self.skip: SkipEncoder | None = None
        self.second_encoder: Body | None = None
        if config.skip is not None:
            widths, units = config.encoder.widths[:2], config.encoder.units[:2]
            self.skip = SkipEncoder(config.skip, widths[1], G.channels_at(config.skip_resolution))
            if config.two_stage:  # input: first output, erased image and known mask
                self.second_encoder = Body(7, widths, units, config.encoder.norm)

    @torch.no_grad()
    def estimate_w_statistics(self, samples: int = 10_000, seed: int = 0) -> None:
        """Set the mixer's mean to `w_avg`, and measure w's deviation on `samples` codes."""
        rng = torch.Generator().manual_seed(seed)
        mapping = self.generator.mapping
        z = torch.randn(samples, self.config.generator.z_dim, generator=rng)
        c = None
        if mapping.c_dim:
            labels = torch.randint(mapping.c_dim, (samples,), generator=rng)
            c = F.one_hot(labels, mapping.c_dim).float().to(mapping.w_avg.device)
        w = mapping.map(z.to(mapping.w_avg.device), c)
        self.mixer.set_statistics(mapping.w_avg, w.std(dim=0))

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
        given = _shrink(encoder_input(image, hole), self.config.encoder_resolution)
        seen = given.to(self.encoder.body.dtype).contiguous(memory_format=torch.channels_last)
        with self._mixed_precision():
            out: EncoderOutput = self.encoder(seen)
        s = self.config.skip_resolution
        return Encoding(out.tokens.float(), _shrink(out.features, s), _shrink(hole, s), given)

    def mix(self, encoding: Encoding, w_rand: Tensor) -> Tensor:
        """Mix sampled codes `w_rand` with the encoding; in and out [N, num_ws, w_dim], float32.

        Images without known pixels get the sampled codes unchanged.
        """
        nothing_known = encoding.encoder_input[:, 3].amax(dim=(1, 2)) == 0
        return torch.where(
            nothing_known[:, None, None], w_rand, self.mixer(w_rand, encoding.tokens)
        )

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """Return images [N, 3, R, R], nominally -1..1, given ws_out [N, num_ws, w_dim]."""
        synthesis, dtype = self.generator.synthesis, self.precision
        x, image = synthesis.head(ws, self.config.skip_resolution, dtype=dtype)
        if self.skip is None:
            return synthesis.tail(x, image, ws)
        if self.second_encoder is None:
            return synthesis.tail(
                self._corrected(encoding.features, x, encoding.hole_fraction), image, ws
            )
        first = _shrink(synthesis.tail(x, image, ws), self.config.encoder_resolution)
        seen = torch.cat([first, encoding.encoder_input], dim=1)
        with self._mixed_precision():
            features = self.second_encoder(seen.to(self.second_encoder.dtype))[-1]
        features = _shrink(features, self.config.skip_resolution)
        x, image = synthesis.head(ws, self.config.skip_resolution, dtype=dtype)
        return synthesis.tail(self._corrected(features, x, encoding.hole_fraction), image, ws)

    def _corrected(self, encoded: Tensor, generated: Tensor, hole_fraction: Tensor) -> Tensor:
        assert self.skip is not None
        with self._mixed_precision():
            features: Tensor = self.skip(encoded, generated, hole_fraction)
        return features.to(generated.dtype)

    def _mixed_precision(self) -> torch.autocast:
        weight = next(self.encoder.parameters())
        mixed = self.precision != weight.dtype
        return torch.autocast(weight.device.type, self.precision, enabled=mixed)

    def forward(self, image: Tensor, hole: Tensor, w_rand: Tensor) -> Tensor:
        """Return the raw output [N, 3, R, R] for sampled codes `w_rand`, as in `mix`.

        Raises:
            ValueError: The shapes are wrong.
        """
        encoding = self.encode(image, hole)
        return self.render(encoding, self.mix(encoding, w_rand))


def _shrink(x: Tensor, side: int) -> Tensor:
    """Average the pixels of each of `side` x `side` cells."""
    return x if x.shape[-1] == side else F.adaptive_avg_pool2d(x, side)
