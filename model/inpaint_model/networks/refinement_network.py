"""The refinement network: redraws what the generator draws badly, such as eyes.

As in two-stage inpainting (Yu et al. 2018), a second network sees the image with the fill in the
hole. It is a small U-Net that changes the fill at its own resolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from inpaint_model.networks.color_shift import blended
from inpaint_model.networks.config import Count, Depth
from inpaint_model.networks.unet import UNet
from inpaint_model.networks.validation import Finite, Several, closed


@closed
@dataclass(frozen=True)
class RefinementConfig:
    """Configuration of a refinement network, stored in model.yaml."""

    widths: Several[Count] = (32, 64, 96, 128)  # channels at 1, 1/2, 1/4, ... of the resolution
    blocks: Several[Depth] = (1, 2, 2, 2)  # on the way down and on the way up
    # Where fills may change, such as eyes: centers (x, y) and radius of discs, in sides of the
    # image. None: everywhere.
    places: Several[tuple[Finite, Finite, Finite]] = ()

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks) or min(self.widths, default=0) < 1:
            raise ValueError(
                f"widths {self.widths} and blocks {self.blocks} must name as many levels, with at "
                "least one channel each"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of model.yaml."""
        lists = {name: list(value) for name, value in asdict(self).items()}
        return lists | {"places": [list(place) for place in self.places]}


class RefinementNetwork(UNet):
    """Fill, erased image and hole -> a better fill."""

    def __init__(self, config: RefinementConfig | None = None) -> None:
        config = config or RefinementConfig()
        super().__init__(3 + 1, 3, config.widths, config.blocks)
        self.config = config

    def forward(self, fill: Tensor, erased: Tensor, hole: Tensor, where: Tensor) -> Tensor:
        """Return the fill [N, 3, H, W], changed only in the hole.

        Args:
            fill: [N, 3, H, W], nominally -1..1, also around the hole.
            erased: the image, [N, 3, H, W] in -1..1, with 0 in the hole.
            hole: [N, 1, H, W], 1 in the hole.
            where: `strength` in this part of the image, broadcast to [N, 1, H, W].
        """
        seen = blended(fill, erased, hole)
        x, _ = self.features(torch.cat([seen, hole], dim=1))
        change: Tensor = hole * where * self.head(x).to(fill.dtype)
        return fill + change


def strength(places: Sequence[tuple[float, float, float]], resolution: int) -> Tensor:
    """Return how far each pixel of an image may change, [1, 1, R, R] in 0..1.

    `places` are those of `RefinementConfig`. It is 1 in the inner half of each disc and falls to 0
    at its edge.
    """
    shape = (1, 1, resolution, resolution)
    if not places:
        return torch.ones(shape)
    at = (torch.arange(resolution) + 0.5) / resolution
    discs = [
        (2 - 2 * torch.hypot(at - x, (at - y)[:, None]) / radius).clamp(0, 1)
        for x, y, radius in places
    ]
    return torch.stack(discs).amax(dim=0).expand(shape)
