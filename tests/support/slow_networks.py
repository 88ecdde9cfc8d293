"""Networks that correct something, one sample and one layer at a time, and weights for them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from inpaint_model.networks.skip_encoder import ResidualBlock, UNet
from torch import Tensor, nn


def as_if_trained(*modules: nn.Module, seed: int = 0, std: float = 0.2) -> None:
    """Add noise to all weights, so that layers that start at zero do something."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in (p for module in modules for p in module.parameters()):
            parameter.add_(torch.randn(parameter.shape, generator=rng), alpha=std)


def slow_residual_block(block: ResidualBlock, x: Tensor) -> Tensor:
    """Apply a block to one sample [C, H, W]."""
    stride = block.conv0.stride[0]
    inner = F.conv2d(x[None], block.conv0.weight, block.conv0.bias, stride=stride, padding=1)
    inner = torch.maximum(inner, 0.2 * inner)
    inner = F.conv2d(inner, block.conv1.weight, block.conv1.bias, padding=1)
    short = x[None]
    if isinstance(block.shortcut, nn.Conv2d):
        sampled = short[..., ::stride, ::stride]
        short = F.conv2d(sampled, block.shortcut.weight, block.shortcut.bias)
    y = (inner + short)[0]
    return torch.maximum(y, 0.2 * y)


def slow_unet(net: UNet, x: Tensor) -> Tensor:
    """Apply a U-Net to one sample [C, H, W]."""

    def each(blocks: nn.Module, x: Tensor) -> Tensor:
        for block in blocks.children():
            assert isinstance(block, ResidualBlock)
            x = slow_residual_block(block, x)
        return x

    def double(x: Tensor) -> Tensor:
        size = (2 * x.shape[1], 2 * x.shape[2])
        return F.interpolate(x[None], size=size, mode="bilinear", align_corners=False)[0]

    x = torch.einsum("oi,ihw->ohw", net.enter.weight[..., 0, 0], x) + bias(net.enter)
    full = slow_residual_block(net.down0, x)
    half = each(net.down1, full)
    quarter = each(net.down2, half)
    half = slow_residual_block(net.up1, torch.cat([double(quarter), half]))
    full = slow_residual_block(net.up0, torch.cat([double(half), full]))
    return torch.einsum("oi,ihw->ohw", net.leave.weight[..., 0, 0], full) + bias(net.leave)


def bias(layer: nn.Conv2d) -> Tensor:
    """Return a layer's bias [O, 1, 1]."""
    assert layer.bias is not None
    return layer.bias[:, None, None]
