"""The skip encoder (section 3.1, figure 3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import SkipConfig
from inpaint_model.networks.ops import PointwiseConv2d


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut and stride s: [N, O, H/s, W/s]."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
        self.conv1 = nn.Conv2d(out_channels, out_channels, 3, 1, 1)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and in_channels == out_channels
            else PointwiseConv2d(in_channels, out_channels, stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        y: Tensor = self.conv1(F.leaky_relu(self.conv0(x), 0.2)) + self.shortcut(x)
        return F.leaky_relu(y, 0.2)


class UNet(nn.Module):
    """The layers of a U-Net over three resolutions, for networks that correct something.

    Its last layer starts at zero: untrained, it returns zeros.
    """

    def __init__(self, widths: tuple[int, int, int], in_channels: int, out_channels: int) -> None:
        super().__init__()
        a, b, c = widths
        self.enter = nn.Conv2d(in_channels, a, 1)
        self.down0 = ResidualBlock(a, a)
        self.down1 = nn.Sequential(ResidualBlock(a, b, 2), ResidualBlock(b, b))
        self.down2 = nn.Sequential(ResidualBlock(b, c, 2), ResidualBlock(c, c))
        self.up1 = ResidualBlock(c + b, b)
        self.up0 = ResidualBlock(b + a, a)
        self.leave = nn.Conv2d(a, out_channels, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def output(self, *maps: Tensor) -> Tensor:
        """Return [N, out_channels, s, s], given maps [N, ..., s, s] with `in_channels` in all."""
        x = torch.cat([part.to(self.enter.weight.dtype) for part in maps], dim=1)
        x0 = self.down0(self.enter(x))
        x1 = self.down1(x0)
        x2 = self.down2(x1)
        y1 = self.up1(torch.cat([_double(x2), x1], dim=1))
        y0 = self.up0(torch.cat([_double(y1), x0], dim=1))
        y: Tensor = self.leave(y0)
        return y


class SkipEncoder(UNet):
    """A U-Net that corrects generator features with encoder features.

    An untrained skip encoder changes nothing.
    """

    def __init__(self, config: SkipConfig, encoder_channels: int, generator_channels: int) -> None:
        in_channels = encoder_channels + generator_channels + 1
        super().__init__(config.widths, in_channels, generator_channels)

    def forward(self, encoded: Tensor, generated: Tensor, hole: Tensor) -> Tensor:
        """Add the correction to `generated` [N, G, s, s], in its precision.

        `encoded` is [N, E, s, s]; `hole` [N, 1, s, s] is each cell's fraction inside it, 0..1.
        """
        return generated + self.output(encoded, generated, hole).to(generated.dtype)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
