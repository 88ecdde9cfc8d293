"""The trained part of a projected discriminator: a small network for each mixed feature map.

Sauer et al. 2021, section 3.3 and appendix: spectral norm on every convolution, batch norm, average
pooling down to 8 px, then one 4 x 4 convolution to logits. Convolutions are separable.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

LAST_SIDE = 8  # px at which the logits are read
MAX_WIDTH = 256


class SeparableBlock(nn.Module):
    """Depthwise 3 x 3 convolution, pooling if `down`, 1 x 1 convolution, batch norm, leaky ReLU.

    Pooling comes where a strided convolution would have its stride, so that all after it costs a
    quarter.
    """

    def __init__(self, in_channels: int, out_channels: int, down: bool) -> None:
        """down: halve the size, by average pooling."""
        super().__init__()
        self.depthwise = spectral_norm(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        )
        self.pointwise = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
        # Always the batch's own statistics: heads are never used outside of training.
        self.norm = nn.BatchNorm2d(out_channels, track_running_stats=False)
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        """[N, I, h, w] -> [N, O, h, w], or half of that size."""
        x = self.depthwise(x)
        x = self.pointwise(F.avg_pool2d(x, 2) if self.down else x)
        return F.leaky_relu(self.norm(x), 0.2)


class Head(nn.Sequential):
    """A mixed map [N, channels, side, side] -> logits [N, count].

    At least one trained block stands before the logits: a linear layer on fixed features does not
    see a whole face in the coarsest map, and one half of the face comes out before the other.
    """

    def __init__(self, channels: int, side: int) -> None:
        """channels, side: those of the mixed map; one of more than 8 px is halved down to that."""
        blocks: list[nn.Module] = []
        while side > LAST_SIDE or not blocks:
            width = min(2 * channels, MAX_WIDTH)
            blocks.append(SeparableBlock(channels, width, down=side > LAST_SIDE))
            channels, side = width, side // 2 if side > LAST_SIDE else side
        logits = spectral_norm(nn.Conv2d(channels, 1, min(4, side), bias=False))
        super().__init__(*blocks, logits, nn.Flatten())
