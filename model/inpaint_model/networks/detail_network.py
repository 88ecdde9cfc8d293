"""The detail network: doubles the resolution of a fill, guided by the known pixels around it.

A small U-Net (Ronneberger et al. 2015) on the grid of the fill. The document's pixels, twice as
fine, come in and go out as sub-pixels (Shi et al. 2016). It adds only detail to an enlarged fill:
means over blocks do not change, so colors still match as before. Applied twice, it makes four times
the resolution.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import Count
from inpaint_model.networks.validation import Several, closed

_BLOCK = 8  # side of the blocks whose means do not change, px of the result


@closed
@dataclass(frozen=True)
class DetailConfig:
    """Configuration of a detail network, stored in model.yaml."""

    widths: Several[Count] = (32, 64, 96)  # channels at 1, 1/2, 1/4, ... of the fill's resolution
    blocks: Count = 2  # per level, on the way down and on the way up

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of model.yaml."""
        return asdict(self) | {"widths": list(self.widths)}


class DetailNetwork(nn.Module):
    """Fill, known pixels and hole -> the fill at twice the resolution."""

    def __init__(self, config: DetailConfig | None = None) -> None:
        super().__init__()
        self.config = config or DetailConfig()
        widths, blocks = self.config.widths, self.config.blocks
        self.stem = nn.Conv2d(3 + 4 * 4, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(_blocks(width, blocks) for width in widths)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.summary = nn.Linear(widths[-1], widths[0])
        self.ups = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.decoders = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.head = nn.Conv2d(widths[0], 3 * 4, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    @property
    def multiple(self) -> int:
        """The sides of a fill must be multiples of this."""
        return max(1 << (len(self.config.widths) - 1), _BLOCK // 2)

    def forward(self, fill: Tensor, known: Tensor, hole: Tensor) -> Tensor:
        """Return the fill with detail, [N, 3, 2H, 2W].

        Args:
            fill: [N, 3, H, W] in -1..1, also around the hole.
            known: the document, [N, 3, 2H, 2W] in -1..1.
            hole: [N, 1, 2H, 2W], 1 in the hole, where `known` does not count.
        """
        given = torch.cat([known * (1 - hole), hole], dim=1)
        x = torch.cat([fill, F.pixel_unshuffle(given, 2)], dim=1)
        x = self.stem(x.to(self.stem.weight.dtype, memory_format=torch.channels_last))
        levels = [self.encoders[0](x)]
        for down, encoder in zip(self.downs, self.encoders[1:], strict=True):
            levels.append(encoder(down(levels[-1])))
        x = levels.pop()
        gain = self.summary(x.mean(dim=(2, 3)))[:, :, None, None]
        for up, decoder in zip(reversed(self.ups), reversed(self.decoders), strict=True):
            x = decoder(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + levels.pop())
        detail = without_means(F.pixel_shuffle(self.head(x * (1 + gain)), 2).to(fill.dtype))
        return F.interpolate(fill, scale_factor=2.0, mode="bicubic") + detail


def without_means(detail: Tensor) -> Tensor:
    """Subtract the means over blocks of 8 px, interpolated, from [N, C, 8h, 8w]."""
    means = F.avg_pool2d(detail, _BLOCK)
    return detail - F.interpolate(means, scale_factor=float(_BLOCK), mode="bilinear")


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(width, width, 3, padding=1)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():  # without normalization, sums of blocks would grow
            self.conv1.weight *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.conv1(F.leaky_relu(self.conv0(F.leaky_relu(x, 0.2)), 0.2))
        return x + residual


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(width) for _ in range(count)))
