"""Documents with fills, composited as the `inpaint` command does it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from inpaint_cli.layers import Layer, laid_over
from inpaint_client import Box
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.document_image import DocumentPicture
from inpaint_model.document.placement import Fitting, Patch, Placement


def composited(picture: DocumentPicture, patches: Sequence[Patch]) -> np.ndarray:
    """Return the picture's pixels [H, W, C] with the patches over them."""
    x, y = picture.origin
    layers = [Layer(patch.fill, patch.coverage, Box(*patch.box.moved(-x, -y))) for patch in patches]
    return laid_over(picture.pixels, layers)


def filled(
    placement: Placement, output: np.ndarray, how: BlendSettings | None = None
) -> np.ndarray:
    """Return the placement's picture, filled with an output [R, R, 3] of the model."""
    return composited(placement.picture, [Fitting.of(placement, output, how).laid()])
