"""The operations of StyleGAN2 (Karras et al. 2020) in plain PyTorch.

They reproduce published checkpoints, are twice differentiable, and are fastest on `channels_last`
tensors. The code is our own.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SQRT2 = math.sqrt(2.0)
EPSILON = 1e-8

Module = TypeVar("Module", bound=nn.Module)


@cache
def _fir(gain: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the low-pass [1, 3, 3, 1] as a 4 x 4 kernel with sum `gain`.

    Cached: a copy from the CPU in every layer would stall a GPU and cannot be in a CUDA graph.
    """
    with torch.inference_mode(False):  # training may use a kernel that inference has cached
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8.0
        return (torch.outer(taps, taps) * gain).to(device, dtype)


def channels_last(module: Module) -> Module:
    """Convert convolution weights to [O, k, k, I] in memory."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def filter2d(x: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """Zero-pad by `padding` px, low-pass each channel with [1, 3, 3, 1], and multiply by `gain`.

    Each side grows by 2 * `padding` - 3 px.
    """
    C = x.shape[1]
    kernel = _fir(gain, x.device, x.dtype).expand(C, 1, 4, 4)
    return F.conv2d(x, kernel, padding=padding, groups=C)


def upsample2d(x: Tensor) -> Tensor:
    """Double the size by zero insertion and the low-pass."""
    C = x.shape[1]
    kernel = _fir(4.0, x.device, x.dtype).expand(C, 1, 4, 4)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=C)


def downsample2d(x: Tensor) -> Tensor:
    """Halve the size by the low-pass and decimation."""
    # The gradient of a strided depthwise convolution is several times slower than slicing.
    return filter2d(x, padding=1)[:, :, ::2, ::2]


def conv2d(x: Tensor, weight: Tensor, down: bool = False) -> Tensor:
    """Convolve with weight [O, I, k, k], k = 1 or 3; with `down`, halve the size."""
    k = weight.shape[-1]
    if not down:
        return F.conv2d(x, weight, padding=k // 2)
    if k == 1:  # the same result for less work
        return F.conv2d(downsample2d(x), weight)
    return F.conv2d(filter2d(x, padding=2), weight, stride=2)


def up_conv2d(x: Tensor, weight: Tensor) -> Tensor:
    """Double the size by a transposed convolution and the low-pass."""
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, O, 2H + 1, 2W + 1]
    return filter2d(x, padding=1, gain=4.0)


def modulated_conv2d(
    x: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool = True, up: bool = False
) -> Tensor:
    """Convolve with weights [O, I, k, k] scaled by styles [N, I] (StyleGAN2, equations 1 and 3).

    `demodulate` normalizes the scaled weights to unit norm; `up` doubles the size. Scaling
    the activations instead is equivalent and needs only one dense convolution per batch.
    """
    x = x * styles.to(x.dtype)[:, :, None, None]
    w = weight.to(x.dtype)
    y = up_conv2d(x, w) if up else F.conv2d(x, w, padding=weight.shape[-1] // 2)
    if demodulate:
        energy = weight.float().square().sum(dim=(2, 3))  # [O, I]
        dcoefs = (styles.float().square() @ energy.T + EPSILON).rsqrt()  # [N, O]
        y = y * dcoefs.to(y.dtype)[:, :, None, None]
    return y


def bias_act(
    x: Tensor,
    bias: Tensor | None = None,
    *,
    linear: bool = False,
    gain: float = 1.0,
    clamp: float | None = None,
) -> Tensor:
    """Add a bias [C], apply leaky ReLU (0.2, gain sqrt 2) unless `linear`, scale and clamp.

    `clamp` bounds the result before `gain` (networks for fp16).
    """
    if bias is not None:
        x = x + bias.to(x.dtype).reshape(1, -1, *[1] * (x.ndim - 2))
    scale = gain
    if not linear:
        x = F.leaky_relu(x, 0.2)
        scale *= SQRT2
    if scale != 1.0:
        x = x * scale
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def normalize_2nd_moment(x: Tensor) -> Tensor:
    """Scale each row of [N, C] to unit mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt()


class FullyConnectedLayer(nn.Module):
    """Linear layer with equalized learning rate."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        linear: bool = True,
        lr_multiplier: float = 1.0,
        bias_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.linear = linear
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr_multiplier)
        self.bias = nn.Parameter(torch.full((out_features,), bias_init / lr_multiplier))
        self.weight_gain = lr_multiplier / math.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        bias = self.bias * self.bias_gain if self.bias_gain != 1.0 else self.bias
        x = F.linear(x, self.weight * self.weight_gain, bias)
        return x if self.linear else F.leaky_relu(x, 0.2) * SQRT2


class PointwiseConv2d(nn.Conv2d):
    """1 x 1 convolution of every `step`-th pixel in both directions.

    It is not left to the convolution's stride: with torch 2.13 on a CPU with two or more threads,
    the gradient then writes beyond its memory for odd batches and some numbers of channels.
    """

    def __init__(
        self, in_channels: int, out_channels: int, step: int = 1, *, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution."""
        return super().forward(x if self.step == 1 else x[:, :, :: self.step, :: self.step])


class Conv2dLayer(nn.Module):
    """Convolution with equalized learning rate, bias and activation; `down` halves the size."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        bias: bool = True,
        linear: bool = False,
        down: bool = False,
        conv_clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.linear, self.down, self.conv_clamp = linear, down, conv_clamp
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.weight_gain = 1.0 / math.sqrt(in_channels * kernel_size**2)

    def forward(self, x: Tensor, gain: float = 1.0) -> Tensor:
        """Apply the layer and multiply the result by `gain`."""
        x = conv2d(x, (self.weight * self.weight_gain).to(x.dtype), self.down)
        return bias_act(x, self.bias, linear=self.linear, gain=gain, clamp=self.conv_clamp)
