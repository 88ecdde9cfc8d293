"""What the arrays that pass between functions hold; each name has one meaning everywhere.

Shapes are in the docstrings and comments of those who use them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
"""A document's own samples: uint8, uint16, float16 or float32, [H, W, C]."""

ImageU8 = NDArray[np.uint8]
"""RGB or gray images, 0..255."""

MaskU8 = NDArray[np.uint8]
"""A hole or its coverage: 0 where the image is known, up to 255 where it is filled, [H, W]."""

BoolMask = NDArray[np.bool_]
"""Which pixels of an image, or which points of a plane."""


def covered(coverage: MaskU8) -> BoolMask:
    """Return where coverage makes a hole: above 0. Nothing else says so."""
    return coverage > 0


FloatImage = NDArray[np.float32]
"""Display values or their alpha, nominally 0..1."""

CodesF32 = NDArray[np.float32]
"""Latent codes of the generator's w space, [..., num_ws, w_dim]."""

Matrix = NDArray[np.float64]
"""[2, 3]: (x, y) -> A (x, y) + b, from one continuous coordinate system to another."""

Points = NDArray[np.float64]
"""Places in the plane, x and y, [N, 2]."""

Coordinates = NDArray[np.floating[Any]]
"""One coordinate of places in the plane, in any shape."""

Float64Array = NDArray[np.float64]
"""Numbers that statistics are made of: features, scores, landmarks, vectors."""

Flags = NDArray[np.bool_]
"""Which samples of a set, [N]."""
