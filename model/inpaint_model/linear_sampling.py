"""Bilinear sampling that can be differentiated twice, as the R1 penalty needs.

`F.grid_sample` has no second derivative before some version of PyTorch. But for a fixed grid it is
linear in the picture: the derivative of sampling is its transpose, and that of the transpose is
sampling again.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def sample_bilinear(images: Tensor, grid: Tensor) -> Tensor:
    """Sample [N, C, H, W] at `grid` [N, h, w, 2] (x, y in -1..1 over the pixels' outer edges).

    Beyond its borders a picture goes on as its mirror image. The grid gets no gradient.
    """
    result: Tensor = _Sample.apply(images, grid)  # type: ignore[no-untyped-call]
    return result


def _sample(images: Tensor, grid: Tensor) -> Tensor:
    # MPS has no gradient of this: there the processor samples.
    place = "cpu" if images.device.type == "mps" else images.device
    sampled = F.grid_sample(
        images.to(place), grid.to(place), "bilinear", "reflection", align_corners=False
    )
    return sampled.to(images.device)


class _Sample(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = images.shape
        return _sample(images, grid)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _Transposed.apply(gradient, grid, ctx.size), None  # type: ignore[no-untyped-call]


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        with torch.enable_grad():
            images = gradient.new_zeros(size).requires_grad_()
            (result,) = torch.autograd.grad(_sample(images, grid), images, gradient)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return sample_bilinear(gradient, grid), None, None
