"""The encoder of the erased image (section 3.1), as in pSp (Richardson et al. 2021)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import EncoderConfig, Norm
from inpaint_model.networks.ops import FullyConnectedLayer, PointwiseConv2d
from inpaint_model.networks.style_levels import COARSE, MIDDLE


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Return a batch norm, or a group norm with about eight channels per group."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    groups = next(g for g in range(max(channels // 8, 1), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels)


class SqueezeExcitation(nn.Module):
    """Scale channels by gates (0..1) computed from their means (Hu et al. 2018)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the gates."""
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean(dim=(2, 3))))))
        return x * gate[:, :, None, None]


class IRSEUnit(nn.Module):
    """Improved residual unit with squeeze and excitation; it divides the size by `stride`."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.shortcut: nn.Module
        if in_channels == out_channels:
            self.shortcut = nn.MaxPool2d(1, stride)
        else:
            self.shortcut = nn.Sequential(
                PointwiseConv2d(in_channels, out_channels, stride, bias=False),
                norm_layer(norm, out_channels),
            )
        self.residual = nn.Sequential(
            norm_layer(norm, in_channels),
            nn.Conv2d(in_channels, out_channels, 3, 1, 1, bias=False),
            nn.PReLU(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, stride, 1, bias=False),
            norm_layer(norm, out_channels),
            SqueezeExcitation(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the unit."""
        y: Tensor = self.shortcut(x) + self.residual(x)
        return y


class Body(nn.Module):
    """A stem and groups of IR-SE units."""

    def __init__(
        self, in_channels: int, widths: tuple[int, ...], units: tuple[int, ...], norm: Norm
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, 1, 1, bias=False),
            norm_layer(norm, widths[0]),
            nn.PReLU(widths[0]),
        )
        groups, channels = [], widths[0]
        for width, count in zip(widths, units, strict=True):
            group = [IRSEUnit(channels, width, 2, norm)]
            group += [IRSEUnit(width, width, 1, norm) for _ in range(count - 1)]
            groups.append(nn.Sequential(*group))
            channels = width
        self.groups = nn.ModuleList(groups)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the convolutions."""
        return next(self.parameters()).dtype

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the output [N, widths[g], R / 2^(g+1), R / 2^(g+1)] of every group g."""
        x, taps = self.stem(x), []
        for group in self.groups:
            x = group(x)
            taps.append(x)
        return taps


def _trunk(channels: int, spatial: int) -> nn.Sequential:
    """Return convolutions down to one pixel, with output [N, C]."""
    layers: list[nn.Module] = []
    while spatial > 1:
        layers += [nn.Conv2d(channels, channels, 3, 2, 1), nn.LeakyReLU(0.01)]
        spatial //= 2
    return nn.Sequential(*layers, nn.Flatten())


Levels = tuple[Tensor, Tensor, Tensor]  # [N, pyramid, r, r] at 1/16, 1/8 and 1/4


class EncoderOutput(NamedTuple):
    """The encoder's output."""

    tokens: Tensor  # [N, tokens_per_style * num_ws, w_dim], float32, in the paper's order
    features: Tensor  # [N, widths[1], R / 4, R / 4], for the skip encoder


class Encoder(nn.Module):
    """Erased image and known mask [N, 4, R, R] -> tokens and features."""

    def __init__(
        self,
        config: EncoderConfig,
        resolution: int,
        num_ws: int,
        w_dim: int,
        tokens_per_style: int = 2,
    ) -> None:
        super().__init__()
        self.config, self.num_ws, self.w_dim = config, num_ws, w_dim
        self.tokens_per_style = tokens_per_style
        widths, pyramid = config.widths, config.pyramid
        self.body = Body(4, widths, config.units, config.norm)
        # Unlike pSp's, a compact body may be narrower than the pyramid.
        self.coarse = nn.Identity() if widths[3] == pyramid else nn.Conv2d(widths[3], pyramid, 1)
        self.lateral2 = nn.Conv2d(widths[2], pyramid, 1)
        self.lateral1 = nn.Conv2d(widths[1], pyramid, 1)
        # Styles read maps at 1/16 (COARSE), 1/8 (MIDDLE) and 1/4 (FINE) of the resolution.
        self.levels = [(k >= COARSE.stop) + (k >= MIDDLE.stop) for k in range(num_ws)]
        spatial = [resolution // 16, resolution // 8, resolution // 4]
        if config.heads == "separate":
            self.trunks = nn.ModuleList(_trunk(pyramid, spatial[level]) for level in self.levels)
        else:
            self.trunks = nn.ModuleList(_trunk(pyramid, side) for side in spatial)
        self.to_tokens = nn.ModuleList(
            FullyConnectedLayer(pyramid, tokens_per_style * w_dim) for _ in range(num_ws)
        )

    def convolutional_parts(self) -> tuple[nn.Module, ...]:
        """Return all parts except the last linear layers, which compute in float32."""
        return self.body, self.coarse, self.lateral1, self.lateral2, self.trunks

    def forward(self, x: Tensor) -> EncoderOutput:
        """Return tokens and features."""
        features, levels = self.maps(x)
        return EncoderOutput(self.tokens(self.style_vectors(levels)), features)

    def maps(self, x: Tensor) -> tuple[Tensor, Levels]:
        """Return the features of `EncoderOutput`, and the maps of the pyramid, coarsest first."""
        _, c1, c2, c3 = self.body(x)
        c3 = self.coarse(c3)
        p2 = self.lateral2(c2) + _double(c3)
        p1 = self.lateral1(c1) + _double(p2)
        return c1, (c3, p2, p1)

    def style_vectors(self, levels: Levels) -> Tensor:
        """Return what the heads make of the pyramid: [N, num_ws, pyramid], float32."""
        if self.config.heads == "separate":
            pooled = [
                trunk(levels[level]) for trunk, level in zip(self.trunks, self.levels, strict=True)
            ]
        else:
            shared = [trunk(x) for trunk, x in zip(self.trunks, levels, strict=True)]
            pooled = [shared[level] for level in self.levels]
        return torch.stack([x.float() for x in pooled], dim=1)

    def tokens(self, vectors: Tensor) -> Tensor:
        """Return the tokens of `EncoderOutput`."""
        tokens = [head(x) for head, x in zip(self.to_tokens, vectors.unbind(dim=1), strict=True)]
        stacked = torch.stack(tokens, dim=1)  # [N, num_ws, tokens_per_style * w_dim]
        return stacked.reshape(len(vectors), -1, self.w_dim)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
