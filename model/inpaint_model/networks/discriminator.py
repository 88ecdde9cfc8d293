"""The StyleGAN2 discriminator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from inpaint_model.networks.config import DiscriminatorConfig, resolutions
from inpaint_model.networks.generator import MappingNetwork
from inpaint_model.networks.ops import EPSILON, Conv2dLayer, FullyConnectedLayer


class DiscriminatorBlock(nn.Module):
    """[N, I, r, r] -> [N, O, r/2, r/2]; with `from_rgb`, the input is an image."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        from_rgb: bool,
        conv_clamp: float | None,
        skip_clamp: float | None,
    ) -> None:
        super().__init__()
        if from_rgb:
            self.from_rgb = Conv2dLayer(3, in_channels, 1, conv_clamp=conv_clamp)
        self.conv0 = Conv2dLayer(in_channels, in_channels, 3, conv_clamp=conv_clamp)
        self.conv1 = Conv2dLayer(in_channels, out_channels, 3, down=True, conv_clamp=conv_clamp)
        self.skip = Conv2dLayer(
            in_channels, out_channels, 1, bias=False, linear=True, down=True, conv_clamp=skip_clamp
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        if hasattr(self, "from_rgb"):
            x = self.from_rgb(x)
        y: Tensor = self.skip(x, gain=math.sqrt(0.5))
        z: Tensor = self.conv1(self.conv0(x), gain=math.sqrt(0.5))
        return y + z


def minibatch_stddev(x: Tensor, group_size: int, num_channels: int = 1) -> Tensor:
    """Append the standard deviation over groups of samples: [N, C + num_channels, H, W].

    Samples i, i + N/G, i + 2N/G, ... form a group of G, the largest divisor of N up to
    `group_size`.
    """
    N, C, H, W = x.shape
    G = next(g for g in range(min(group_size, N), 0, -1) if N % g == 0)
    y = x.float().reshape(G, N // G, num_channels, C // num_channels, H, W)
    y = y - y.mean(dim=0)
    y = (y.square().mean(dim=0) + EPSILON).sqrt().mean(dim=(2, 3, 4))  # [N/G, num]
    y = y[:, :, None, None].repeat(G, 1, H, W).to(x.dtype)
    return torch.cat([x, y], dim=1)


class DiscriminatorEpilogue(nn.Module):
    """The last block, at 4 px: logits [N, 1], or [N, cmap_dim] with labels."""

    def __init__(self, channels: int, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        self.conv = Conv2dLayer(
            channels + config.mbstd_num_channels, channels, 3, conv_clamp=config.conv_clamp
        )
        self.fc = FullyConnectedLayer(channels * 16, channels, linear=False)
        self.out = FullyConnectedLayer(channels, config.cmap_dim if config.c_dim else 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block."""
        if self.config.mbstd_num_channels:
            x = minibatch_stddev(x, self.config.mbstd_group_size, self.config.mbstd_num_channels)
        x = self.conv(x).float().flatten(1)
        logits: Tensor = self.out(self.fc(x))
        return logits


class Discriminator(nn.Module):
    """Images [N, 3, R, R] in -1..1 (and labels c [N, c_dim]) -> logits [N, 1]."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        sizes = resolutions(config.resolution)
        for index in range(len(sizes) - 1, 0, -1):
            block = DiscriminatorBlock(
                config.channels[index],
                config.channels[index - 1],
                from_rgb=sizes[index] == config.resolution,
                conv_clamp=config.conv_clamp,
                skip_clamp=config.conv_clamp if config.clamp_skip else None,
            )
            self.add_module(f"b{sizes[index]}", block)
        if config.c_dim:
            self.mapping = MappingNetwork(
                0, config.c_dim, config.cmap_dim, None, config.num_mapping_layers
            )
        self.b4 = DiscriminatorEpilogue(config.channels[0], config)

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the blocks' outputs [N, C, r, r], from r = R/2 down to 4 px."""
        x, out = image, []
        for resolution in reversed(resolutions(self.config.resolution)[1:]):
            x = getattr(self, f"b{resolution}")(x)
            out.append(x)
        return out

    def forward(self, image: Tensor, c: Tensor | None = None) -> Tensor:
        """Return logits; higher means more realistic.

        Raises:
            ValueError: Wrong shape, or no labels.
        """
        R = self.config.resolution
        if image.ndim != 4 or image.shape[1:] != (3, R, R):
            raise ValueError(f"images have shape {list(image.shape)}, expected [N, 3, {R}, {R}]")
        logits: Tensor = self.b4(self.features(image)[-1])
        if self.config.c_dim:
            cmap = self.mapping.map(None, c)
            logits = (logits * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.config.cmap_dim)
        return logits
