"""The trained part of a projected discriminator: a small network for each mixed feature map.

Sauer et al. 2021, section 3.3 and appendix: separable convolutions with spectral norm, batch norm,
average pooling down to 8 px, then a 4 x 4 convolution to logits.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

LAST_SIDE = 8  # px, side of the input of the last convolution
MAX_WIDTH = 256


class SeparableBlock(nn.Module):
    """Depthwise 3 x 3 convolution, pooling if `down`, 1 x 1 convolution, batch norm, leaky ReLU.

    Pooling comes early, so that everything after it costs a quarter.
    """

    def __init__(self, in_channels: int, out_channels: int, down: bool) -> None:
        super().__init__()
        self.depthwise = spectral_norm(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        )
        self.pointwise = spectral_norm(nn.Conv2d(in_channels, out_channels, 1, bias=False))
        # Batch statistics only: heads are never used outside of training.
        self.norm = nn.BatchNorm2d(out_channels, track_running_stats=False)
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        """Return [N, O, h, w] of [N, I, h, w], or half the size."""
        x = self.depthwise(x)
        x = self.pointwise(F.avg_pool2d(x, 2) if self.down else x)
        return F.leaky_relu(self.norm(x), 0.2)


class Head(nn.Sequential):
    """A mixed map [N, channels, side, side] -> logits [N, count].

    There is at least one trained block before the logits: a linear layer on fixed features does not
    recognize a complete face in the coarsest map, and halves of faces are learned separately.
    """

    def __init__(self, channels: int, side: int) -> None:
        """Make a head for a mixed map, which is halved down to 8 px."""
        blocks: list[nn.Module] = []
        while side > LAST_SIDE or not blocks:
            width = min(2 * channels, MAX_WIDTH)
            blocks.append(SeparableBlock(channels, width, down=side > LAST_SIDE))
            channels, side = width, side // 2 if side > LAST_SIDE else side
        logits = spectral_norm(nn.Conv2d(channels, 1, min(4, side), bias=False))
        super().__init__(*blocks, logits, nn.Flatten())


class SpectralNorm(NamedTuple):
    """The spectral norm of one convolution, as stored by torch."""

    weight: Tensor  # [O, I, k, k], before normalization
    u: Tensor  # [O], estimate of the left singular vector
    v: Tensor  # [I k k], estimate of the right singular vector
    own: nn.Module  # torch's parametrization, which in training mode updates the estimates


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
    """Run one power iteration of each norm's estimates, in place, batched by shape.

    torch does the same per convolution (Miyato et al. 2018, algorithm 1), which takes hundreds of
    kernel launches for fifty small ones.
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
