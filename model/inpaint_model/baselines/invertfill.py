"""InvertFill (Yu et al., ECCV 2022): the latent space F&W+, and a mean code that follows the image.

No code was ever released: nothing but the paper exists, and we worked from its abstract. It names
three modules; how they compute is our reading, so this is not a copy of the authors' networks.

- *Pre-modulation* makes style vectors more discriminative by structures at several scales. Read as:
  the vector of each style, from one level of the encoder's pyramid, is scaled and shifted by what
  the maps of all levels contain on average, as StyleGAN2 later modulates features by the style.
- *F&W+*: besides the codes W+, the encoder predicts a feature map F that takes the place of the
  generator's features, against differences of color and meaning at the border. Were F all that
  remains of the layers below it, an edit of their codes would change nothing; so a gate decides for
  each feature how far F replaces it. It is 0 when untrained, and `lambda_edit` keeps it from
  closing out edits. F lies at `skip_resolution`, as what the other methods of the table replace.
- *Soft-update mean latent* brings in more of the generator's domain for large holes. Read as: the
  mean code from which predicted offsets start moves toward an attention-weighted mean of codes that
  the generator has sampled once, at a learned rate that starts at 0. It depends on the image only,
  and has no state besides those codes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from inpaint_model.baselines.psp import CodePredictor
from inpaint_model.networks.config import BaselineConfig
from inpaint_model.networks.encoder import Levels
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import Encoding, shrink
from inpaint_model.networks.skip_encoder import UNet

SAMPLED = 256  # codes of which the mean latent is made


def structures_of(levels: Levels) -> Tensor:
    """Return each channel's mean at each scale, [N, 3 * pyramid], float32."""
    return torch.cat([level.float().mean(dim=(2, 3)) for level in levels], dim=1)


class PreModulation(nn.Module):
    """Scale and shift the vectors of the styles by multi-scale structures.

    Untrained, it changes nothing.
    """

    def __init__(self, channels: int, num_ws: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(3 * channels, num_ws * 2 * channels)
        for parameter in self.modulation.parameters():
            nn.init.zeros_(parameter)

    def forward(self, vectors: Tensor, structures: Tensor) -> Tensor:
        """Return [N, num_ws, C], given vectors [N, num_ws, C] and structures [N, 3 C]."""
        _, num_ws, C = vectors.shape
        scale, shift = self.modulation(structures).unflatten(1, (num_ws, 2, C)).unbind(dim=2)
        modulated: Tensor = vectors * (1 + scale) + shift
        return modulated


class SoftUpdateMeanLatent(nn.Module):
    """Move the mean code toward sampled codes that suit the image.

    Untrained, it is the generator's mean.
    """

    sampled: Tensor

    def __init__(self, channels: int, w_dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(3 * channels, w_dim)
        self.rate = nn.Parameter(torch.zeros(()))
        self.register_buffer("sampled", torch.zeros(SAMPLED, w_dim))

    def forward(self, structures: Tensor, w_avg: Tensor, w_std: Tensor) -> Tensor:
        """Return a mean code [N, w_dim] for each image."""
        query: Tensor = self.query(structures)
        away = self.sampled - w_avg
        attention = (query @ (away / w_std).T / math.sqrt(len(w_avg))).softmax(dim=1)
        return w_avg + self.rate * (attention @ away)


class FeatureEncoder(UNet):
    """The finest map of the pyramid and the hole -> F, and how far it replaces features."""

    def forward(self, level: Tensor, hole_fraction: Tensor) -> tuple[Tensor, Tensor]:
        """Return F and the gate [N, C, s, s], the latter in -1..1: 0 = keep, 1 = replace."""
        features, gate = self.output(level, hole_fraction).chunk(2, dim=1)
        return features, gate.tanh()


class InvertFill(CodePredictor):
    """Codes W+ relative to a mean of the image's own, and features F midway."""

    def __init__(self, config: BaselineConfig, generator: Generator | None = None) -> None:
        super().__init__(config, generator)
        G, pyramid = config.generator, config.encoder.pyramid
        self.pre_modulation = PreModulation(pyramid, G.num_ws)
        self.mean_latent = SoftUpdateMeanLatent(pyramid, G.w_dim)
        channels = G.channels_at(config.skip_resolution)
        self.features = FeatureEncoder(config.skip.widths, pyramid + 1, 2 * channels)

    def estimate_w_statistics(self, samples: int = 10_000, seed: int = 0) -> None:
        """See `InpaintingModel.estimate_w_statistics`; also sample codes for the mean latent."""
        super().estimate_w_statistics(samples, seed)
        self.mean_latent.sampled.copy_(self.sampled_codes(SAMPLED, seed))

    def _encode(self, given: Tensor) -> Encoding:
        encoder, s = self.codes.encoder, self.config.skip_resolution
        seen = given.to(encoder.body.dtype).contiguous(memory_format=torch.channels_last)
        hole_fraction = 1 - shrink(given[:, 3:], s)
        with self.mixed_precision():
            _, levels = encoder.maps(seen)
            vectors = encoder.style_vectors(levels)
            features, gate = self.features(shrink(levels[2], s), hole_fraction)
        structures = structures_of(levels)
        mean = self.mean_latent(structures, self.w_avg, self.w_std)
        offsets = encoder.tokens(self.pre_modulation(vectors, structures))
        return Encoding(
            codes=mean[:, None] + self.w_std * offsets,
            features=features,  # [N, C, s, s]
            gate=gate,  # [N, C, s, s]
        )

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `InpaintingModel.render`."""
        synthesis, s = self.generator.synthesis, self.config.skip_resolution
        x, rgb = synthesis.head(ws, s, dtype=self.precision)
        features, gate = (encoding[name].to(x.dtype) for name in ("features", "gate"))
        return synthesis.tail(x + gate * (features - x), rgb, ws)

    def convolutional_parts(self) -> tuple[nn.Module, ...]:
        """See `InpaintingModel.convolutional_parts`."""
        return (*super().convolutional_parts(), self.features)
