"""The U-Net (Ronneberger et al. 2015) of the networks that improve fills, without normalization."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """Residual blocks at halving resolutions, and a head that starts at 0."""

    def __init__(
        self, inputs: int, outputs: int, widths: Sequence[int], blocks: Sequence[int]
    ) -> None:
        """Make layers for `inputs` and `outputs` channels.

        `widths` are the channels at 1, 1/2, 1/4, ... of the resolution, and `blocks` the number of
        blocks there, on the way down and on the way up.
        """
        super().__init__()
        levels = list(zip(widths, blocks, strict=True))
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(_blocks(*level) for level in levels)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.ups = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.decoders = nn.ModuleList(_blocks(*level) for level in levels[:-1])
        self.head = nn.Conv2d(widths[0], outputs, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    @property
    def least_multiple(self) -> int:
        """The sides of an input must be multiples of this."""
        return 1 << len(self.downs)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return features at the finest level, for the head, and at the coarsest.

        The input [N, inputs, H, W] may have any precision.
        """
        x = self.stem(x.to(self.stem.weight.dtype, memory_format=torch.channels_last))
        levels = [self.encoders[0](x)]
        for down, encoder in zip(self.downs, self.encoders[1:], strict=True):
            levels.append(encoder(down(levels[-1])))
        x = coarsest = levels.pop()
        for up, decoder in zip(reversed(self.ups), reversed(self.decoders), strict=True):
            x = decoder(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + levels.pop())
        return x, coarsest


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(width, width, 3, padding=1)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():  # without normalization, sums of blocks would grow
            self.conv1.weight *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu_(self.conv0(F.leaky_relu(x, 0.2)), 0.2)
        residual: Tensor = self.conv1(inner)
        return residual.add_(x)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(width) for _ in range(count)))
