"""Documents with fills, composited as the library and the `inpaint` command do it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.compositing import Patch, composite
from inpaint_model.document.document_image import DocumentPicture
from inpaint_model.document.placement import BlendFit, Placement


def composited(picture: DocumentPicture, patches: Sequence[Patch]) -> np.ndarray:
    """Return the picture's pixels [H, W, C] with the patches over them."""
    return composite(picture.pixels, patches, picture.origin)


def filled(
    placement: Placement, output: np.ndarray, how: BlendSettings | None = None
) -> np.ndarray:
    """Return the placement's picture, filled with an output [R, R, 3] of the model."""
    return composited(placement.picture, [BlendFit.of(placement, output, how).to_patch()])
