"""The operations of StyleGAN2 in plain PyTorch.

They follow Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), and
reproduce published checkpoints; the code is our own. All operations are twice differentiable and
fastest on `channels_last` tensors.
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
    """Return the FIR low-pass [1, 3, 3, 1] as a 4 x 4 kernel with sum `gain`.

    Cached for each device: copying it from the CPU would stall a GPU in every layer and cannot be
    captured in a CUDA graph.
    """
    with torch.inference_mode(False):  # training may use a kernel that inference has cached
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8.0
        return (torch.outer(taps, taps) * gain).to(device, dtype)


def channels_last(module: Module) -> Module:
    """Convert convolution weights to [O, k, k, I] in memory, which is faster here."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def filter2d(x: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """Low-pass each channel with the [1, 3, 3, 1] FIR and multiply it by `gain`.

    Returns:
        [N, C, H + 2 * padding - 3, W + 2 * padding - 3] for x [N, C, H, W], zero-padded by
        `padding` px on all sides.
    """
    C = x.shape[1]
    kernel = _fir(gain, x.device, x.dtype).expand(C, 1, 4, 4)
    return F.conv2d(x, kernel, padding=padding, groups=C)


def upsample2d(x: Tensor) -> Tensor:
    """Double the size by zero insertion and the FIR: [N, C, H, W] -> [N, C, 2H, 2W]."""
    C = x.shape[1]
    kernel = _fir(4.0, x.device, x.dtype).expand(C, 1, 4, 4)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=C)


def downsample2d(x: Tensor) -> Tensor:
    """Halve the size by the FIR and decimation: [N, C, H, W] -> [N, C, H/2, W/2]."""
    # The gradient of a strided depthwise convolution is several times slower than slicing.
    return filter2d(x, padding=1)[:, :, ::2, ::2]


def conv2d(x: Tensor, weight: Tensor, down: bool = False) -> Tensor:
    """Convolve at the same size, or with FIR and stride 2.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k], k = 1 or 3.
        down: Whether to halve the size.
    """
    k = weight.shape[-1]
    if not down:
        return F.conv2d(x, weight, padding=k // 2)
    if k == 1:  # the same result for less work
        return F.conv2d(downsample2d(x), weight)
    return F.conv2d(filter2d(x, padding=2), weight, stride=2)


def up_conv2d(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve transposed with stride 2, then apply the FIR: [N, I, H, W] -> [N, O, 2H, 2W]."""
    x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)  # [N, O, 2H + 1, 2W + 1]
    return filter2d(x, padding=1, gain=4.0)


def modulated_conv2d(
    x: Tensor, weight: Tensor, styles: Tensor, *, demodulate: bool = True, up: bool = False
) -> Tensor:
    """Convolve with weights scaled by a style per sample (StyleGAN2, equations 1 and 3).

    Scaling the activations instead of the weights is equivalent and needs only one dense
    convolution for the batch.

    Args:
        x: [N, I, H, W].
        weight: [O, I, k, k].
        styles: [N, I].
        demodulate: Whether to normalize the scaled weights to unit norm.
        up: Whether to double the size.
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
    """Add a bias per channel, apply leaky ReLU (0.2, gain sqrt 2) unless `linear`, scale, clamp.

    Args:
        x: [N, C, ...].
        bias: [C].
        linear: Whether to skip the activation.
        gain: Factor of the result.
        clamp: Bound of the result, before `gain` (networks for fp16).
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
    """Linear layer with equalized learning rate: [N, in_features] -> [N, out_features]."""

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


class Conv2dLayer(nn.Module):
    """Convolution with equalized learning rate, bias and activation: [N, I, H, W] -> [N, O, h, w].

    With `down`, the FIR halves the size.
    """

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
