"""The trained part of a projected discriminator: a small network for each mixed feature map.

Sauer et al. 2021, section 3.3 and appendix: spectral norm on every convolution, batch norm, average
pooling down to 8 px, then one 4 x 4 convolution to logits. Convolutions are separable.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

LAST_SIDE = 8  # px at which the logits are read
MAX_WIDTH = 256


class SeparableBlock(nn.Module):
    """Depthwise 3 x 3 convolution, pooling if `down`, 1 x 1 convolution, batch norm, leaky ReLU.

    Pooling comes where a strided convolution would have its stride, so that all after it costs a
    quarter.
    """

    def __init__(self, in_channels: int, out_channels: int, down: bool) -> None:
        """down: halve the size, by average pooling."""
        super().__init__()
        self.depthwise = spectral_norm(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        )
        self.pointwise = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
        # Always the batch's own statistics: heads are never used outside of training.
        self.norm = nn.BatchNorm2d(out_channels, track_running_stats=False)
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, O, h, w] of [N, I, h, w], or half of that size."""
        x = self.depthwise(x)
        x = self.pointwise(F.avg_pool2d(x, 2) if self.down else x)
        return F.leaky_relu(self.norm(x), 0.2)


class Head(nn.Sequential):
    """A mixed map [N, channels, side, side] -> logits [N, count].

    At least one trained block stands before the logits: a linear layer on fixed features does not
    see a whole face in the coarsest map, and one half of the face comes out before the other.
    """

    def __init__(self, channels: int, side: int) -> None:
        """channels, side: those of the mixed map; one of more than 8 px is halved down to that."""
        blocks: list[nn.Module] = []
        while side > LAST_SIDE or not blocks:
            width = min(2 * channels, MAX_WIDTH)
            blocks.append(SeparableBlock(channels, width, down=side > LAST_SIDE))
            channels, side = width, side // 2 if side > LAST_SIDE else side
        logits = spectral_norm(nn.Conv2d(channels, 1, min(4, side), bias=False))
        super().__init__(*blocks, logits, nn.Flatten())


class SpectralNorm(NamedTuple):
    """The spectral norm of one convolution, as torch keeps it."""

    weight: Tensor  # [O, I, k, k], not yet divided by its norm
    u: Tensor  # [O], and
    v: Tensor  # [I k k]: estimates of its singular vectors
    own: nn.Module  # what divides, and while it trains improves the estimates by itself


def spectral_norms(module: nn.Module) -> list[SpectralNorm]:
    """Those of all convolutions in `module`."""
    found = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and is_parametrized(layer, "weight"):
            parametrized = layer.get_submodule("parametrizations.weight")
            own = parametrized.get_submodule("0")
            vectors = own.get_buffer("_u"), own.get_buffer("_v")
            found.append(SpectralNorm(parametrized.get_parameter("original"), *vectors, own))
    return found


@torch.no_grad()
def improve(norms: list[SpectralNorm]) -> None:
    """One power iteration of each norm's estimates, in place; those of one shape at once.

    What torch does for one convolution after the other (Miyato et al. 2018, algorithm 1), which
    for fifty small ones is hundreds of launches.
    """
    alike: dict[torch.Size, list[SpectralNorm]] = defaultdict(list)
    for norm in norms:
        alike[norm.weight.flatten(1).shape].append(norm)
    for group in alike.values():
        W = torch.stack([norm.weight.flatten(1) for norm in group])  # [G, O, I k k]
        v = torch.stack([norm.v for norm in group])[:, :, None]
        u = F.normalize(W @ v, dim=1, eps=1e-12)
        v = F.normalize(W.mT @ u, dim=1, eps=1e-12)
        torch._foreach_copy_([norm.u for norm in group], list(u[:, :, 0]))
        torch._foreach_copy_([norm.v for norm in group], list(v[:, :, 0]))
