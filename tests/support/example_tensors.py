"""Images and holes as tensors, for tests of networks."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from shared_files import SHARED
from torch import Tensor

PHOTO = "photos/001_03.jpg"  # in ../shared: what `head` shows


def head(side: int) -> Tensor:
    """Return a head as RGB [1, 3, side, side] in -1..1."""
    image = Image.open(SHARED / PHOTO).convert("RGB").crop((300, 50, 1050, 800))
    pixels = np.array(image.resize((side, side)))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1


def box_hole(side: int = 64, inner: int = 24) -> Tensor:
    """Return a square hole in the middle, [1, 1, side, side]."""
    hole = torch.zeros(1, 1, side, side)
    start = (side - inner) // 2
    hole[..., start : start + inner, start : start + inner] = 1
    return hole


def noise(seed: int, count: int = 1, side: int = 64) -> Tensor:
    """Return random images [count, 3, side, side] in -1..1."""
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1
