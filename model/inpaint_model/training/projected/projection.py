"""Fixed random mixing of a feature network's maps (Sauer et al. 2021, section 3.2).

A discriminator attends to only a few raw features. Mixing spreads the information: across channels
by 1 x 1 convolutions, and from coarser to finer maps by 3 x 3 convolutions and upsampling.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (64, 128, 128, 256)  # channels of the mixed maps, from fine to coarse


def random_kernel(out_channels: int, in_channels: int, size: int) -> Tensor:
    """Draw Kaiming-normal weights, which double the mean square."""
    return torch.randn(out_channels, in_channels, size, size) * math.sqrt(
        2 / (in_channels * size**2)
    )


class Projection(nn.Module):
    """Mixes maps of all scales; `deviation` is their standard deviation, 0 until `calibrate`."""

    deviation: Tensor

    def __init__(self, channels: Sequence[int], widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.scales = len(channels)
        self.register_buffer("deviation", torch.zeros(self.scales))
        for level, (count, width) in enumerate(zip(channels, widths, strict=True)):
            self.register_buffer(f"across_channels{level}", random_kernel(width, count, 1))
            if level:
                self.register_buffer(
                    f"across_scales{level}", random_kernel(widths[level - 1], width, 3)
                )

    @torch.no_grad()
    def calibrate(self, maps: Sequence[Tensor]) -> None:
        """Measure ranges, which differ between networks by a factor of ten."""
        self.deviation.copy_(torch.stack([x.float().std() for x in maps]).clamp_min(1e-6))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Mix maps [N, C, h, w], fine to coarse, each half the size of the previous one."""
        mixed: list[Tensor] = []
        for level in reversed(range(self.scales)):
            x = maps[level]
            across_channels = getattr(self, f"across_channels{level}") / self.deviation[level]
            y = F.conv2d(x, across_channels.to(x.dtype))
            if mixed:
                across_scales = getattr(self, f"across_scales{level + 1}")
                # Before upsampling, where it costs a quarter.
                coarse = F.conv2d(mixed[0], across_scales.to(x.dtype), padding=1)
                coarse = F.interpolate(coarse, y.shape[-2:], mode="bilinear", align_corners=False)
                y = (y + coarse) * math.sqrt(0.5)
            mixed.insert(0, y)
        return mixed
