"""Contact sheets of images."""

from __future__ import annotations

import numpy as np
from PIL import Image

from inpaint_model.document.arrays import ImageU8


def contact_sheet(images: ImageU8, columns: int, gap: int = 2) -> Image.Image:
    """Arrange images uint8 [N, H, W, 3] row by row, on white."""
    N, H, W, _ = images.shape
    rows = -(-N // columns)
    sheet = np.full((rows * (H + gap) - gap, columns * (W + gap) - gap, 3), 255, dtype=np.uint8)
    for index, image in enumerate(images):
        y, x = (index // columns) * (H + gap), (index % columns) * (W + gap)
        sheet[y : y + H, x : x + W] = image
    return Image.fromarray(sheet)
