"""Preparation of an image whose parts are requested."""

from __future__ import annotations

import numpy as np
from inpaint_model.document.color import display_from_document
from inpaint_model.segmentation.parts import Segmentation

from .specs import ImageHeader


def segmentation_of(shape: ImageHeader, data: bytes | bytearray) -> Segmentation:
    """Find the faces in an image. What is transparent counts as gray."""
    color, alpha = display_from_document(shape.pixels(data), shape.linear)
    if alpha is not None:
        color = 0.5 + (color - 0.5) * alpha[..., None].clip(0, 1)
    return Segmentation(np.clip(color, 0, 1))
