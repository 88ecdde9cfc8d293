"""Images as uint8 arrays and as float tensors of -1..1."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_model.document.arrays import ImageU8


def to_uint8(images: Tensor) -> ImageU8:
    """Turn [N, 3, H, W] in -1..1 into uint8 [N, H, W, 3]; rounds half to even, clips."""
    scaled = ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_uint8(images: ImageU8 | Tensor) -> Tensor:
    """Turn uint8 [N, H, W, 3] into float32 [N, 3, H, W] in -1..1."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1
