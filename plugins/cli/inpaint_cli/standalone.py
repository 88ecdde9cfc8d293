"""Use a recipe without its image: the model's square in the attachment replaces the document."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from .images import Document, UnusableImageError


def document_of_attachment(attachment: bytes) -> tuple[Document, npt.NDArray[np.uint8]]:
    """Return the first square of an attachment as an image with its hole."""
    try:
        with Image.open(io.BytesIO(attachment), formats=["PNG"]) as image:
            rgba = np.asarray(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UnusableImageError(f"the recipe's attachment is not a PNG: {error}") from error
    square = rgba[:, : rgba.shape[0]]
    coverage = np.where(square[..., 3] < 255, 255, 0).astype(np.uint8)
    return Document(np.ascontiguousarray(square[..., :3])), coverage
