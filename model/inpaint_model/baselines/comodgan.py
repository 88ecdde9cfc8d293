"""CoModGAN (Zhao et al. 2021): a generator trained from scratch, steered by image and noise.

Its networks have the sizes of the generator that the other methods use. That generator stays
frozen, makes training images, and gives the noise: a sampled code w, normalized by the mean and
deviation of all, is what the mapping network of this model maps to its own style. So seeds,
truncation and style mixing of the sampled codes work as in every model, but codes are not the
generator's.

Readings:
- The encoder is a StyleGAN2 discriminator without its minibatch deviation; a feature is the output
  of a block. From 512 px on, the largest features have the side of the encoder's input.
- The 4 px features take the place of the learned constant, where the paper derives both from the
  global vector; so even they know places.
- The mapping does not normalize its input to unit length, which would undo truncation.
- The global vector has twice the width of w and no dropout (0.5 in the paper): a training step
  draws its random numbers before the networks run.
- The layers' noise inputs are left out. Constant noise, as in all other training here, adds the
  same grain to every fill while the generator learns.
- It trains with the adversary plus the reconstruction losses that are on; the paper's own training
  has the adversary alone (`--lambda-rg 0 --lambda-rr 0`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from inpaint_model.networks.config import BaselineConfig, GeneratorConfig, resolutions
from inpaint_model.networks.discriminator import DiscriminatorBlock
from inpaint_model.networks.generator import Generator, SynthesisNetwork
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel
from inpaint_model.networks.ops import Conv2dLayer, FullyConnectedLayer


class NoiseMapping(nn.Module):
    """Map noise [..., w_dim] to the model's own style code [..., w_dim]."""

    w_avg: Tensor
    w_std: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        width, slower = config.w_dim, config.mapping_lr_multiplier
        self.layers = nn.Sequential(
            *(
                FullyConnectedLayer(width, width, linear=False, lr_multiplier=slower)
                for _ in range(config.num_mapping_layers)
            )
        )
        self.register_buffer("w_avg", torch.zeros(width))
        self.register_buffer("w_std", torch.ones(width))

    def forward(self, w_rand: Tensor) -> Tensor:
        """Map sampled codes of the frozen generator."""
        codes: Tensor = self.layers((w_rand - self.w_avg) / self.w_std)
        return codes


class ConditionalEncoder(nn.Module):
    """Erased image and known mask [N, 4, r, r] -> features [N, C, s, s] for s = r, r/2, ..., 4."""

    def __init__(self, channels: Sequence[int], resolution: int) -> None:
        super().__init__()
        self.sides = resolutions(resolution)
        self.enter = Conv2dLayer(4, channels[len(self.sides) - 1], 1)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(channels[k], channels[k - 1], False, None, None)
            for k in range(len(self.sides) - 1, 0, -1)
        )
        self.leave = Conv2dLayer(channels[0], channels[0], 3)

    def forward(self, given: Tensor) -> dict[int, Tensor]:
        """Return the features by their side."""
        x = self.enter(given)
        features = {self.sides[-1]: x}
        for block in self.blocks:
            x = block(x)
            features[x.shape[-1]] = x
        return {**features, 4: self.leave(x)}


class CoModulatedSynthesis(SynthesisNetwork):
    """The StyleGAN2 synthesis on features: codes are wider, and there is no learned constant."""

    def __init__(self, config: GeneratorConfig, global_dim: int) -> None:
        super().__init__(replace(config, w_dim=config.w_dim + global_dim))
        del self.block(4).const

    def of_features(self, features: Mapping[int, Tensor], ws: Tensor, dtype: torch.dtype) -> Tensor:
        """Return images [N, 3, R, R] of features by their side and codes [N, num_ws, w_dim].

        Features are added to those of the same side after its first convolution (conv0).
        """
        x, image = features[4].to(dtype), None
        for k, side in enumerate(resolutions(self.config.resolution)):
            block = self.block(side)
            if k:
                x = block.conv0(x, ws[:, 2 * k - 1], "none")
                if side in features:
                    x = x + features[side].to(dtype)
            x, image = block.finish(x, image, ws[:, 2 * k], ws[:, 2 * k + 1], "none")
        assert image is not None
        return image


class CoModGAN(InpaintingModel):
    """Every style is an affine map of the style code of the noise and the image's global vector."""

    config: BaselineConfig

    def __init__(self, config: BaselineConfig, generator: Generator | None = None) -> None:
        super().__init__(config, generator)
        G = config.generator
        global_dim = 2 * G.w_dim
        self.sides = resolutions(config.encoder_resolution)
        self.mapping = NoiseMapping(G)
        self.encoder = ConditionalEncoder(G.channels, config.encoder_resolution)
        self.to_global = FullyConnectedLayer(16 * G.channels[0], global_dim, linear=False)
        self.synthesis = CoModulatedSynthesis(G, global_dim)

    def _normalizing_part(self) -> NoiseMapping:
        return self.mapping

    def _encode(self, given: Tensor) -> Encoding:
        seen = given.to(self.precision).contiguous(memory_format=torch.channels_last)
        features = self.encoder(seen)
        return Encoding(
            global_vector=self.to_global(features[4].float().flatten(1)),
            **{f"features{side}": x for side, x in features.items()},
        )

    def mix(self, encoding: Encoding, w_rand: Tensor) -> Tensor:
        """Return the model's own codes of the sampled ones, which the image joins in `render`."""
        codes: Tensor = self.mapping(w_rand)
        return codes

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `InpaintingModel.render`."""
        vector = encoding["global_vector"][:, None].expand(-1, ws.shape[1], -1)
        features = {side: encoding[f"features{side}"] for side in self.sides}
        return self.synthesis.of_features(features, torch.cat([ws, vector], dim=2), self.precision)

    def convolutional_parts(self) -> Sequence[nn.Module]:
        """See `InpaintingModel.convolutional_parts`."""
        return (self.encoder,)

    def synthesis_networks(self) -> Sequence[SynthesisNetwork]:
        """See `InpaintingModel.synthesis_networks`."""
        return (self.generator.synthesis, self.synthesis)
