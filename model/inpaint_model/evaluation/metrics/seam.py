"""How visible the border of a fill is: the color step across it, in CIEDE2000.

Bands on both sides are compared locally. The same step in the untouched image, which may have edges
there, is subtracted.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from inpaint_model.document.arrays import BoolMask, Float64Array, FloatImage

BAND_PX = 3
_WINDOW = 9  # px that are averaged for one comparison


def seam_step(image: FloatImage, untouched: FloatImage, hole: BoolMask) -> float:
    """Return the mean color step that a fill adds, for display values [H, W, 3].

    About 1 (CIEDE2000, D65) is just visible; negative is smoother than before. NaN if the hole has
    no border.
    """
    return _step(image, hole) - _step(untouched, hole)


def _step(image: FloatImage, hole: BoolMask) -> float:
    from skimage.color import deltaE_ciede2000, rgb2lab

    size = 2 * BAND_PX + 1
    inner = hole & ~ndimage.minimum_filter(hole, size, mode="nearest")
    outer = ~hole & ndimage.maximum_filter(hole, size, mode="nearest")
    border = hole & ~ndimage.minimum_filter(hole, 3, mode="nearest")
    lab = rgb2lab(image.astype(np.float64))
    one, two = _local_mean(lab, inner)[border], _local_mean(lab, outer)[border]
    both = np.isfinite(one).all(axis=1) & np.isfinite(two).all(axis=1)
    if not both.any():
        return float("nan")
    difference = deltaE_ciede2000(one[both], two[both])
    return float(difference.mean())


def _local_mean(values: Float64Array, at: BoolMask) -> Float64Array:
    """Average the pixels `at` around every pixel; NaN without any."""
    weight = ndimage.uniform_filter(at.astype(np.float64), _WINDOW, mode="constant")
    sums = ndimage.uniform_filter(
        np.where(at[..., None], values, 0), (_WINDOW, _WINDOW, 1), mode="constant"
    )
    means: Float64Array = np.where(weight > 1e-9, 1.0, np.nan)[..., None] * sums
    return means / np.maximum(weight, 1e-9)[..., None]
