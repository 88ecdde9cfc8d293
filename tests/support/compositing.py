"""Composite fills into documents, as the library and the `inpaint` command do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.compositing import Patch, composite
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.placement import BlendFit, Placement


def composited(image: DocumentImage, patches: Sequence[Patch]) -> np.ndarray:
    """Return the image's pixels [H, W, C] with the patches composited."""
    return composite(image.pixels, patches, image.origin)


def filled(
    placement: Placement, output: np.ndarray, how: BlendSettings | None = None
) -> np.ndarray:
    """Return the placement's image, filled with an output [R, R, 3] of the model."""
    return composited(placement.image, [BlendFit.of(placement, output, how).to_patch()])
