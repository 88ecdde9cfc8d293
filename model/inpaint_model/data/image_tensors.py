"""Convert images between uint8 arrays and float tensors in -1..1."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_model.document.arrays import FloatImage, ImageU8


def to_uint8(images: Tensor) -> ImageU8:
    """Convert [N, 3, H, W] in -1..1 to uint8 [N, H, W, 3]; rounds half to even and clips."""
    scaled = ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_uint8(images: ImageU8 | Tensor) -> Tensor:
    """Convert uint8 [N, H, W, 3] to float32 [N, 3, H, W] in -1..1."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def from_unit(images: FloatImage) -> Tensor:
    """Convert float32 [N, H, W, 3] in 0..1 to [N, 3, H, W] in -1..1."""
    return torch.from_numpy(images).permute(0, 3, 1, 2) * 2 - 1
