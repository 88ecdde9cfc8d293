"""Match the color and light of a fill to the known ring.

Means over blocks of about two model pixels are compared, the finest detail of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.document.pyramid import known_block_means


class ColorTransform(NamedTuple):
    """A change of contrast, color and light: color * gain + plane."""

    gain: Tensor  # [3]
    plane: Tensor  # [3, 3]: per channel, the center value and the slopes in x and y (-1..1)

    def applied(self, image: Tensor) -> Tensor:
        """Change an image [3, H, W]."""
        rows, columns = image.shape[1:]
        y, x = torch.linspace(-1, 1, rows)[:, None], torch.linspace(-1, 1, columns)
        offset, slope_x, slope_y = self.plane[..., None, None].unbind(1)
        return image * self.gain[:, None, None] + (offset + slope_x * x) + slope_y * y


@dataclass(frozen=True, eq=False)
class RingStatistics:
    """Mean colors of blocks of the known ring."""

    ring: Tensor  # bool [H, W]
    block: int  # side, px
    at: Tensor  # bool [h, w]: blocks that overlap the ring
    places: Tensor  # [2, n]: their x and y, -1..1
    colors: Tensor  # [3, n]

    @classmethod
    def of(cls, image: Tensor, ring: Tensor, upscale_factor: float) -> RingStatistics:
        """Measure an image [3, H, W] on a ring."""
        block = max(1, round(2 * upscale_factor))
        at = F.max_pool2d(ring[None].float(), block, ceil_mode=True)[0] > 0
        row, column = torch.nonzero(at, as_tuple=True)
        rows, columns = ring.shape
        x = ((column + 0.5) * block * 2 / columns - 1).clamp(max=1)
        y = ((row + 0.5) * block * 2 / rows - 1).clamp(max=1)
        colors = known_block_means(image.clamp(0, 1), ring, block)[0][:, at]
        return cls(ring, block, at, torch.stack([x, y]), colors)

    def tone(self, fill: Tensor) -> ColorTransform:
        """Return the change that brings a fill [3, H, W] closest to the known colors."""
        shown, seen = known_block_means(fill, self.ring, self.block)[0][:, self.at], self.colors
        seen_mean, shown_mean = seen.mean(1, keepdim=True), shown.mean(1, keepdim=True)
        df, dk = shown - shown_mean, seen - seen_mean
        variance = df.square().mean(1, keepdim=True).clamp(min=1e-6)
        ratio = (dk.square().mean(1, keepdim=True).clamp(min=1e-6) / variance).sqrt()
        alike = ((df * dk).mean(1, keepdim=True) / (variance * ratio)).clamp(0, 1)
        gain = 1 + alike * (ratio.clamp(0.8, 1.25) - 1)
        plane = _plane(self.places, dk - df * gain)
        plane[:, :1] += seen_mean - shown_mean * gain
        return ColorTransform(gain[:, 0], plane)


def _plane(where: Tensor, values: Tensor) -> Tensor:
    """Fit planes to values [3, n] at places [2, n]: [3, (1, x, y)].

    The slopes are regularized, since a ring on one side hardly determines them.
    """
    basis = torch.cat([torch.ones_like(where[:1]), where]).double()
    ridge = torch.diag(torch.tensor([0.0, 0.02, 0.02], dtype=torch.float64)) * basis.shape[1]
    normal = basis @ basis.T + ridge
    solution: Tensor = torch.linalg.solve(normal, basis @ values.double().T)
    return solution.T.float()
