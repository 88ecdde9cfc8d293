"""The framer network: from a coarse view and the hole to a frame and a confidence.

A plain convolutional regressor of some 400 thousand parameters. It sees a square view of 64 px, as
the inpainting encoder does: the erased picture and what is known. It is applied to views at several
scales and then to a view around its own proposal, so that one small network serves every size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class FramerConfig:
    """What a framer is; kept in the bundle's model.yaml."""

    view: int = 64  # side of its view, px
    widths: tuple[int, ...] = (24, 40, 56, 80, 112)  # channels at 1/2, 1/4, ... of the view
    hidden: int = 96
    threshold: float = 0.5  # confidence below which a proposal is not used


class Proposals(NamedTuple):
    """Frames in view coordinates (-1..1 across the view), one a view."""

    centre: Tensor  # [N, 2]
    log_side: Tensor  # [N]: log2 of the frame's side over the view's
    direction: Tensor  # [N, 2]: (cos, sin) of the frame's angle, not normalised
    logit: Tensor  # [N]: of the confidence


class Framer(nn.Module):
    """Views [N, 4, V, V] (erased RGB in -1..1, then 1 - hole) to proposals."""

    def __init__(self, config: FramerConfig | None = None) -> None:
        super().__init__()
        self.config = config or FramerConfig()
        widths = self.config.widths
        self.stem = nn.Conv2d(4, widths[0], 3, stride=2, padding=1)
        self.stages = nn.ModuleList(_Stage(before, after) for before, after in pairwise(widths))
        grid = self.config.view >> len(widths)
        self.hidden = nn.Linear(widths[-1] * grid * grid, self.config.hidden)
        self.head = nn.Linear(self.config.hidden, 6)

    def forward(self, views: Tensor) -> Proposals:
        x = torch.nn.functional.silu(self.stem(views))
        for stage in self.stages:
            x = stage(x)
        out = self.head(torch.nn.functional.silu(self.hidden(x.flatten(1))))
        return Proposals(out[:, :2], out[:, 2], out[:, 3:5], out[:, 5])


class _Stage(nn.Module):
    """Half the size, then one residual layer."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(before, after, 3, stride=2, padding=1)
        self.norm0 = nn.GroupNorm(8, after)
        self.conv = nn.Conv2d(after, after, 3, padding=1)
        self.norm1 = nn.GroupNorm(8, after)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.nn.functional.silu(self.norm0(self.down(x)))
        residual: Tensor = self.norm1(self.conv(x))
        return torch.nn.functional.silu(x + residual)
