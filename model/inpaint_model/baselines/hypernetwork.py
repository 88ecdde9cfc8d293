"""HyperStyle's hypernetwork (Alaluf et al. 2022): images to offsets of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from inpaint_model.baselines.weight_offsets import offset_shapes
from inpaint_model.networks.config import BaselineConfig
from inpaint_model.networks.encoder import Body
from inpaint_model.networks.ops import FullyConnectedLayer


def trunk(features: int, inner: int, code: int, strides: Sequence[int]) -> nn.Sequential:
    """Return a refinement block's convolutions: features [N, F, s, s] -> code [N, C]."""
    widths = [features, *[inner] * (len(strides) - 1), code]
    layers: list[nn.Module] = []
    for (before, after), stride in zip(pairwise(widths), strides, strict=True):
        layers += [nn.Conv2d(before, after, 3, stride, 1), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def zero_linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer that starts at zero, so that untrained offsets change nothing."""
    linear = nn.Linear(in_features, out_features)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear


class SharedOffsets(nn.Module):
    """The linear layers that the refinement blocks of the widest convolutions share.

    A convolution's code becomes a code for each output channel, and each of those its offsets:
    [N, code] -> [N, C * C].
    """

    def __init__(self, code: int, channels: int) -> None:
        super().__init__()
        self.rows = nn.Linear(code, channels * code)
        self.columns = zero_linear(code, channels)

    def forward(self, code: Tensor) -> Tensor:
        """Return the offsets."""
        rows = self.rows(code).unflatten(1, (-1, code.shape[1]))
        offsets: Tensor = self.columns(rows)
        return offsets.flatten(1)


class HyperNetwork(nn.Module):
    """Erased image, known mask and reconstruction [N, 7, r, r] -> offsets [N, D], float32.

    A shared backbone makes features, and a refinement block for each convolution of the generator
    its offsets. `config.skip.widths` are the inner channels of blocks with and without shared
    layers, and the length of codes.
    """

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        encoder, (inner, own_inner, code) = config.encoder, config.skip.widths
        self.body = Body(7, encoder.widths, encoder.units, encoder.norm)
        halvings = (config.encoder_resolution // 16).bit_length() - 1  # of features to one pixel
        shapes, channels = offset_shapes(config.generator), max(config.generator.channels)
        self.sharing = [shape == (channels, channels) for shape in shapes]
        self.shared = SharedOffsets(code, channels)
        self.blocks = nn.ModuleList()
        for shape, shares in zip(shapes, self.sharing, strict=True):
            features = encoder.widths[3]
            if shares:
                convolutions = trunk(features, inner, code, [1, *[2] * halvings])
                self.blocks.append(nn.Sequential(convolutions, FullyConnectedLayer(code, code)))
            else:
                convolutions = trunk(features, own_inner, code, [2] * max(halvings - 1, 2))
                self.blocks.append(nn.Sequential(convolutions, zero_linear(code, math.prod(shape))))

    def forward(self, seen: Tensor) -> Tensor:
        """Return the offsets."""
        seen = seen.to(self.body.dtype).contiguous(memory_format=torch.channels_last)
        features = self.body(seen)[-1]
        parts = [block(features) for block in self.blocks]
        shared = [
            self.shared(part) if shares else part
            for part, shares in zip(parts, self.sharing, strict=True)
        ]
        return torch.cat([part.float() for part in shared], dim=1)
