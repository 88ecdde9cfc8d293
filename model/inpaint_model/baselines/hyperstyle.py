"""HyperStyle (Alaluf et al. 2022): a hypernetwork changes the generator's weights for each image.

Readings that were chosen:

- First pass: pSp's encoder into W+, as the paper describes it; the original starts from W.
- Training: one stage, jointly, with `--lambda-codes 1`, which keeps the first reconstruction good;
  the original trains its encoder first. Only the result of the last step has a loss, and a step's
  input image is not differentiated, as in the original.
- Offsets: one for all positions of a kernel, as its paper says; in the published code, layers that
  share linear layers have one for each position.
- toRGB layers are left alone.
- Backbone: IR-SE units, as in the encoder, instead of a ResNet.
- Steps: see `STEPS`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from inpaint_model.baselines.hypernetwork import HyperNetwork
from inpaint_model.baselines.psp import CodePredictor
from inpaint_model.baselines.weight_offsets import offset_shapes, synthesize
from inpaint_model.networks.config import BaselineConfig
from inpaint_model.networks.generator import Generator, SynthesisNetwork
from inpaint_model.networks.inpainting_model import Encoding, shrink

# The original refines in up to five steps, each a pass of generator and hypernetwork. Two are the
# fewest in which the hypernetwork sees what its own offsets did.
STEPS = 2


class HyperStyle(CodePredictor):
    """The changed generator's image of the predicted codes.

    The encoding holds all offsets in float32: for `paper-256`, 2.6 million numbers, 10.4 MB an
    image.
    """

    def __init__(self, config: BaselineConfig, generator: Generator | None = None) -> None:
        super().__init__(config, generator)
        self.hypernetwork = HyperNetwork(config)

    def _encode(self, given: Tensor) -> Encoding:
        codes = self.predicted(given)
        return Encoding(codes=codes, offsets=self.offsets(given, codes.detach()))

    def offsets(self, given: Tensor, codes: Tensor) -> Tensor:
        """Return the sum of all steps' offsets [N, D], given the codes of the first pass."""
        shapes = offset_shapes(self.config.generator)
        offsets = codes.new_zeros(1, sum(math.prod(shape) for shape in shapes))
        for _ in range(STEPS):
            with torch.no_grad():
                image = synthesize(self.generator.synthesis, codes, offsets, self.precision)
                seen = torch.cat([given, shrink(image, given.shape[-1])], dim=1)
            with self.mixed_precision():
                offsets = offsets + self.hypernetwork(seen)
        return offsets

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `InpaintingModel.render`."""
        offsets = encoding["offsets"]
        if offsets.stride(0) == 0:  # candidates of one image, see `Encoding.expand`
            offsets = offsets[:1]
        return synthesize(self.generator.synthesis, ws, offsets, self.precision)

    def convolutional_parts(self) -> Sequence[nn.Module]:
        """See `InpaintingModel.convolutional_parts`."""
        return (*super().convolutional_parts(), self.hypernetwork)

    def synthesis_networks(self) -> Sequence[SynthesisNetwork]:
        """Return none: the generator's weights depend on the image."""
        return ()
