"""Contact sheets of pictures."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpaint_model.document.arrays import ImageU8


def to_uint8(images: Tensor) -> ImageU8:
    """[N, 3, H, W] in -1..1 -> uint8 [N, H, W, 3]; rounds half to even, clips."""
    scaled = ((images.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def from_uint8(images: ImageU8 | Tensor) -> Tensor:
    """uint8 [N, H, W, 3] -> float32 [N, 3, H, W] in -1..1."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def contact_sheet(images: ImageU8, columns: int, gap: int = 2) -> Image.Image:
    """uint8 [N, H, W, 3], row by row, on white."""
    N, H, W, _ = images.shape
    rows = -(-N // columns)
    sheet = np.full((rows * (H + gap) - gap, columns * (W + gap) - gap, 3), 255, dtype=np.uint8)
    for index, image in enumerate(images):
        y, x = (index // columns) * (H + gap), (index % columns) * (W + gap)
        sheet[y : y + H, x : x + W] = image
    return Image.fromarray(sheet)
