"""How visible the border of a fill is: the colour step across it, in CIEDE2000.

Bands of a few pixels on both sides of the border are compared place by place, and the same step on
the untouched picture is subtracted, since pictures have edges of their own there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from inpaint_model.pixels import Bools, Floats, linear_from_srgb

Doubles = npt.NDArray[np.float64]

BAND_PX = 3
_WINDOW = 9  # px of the border that are averaged for one comparison

_XYZ_FROM_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""sRGB primaries, white point D65."""


def seam_step(picture: Floats, untouched: Floats, hole: Bools) -> float:
    """The mean colour step that a fill adds across its border.

    Args:
        picture, untouched: [H, W, 3] display values with and without the fill.
        hole: bool [H, W].

    Returns:
        CIEDE2000; about 1 is what can just be seen, and below 0 the fill is smoother than the
        picture was. NaN if the hole has no border.
    """
    return _step(picture, hole) - _step(untouched, hole)


def _step(picture: Floats, hole: Bools) -> float:
    size = 2 * BAND_PX + 1
    inner = hole & ~ndimage.minimum_filter(hole, size, mode="nearest")
    outer = ~hole & ndimage.maximum_filter(hole, size, mode="nearest")
    border = hole & ~ndimage.minimum_filter(hole, 3, mode="nearest")
    lab = lab_from_display(picture)
    one, two = _local_mean(lab, inner)[border], _local_mean(lab, outer)[border]
    both = np.isfinite(one).all(axis=1) & np.isfinite(two).all(axis=1)
    return float(ciede2000(one[both], two[both]).mean()) if both.any() else float("nan")


def _local_mean(values: Doubles, at: Bools) -> Doubles:
    """Means over the pixels `at` in windows around every pixel; NaN where there are none."""
    weight = ndimage.uniform_filter(at.astype(np.float64), _WINDOW, mode="constant")
    sums = ndimage.uniform_filter(
        np.where(at[..., None], values, 0), (_WINDOW, _WINDOW, 1), mode="constant"
    )
    means: Doubles = np.where(weight > 1e-9, 1.0, np.nan)[..., None] * sums
    return means / np.maximum(weight, 1e-9)[..., None]


def lab_from_display(values: Floats) -> Doubles:
    """CIE L*a*b* (D65) of display values [..., 3]."""
    xyz = linear_from_srgb(values).astype(np.float64) @ _XYZ_FROM_RGB.T
    ratio = xyz / _XYZ_FROM_RGB.sum(axis=1)
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def ciede2000(lab1: Doubles, lab2: Doubles) -> Doubles:
    """The CIEDE2000 colour difference of L*a*b* values [..., 3] (CIE 142-2001, all weights 1).

    The steps and names follow Sharma, Wu and Dalal (2005), whose test data it reproduces.
    """
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(v, float), -1, 0) for v in (lab1, lab2))
    c_mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    coloured = c1 * c2 != 0
    turn = np.where(coloured, (h2 - h1 + 180) % 360 - 180, 0.0)
    # Exactly opposite hues: the sign of the formula's own case distinction.
    turn = np.where(coloured & (h2 - h1 == 180), 180.0, turn)
    dl, dc = l2 - l1, c2 - c1
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2
    h_sum = h1 + h2
    around = np.where(np.abs(h1 - h2) <= 180, 0, np.where(h_sum < 360, 360, -360))
    h_mean = np.where(coloured, (h_sum + around) / 2, h_sum)
    t = (
        1
        - 0.17 * np.cos(np.radians(h_mean - 30))
        + 0.24 * np.cos(np.radians(2 * h_mean))
        + 0.32 * np.cos(np.radians(3 * h_mean + 6))
        - 0.20 * np.cos(np.radians(4 * h_mean - 63))
    )
    sl = 1 + 0.015 * (l_mean - 50) ** 2 / np.sqrt(20 + (l_mean - 50) ** 2)
    sc, sh = 1 + 0.045 * c_mean, 1 + 0.015 * c_mean * t
    rotation = 2 * np.sqrt(c_mean**7 / (c_mean**7 + 25.0**7))
    rt = -rotation * np.sin(np.radians(60 * np.exp(-(((h_mean - 275) / 25) ** 2))))
    difference: Doubles = np.sqrt(
        (dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * (dc / sc) * (dh / sh)
    )
    return difference
