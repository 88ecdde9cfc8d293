"""Array types, each with one meaning throughout the package."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
"""Samples of a document: uint8, uint16, float16 or float32, [H, W, C]."""

ImageU8 = NDArray[np.uint8]
"""RGB or gray images, 0..255."""

MaskU8 = NDArray[np.uint8]
"""A hole or its coverage, [H, W]: 0 = known, up to 255 = filled."""

BoolMask = NDArray[np.bool_]
"""Pixels of an image, or points."""


def covered(coverage: MaskU8) -> BoolMask:
    """Return the hole of a coverage: where it is above 0."""
    return coverage > 0


FloatImage = NDArray[np.float32]
"""Display values or alpha, nominally 0..1."""

CodesF32 = NDArray[np.float32]
"""Latent codes in w space, [..., num_ws, w_dim]."""

Matrix = NDArray[np.float64]
"""[2, 3]: (x, y) -> A (x, y) + b, between continuous coordinate systems."""

Points = NDArray[np.float64]
"""Points (x, y), [N, 2]."""

Coordinates = NDArray[np.floating[Any]]
"""One coordinate of points, in any shape."""

Float64Array = NDArray[np.float64]
"""Data of statistics: features, scores, landmarks, vectors."""

Flags = NDArray[np.bool_]
"""Which samples are selected, [N]."""
