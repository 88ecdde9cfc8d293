"""HFGI (Wang et al. 2022): details that codes cannot hold are consulted from the residual.

A first pass predicts codes, as pSp does. What their image lacks, the *distortion map* or residual,
is aligned with the image to be made and then modulates the generator's features (distortion
consultation). Where the method leaves something open, or was not made for holes:

- The residual is known at known pixels only, so the known mask accompanies it as a fourth channel.
- HFGI freezes a pretrained first pass. Here both passes are trained jointly, in one stage and for
  as many images as the other methods; `lambda_codes` 1 trains the first. As with a frozen one, no
  gradient flows through the images of the first pass.
- HFGI trains alignment to undo random perspective distortions. Here `lambda_edit` trains it: the
  edit loss compares edited fills with edits of the bare generator, which is what alignment is for.
- The alignment network adds to the residual, so that an untrained one leaves it where it is.
- Its widths are a quarter of the skip encoder's, since it works on images, not on features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint_model.baselines.psp import CodePredictor
from inpaint_model.networks.config import BaselineConfig
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import Encoding, shrink
from inpaint_model.networks.skip_encoder import ResidualBlock, UNet


class AlignmentNetwork(UNet):
    """HFGI's adaptive distortion alignment (ADA): move the residual to where an image needs it."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        a, b, c = (max(width // 4, 8) for width in widths)
        super().__init__((a, b, c), 4 + 3, 4)

    def forward(self, residual: Tensor, image: Tensor) -> Tensor:
        """Return the residual and mask [N, 4, r, r], aligned with `image` [N, 3, r, r]."""
        return residual + self.output(residual, image).to(residual.dtype)


class ConsultationEncoder(nn.Module):
    """Aligned residual and mask [N, 4, r, r] -> gate and shift, [N, C, side, side] each.

    Its last layer starts at zero: an untrained one changes nothing.
    """

    def __init__(self, width: int, side: int, channels: int) -> None:
        super().__init__()
        self.side = side
        self.down = nn.Sequential(ResidualBlock(4, width, 2), ResidualBlock(width, width, 2))
        self.refine = ResidualBlock(width, width)
        self.leave = nn.Conv2d(width, 2 * channels, 3, 1, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gate, of which 0 leaves features as they are, and the shift."""
        x = self.down(residual.to(self.leave.weight.dtype))
        gate, shift = self.leave(self.refine(shrink(x, self.side))).chunk(2, dim=1)
        return gate, shift


class HFGI(CodePredictor):
    """The generator's image of the codes, with features modulated by what the residual says."""

    def __init__(self, config: BaselineConfig, generator: Generator | None = None) -> None:
        super().__init__(config, generator)
        s = config.skip_resolution
        widths = config.skip.widths
        self.align = AlignmentNetwork(widths)
        self.consult = ConsultationEncoder(widths[0], s, config.generator.channels_at(s))

    def _encode(self, given: Tensor) -> Encoding:
        codes = self.predicted(given)
        return Encoding(codes=codes, residual=self._residual(given, codes))

    @torch.no_grad()
    def _residual(self, given: Tensor, codes: Tensor) -> Tensor:
        """Return what the image of the codes lacks at known pixels, and their mask."""
        image = self.generator.synthesis(codes, dtype=self.precision)
        known = given[:, 3:]
        lacking = given[:, :3] - known * shrink(image, given.shape[-1])
        return torch.cat([lacking, known], dim=1)  # [N, 4, r, r]

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `InpaintingModel.render`."""
        synthesis, residual = self.generator.synthesis, encoding["residual"]
        x, rgb = synthesis.head(ws, self.config.skip_resolution, dtype=self.precision)
        with torch.no_grad():
            image = shrink(synthesis.tail(x, rgb, ws), residual.shape[-1])
        with self.mixed_precision():
            gate, shift = self.consult(self.align(residual, image))
        return synthesis.tail(x * (1 + gate.to(x.dtype)) + shift.to(x.dtype), rgb, ws)

    def convolutional_parts(self) -> tuple[nn.Module, ...]:
        """See `InpaintingModel.convolutional_parts`."""
        return (*super().convolutional_parts(), self.align, self.consult)
