"""pSp (Richardson et al. 2021): an encoder predicts all codes, and the generator does the rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inpaint_model.networks.config import BaselineConfig
from inpaint_model.networks.encoder import Encoder, EncoderOutput
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel


class CodeEncoder(nn.Module):
    """Erased image and known mask [N, 4, r, r] -> codes [N, num_ws, w_dim], float32.

    The encoder predicts how far each code lies from the mean, in standard deviations of w. The
    mean is pSp's `start_from_latent_avg`.
    """

    w_avg: Tensor
    w_std: Tensor

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        G = config.generator
        self.encoder = Encoder(
            config.encoder, config.encoder_resolution, G.num_ws, G.w_dim, tokens_per_style=1
        )
        self.register_buffer("w_avg", torch.zeros(G.w_dim))
        self.register_buffer("w_std", torch.ones(G.w_dim))

    def forward(self, given: Tensor) -> Tensor:
        """Return the codes."""
        seen = given.to(self.encoder.body.dtype).contiguous(memory_format=torch.channels_last)
        out: EncoderOutput = self.encoder(seen)
        return self.w_avg + self.w_std * out.tokens.float()


class CodePredictor(InpaintingModel):
    """A deterministic model that starts with codes predicted by pSp's encoder."""

    config: BaselineConfig

    def __init__(self, config: BaselineConfig, generator: Generator | None = None) -> None:
        super().__init__(config, generator)
        self.codes = CodeEncoder(config)

    def _normalizing_part(self) -> CodeEncoder:
        return self.codes

    def predicted(self, given: Tensor) -> Tensor:
        """Return codes [N, num_ws, w_dim], given erased image and known mask [N, 4, r, r]."""
        with self.mixed_precision():
            codes: Tensor = self.codes(given)
        return codes

    def mix(self, encoding: Encoding, w_rand: Tensor) -> Tensor:
        """Return a copy of the predicted codes, whatever the sampled ones are.

        A CUDA graph's result must not be one of its inputs.
        """
        return encoding["codes"].clone()

    def convolutional_parts(self) -> Sequence[nn.Module]:
        """See `InpaintingModel.convolutional_parts`."""
        return self.codes.encoder.convolutional_parts()


class PSP(CodePredictor):
    """The generator's image of the predicted codes."""

    def _encode(self, given: Tensor) -> Encoding:
        return Encoding(codes=self.predicted(given))

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `InpaintingModel.render`."""
        image: Tensor = self.generator.synthesis(ws, dtype=self.precision)
        return image
