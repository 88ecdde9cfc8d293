"""The detail network: doubles the resolution of a fill, guided by the known pixels around it.

A small U-Net on the grid of the fill. The document's pixels, twice as fine, come in and go out as
sub-pixels (Shi et al. 2016). It adds only detail to an enlarged fill: means over blocks do not
change, so colors still match as before. Applied twice, it makes four times the resolution.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import Count
from inpaint_model.networks.unet import UNet
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


class DetailNetwork(UNet):
    """Fill, known pixels and hole -> the fill at twice the resolution."""

    def __init__(self, config: DetailConfig | None = None) -> None:
        config = config or DetailConfig()
        widths = config.widths
        super().__init__(3 + 4 * 4, 3 * 4, widths, [config.blocks] * len(widths))
        self.config = config
        self.summary = nn.Linear(widths[-1], widths[0])

    @property
    def multiple(self) -> int:
        """The sides of a fill must be multiples of this."""
        return max(self.least_multiple, _BLOCK // 2)

    def forward(self, fill: Tensor, known: Tensor, hole: Tensor) -> Tensor:
        """Return the fill with detail, [N, 3, 2H, 2W].

        Args:
            fill: [N, 3, H, W] in -1..1, also around the hole.
            known: the document, [N, 3, 2H, 2W] in -1..1.
            hole: [N, 1, 2H, 2W], 1 in the hole, where `known` does not count.
        """
        given = torch.cat([known * (1 - hole), hole], dim=1)
        x, coarsest = self.features(torch.cat([fill, F.pixel_unshuffle(given, 2)], dim=1))
        gain = self.summary(coarsest.mean(dim=(2, 3)))[:, :, None, None]
        detail = without_means(F.pixel_shuffle(self.head(x * (1 + gain)), 2).to(fill.dtype))
        return F.interpolate(fill, scale_factor=2.0, mode="bicubic") + detail


def without_means(detail: Tensor) -> Tensor:
    """Subtract the means over blocks of 8 px, interpolated, from [N, C, 8h, 8w]."""
    means = F.avg_pool2d(detail, _BLOCK)
    return detail - F.interpolate(means, scale_factor=float(_BLOCK), mode="bilinear")
