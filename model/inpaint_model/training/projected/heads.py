"""The trained part of a projected discriminator (Sauer et al. 2021, section 3.3 and appendix).

Each mixed map has a small network: separable convolutions with spectral and batch norm, average
pooling down to 8 px, then a 4 x 4 convolution to logits.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

LAST_SIDE = 8  # px, before the last convolution
MAX_WIDTH = 256


class SeparableBlock(nn.Module):
    """A block of a head; pooling comes early, so that what follows costs a quarter."""

    def __init__(self, in_channels: int, out_channels: int, down: bool) -> None:
        super().__init__()
        self.depthwise = spectral_norm(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        )
        self.pointwise = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
        # Only batch statistics, since heads are used only in training.
        self.norm = nn.BatchNorm2d(out_channels, track_running_stats=False)
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, O, h, w] of [N, I, h, w]; half the size if `down`."""
        x = self.depthwise(x)
        x = self.pointwise(F.avg_pool2d(x, 2) if self.down else x)
        return F.leaky_relu(self.norm(x), 0.2)


class Head(nn.Sequential):
    """A mixed map [N, channels, side, side] -> logits [N, count].

    It has at least one block: a linear layer on the coarsest map does not recognize a complete
    face, and learns halves of faces separately.
    """

    def __init__(self, channels: int, side: int) -> None:
        blocks: list[nn.Module] = []
        while side > LAST_SIDE or not blocks:
            width = min(2 * channels, MAX_WIDTH)
            blocks.append(SeparableBlock(channels, width, down=side > LAST_SIDE))
            channels, side = width, side // 2 if side > LAST_SIDE else side
        logits = spectral_norm(nn.Conv2d(channels, 1, min(4, side), bias=False))
        super().__init__(*blocks, logits, nn.Flatten())


class SpectralNorm(NamedTuple):
    """One convolution's spectral norm in torch."""

    weight: Tensor  # [O, I, k, k], before normalization
    u: Tensor  # [O], estimate of the left singular vector
    v: Tensor  # [I k k], of the right one
    own: nn.Module  # the parametrization, which updates the estimates in training mode


def spectral_norms(module: nn.Module) -> list[SpectralNorm]:
    """Return the spectral norms of all convolutions in `module`."""
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
    """Run a power iteration (Miyato et al. 2018, algorithm 1) in place, batched by shape.

    For fifty small convolutions torch takes hundreds of kernel launches.
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
