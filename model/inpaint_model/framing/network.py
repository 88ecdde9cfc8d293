"""The framer network: from a coarse view and the hole to a frame and a confidence.

Each cell of a coarse grid votes for a frame; the weights of the votes are learned too, so that
hidden and empty cells are ignored. Views of several scales (`search`) let a small network handle
faces of any size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import Count
from inpaint_model.networks.validation import Finite, Several, closed

_GRID_LEVEL = 2  # index into the widths: cells vote at 1/8 of the resolution


@closed
@dataclass(frozen=True)
class FramerConfig:
    """Configuration of a framer, stored in model.yaml."""

    view: Count = 64  # side, px
    widths: Several[Count] = (24, 40, 56, 80, 112)  # channels at 1/2, 1/4, ... of the view
    threshold: Finite = 0.945  # smallest confidence of a usable proposal
    side_bias: Finite = 1.03  # proposed over true sides (measured on training images)

    def __post_init__(self) -> None:
        if len(self.widths) <= _GRID_LEVEL or any(width % 8 for width in self.widths):
            raise ValueError(
                f"framer widths {self.widths} must be at least three multiples of eight"
            )
        if self.view % 2 ** len(self.widths):
            raise ValueError(f"a view of {self.view} px cannot be halved {len(self.widths)} times")

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of model.yaml."""
        return asdict(self) | {"widths": list(self.widths)}


class Proposals(NamedTuple):
    """Frames in view coordinates (-1..1), one per view or cell."""

    center: Tensor  # [..., 2]
    log_side: Tensor  # [...]: log2 of the frame's side over the view's
    direction: Tensor  # [..., 2]: (cos, sin) of the frame's angle, unnormalized
    logit: Tensor  # [...]: of the confidence


class Framer(nn.Module):
    """Views [N, 4, V, V] (erased RGB in -1..1, then 1 - hole) -> proposals."""

    cells: Tensor

    def __init__(self, config: FramerConfig | None = None) -> None:
        super().__init__()
        self.config = config or FramerConfig()
        widths = self.config.widths
        self.stem = nn.Conv2d(4, widths[0], 3, stride=2, padding=1)
        self.stages = nn.ModuleList(_Stage(*pair) for pair in pairwise(widths))
        deep = widths[_GRID_LEVEL:]
        self.context = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(deep))
        self.join = nn.Conv2d(deep[0], deep[0], 3, padding=1)
        self.norm = nn.GroupNorm(8, deep[0])
        self.vote = nn.Conv2d(deep[0], 7, 1)
        grid = self.config.view >> (_GRID_LEVEL + 1)
        steps = (torch.arange(grid) + 0.5) * (2 / grid) - 1
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        self.register_buffer("cells", torch.stack([x, y], -1).flatten(0, 1), persistent=False)

    def votes(self, views: Tensor) -> tuple[Tensor, Proposals]:
        """Return the weights [N, cells] of the votes, which sum to 1, and the proposals."""
        levels = [F.silu(self.stem(views))]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        x = levels[-1]
        for depth in range(len(self.context) - 1, -1, -1):
            x = F.interpolate(self.context[depth](x), scale_factor=2.0, mode="nearest")
            x = F.silu(x + levels[_GRID_LEVEL + depth])
        x = x + F.silu(self.norm(self.join(x)))
        out = self.vote(x).flatten(2).transpose(1, 2)  # [N, cells, 7]
        cells = Proposals(self.cells + out[..., 1:3], out[..., 3], out[..., 4:6], out[..., 6])
        return out[..., 0].softmax(dim=1), cells

    def forward(self, views: Tensor) -> Proposals:
        """Return the weighted mean of the votes, one per view."""
        weight, cells = self.votes(views)
        share = weight[..., None]
        return Proposals(
            (share * cells.center).sum(1),
            (weight * cells.log_side).sum(1),
            (share * cells.direction).sum(1),
            confidence_logit(cells),
        )


def confidence_logit(cells: Proposals) -> Tensor:
    """Return the soft maximum [N] of the cells [N, cells]: one confident cell suffices."""
    return cells.logit.logsumexp(dim=1) - math.log(cells.logit.shape[1])


def framer_from(config: FramerConfig, tensors: Mapping[str, Tensor]) -> Framer:
    """Return a framer with the `framer.*` tensors of a bundle: float32, CPU, no gradients.

    Raises:
        ValueError: The tensors do not match the configuration.
    """
    try:
        framer = Framer(config)
        own = {k.removeprefix("framer."): v.float() for k, v in tensors.items()}
        framer.load_state_dict(own)
    except RuntimeError as error:
        raise ValueError(f"the bundle's framer cannot be used: {error}") from None
    return framer.eval().requires_grad_(False)


class _Stage(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(before, after, 3, stride=2, padding=1)
        self.norm0 = nn.GroupNorm(8, after)
        self.conv = nn.Conv2d(after, after, 3, padding=1)
        self.norm1 = nn.GroupNorm(8, after)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm0(self.down(x)))
        residual: Tensor = self.norm1(self.conv(x))
        return F.silu(x + residual)
