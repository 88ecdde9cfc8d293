"""The paper's model and DivInversion: all five rows of the paper's Table 2."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inpaint_model.networks.config import InpaintingConfig
from inpaint_model.networks.encoder import Body, Encoder, EncoderOutput
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel, shrink
from inpaint_model.networks.mixer import Mixer
from inpaint_model.networks.skip_encoder import SkipEncoder


class HierarchicalModel(InpaintingModel):
    """Encoder, mixer and skip encoder around a generator (section 3.1)."""

    config: InpaintingConfig

    def __init__(self, config: InpaintingConfig, generator: Generator | None = None) -> None:
        super().__init__(config, generator)
        G = config.generator
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

    def _normalizing_part(self) -> Mixer:
        return self.mixer

    def _encode(self, given: Tensor) -> Encoding:
        seen = given.to(self.encoder.body.dtype).contiguous(memory_format=torch.channels_last)
        with self.mixed_precision():
            out: EncoderOutput = self.encoder(seen)
        s = self.config.skip_resolution
        return Encoding(
            tokens=out.tokens.float(),  # [N, t * num_ws, w_dim]
            features=shrink(out.features, s),  # [N, E, s, s]
            hole_fraction=1 - shrink(given[:, 3:], s),  # [N, 1, s, s], per cell, 0..1
            encoder_input=given,
        )

    def mix(self, encoding: Encoding, w_rand: Tensor) -> Tensor:
        """Mix sampled codes with the encoding.

        Images without known pixels get the sampled codes unchanged.
        """
        nothing_known = encoding["encoder_input"][:, 3].amax(dim=(1, 2)) == 0
        return torch.where(
            nothing_known[:, None, None], w_rand, self.mixer(w_rand, encoding["tokens"])
        )

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `InpaintingModel.render`."""
        synthesis, s = self.generator.synthesis, self.config.skip_resolution
        hole, dtype = encoding["hole_fraction"], self.precision
        x, image = synthesis.head(ws, s, dtype=dtype)
        if self.skip is None:
            return synthesis.tail(x, image, ws)
        if self.second_encoder is None:
            return synthesis.tail(self._corrected(encoding["features"], x, hole), image, ws)
        first = shrink(synthesis.tail(x, image, ws), self.config.encoder_resolution)
        seen = torch.cat([first, encoding["encoder_input"]], dim=1)
        with self.mixed_precision():
            features = self.second_encoder(seen.to(self.second_encoder.dtype))[-1]
        x, image = synthesis.head(ws, s, dtype=dtype)
        return synthesis.tail(self._corrected(shrink(features, s), x, hole), image, ws)

    def _corrected(self, encoded: Tensor, generated: Tensor, hole_fraction: Tensor) -> Tensor:
        assert self.skip is not None
        with self.mixed_precision():
            features: Tensor = self.skip(encoded, generated, hole_fraction)
        return features.to(generated.dtype)

    def convolutional_parts(self) -> Sequence[nn.Module]:
        """See `InpaintingModel.convolutional_parts`."""
        parts = (*self.encoder.convolutional_parts(), self.skip, self.second_encoder)
        return [part for part in parts if part is not None]
