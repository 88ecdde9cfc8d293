"""The fast guided filter (He & Sun 2015): makes a mask follow the edges of an image."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from inpaint_model.document.arrays import FloatImage


def guided_coefficients(
    guide: FloatImage, mask: FloatImage, radius: int, epsilon: float
) -> tuple[FloatImage, FloatImage]:
    """Return the linear model that maps the guide's colors to the mask near each pixel.

    The filtered mask is `(a * guide).sum(axis=2) + b`. Applied to the guide at a higher resolution,
    with `a` and `b` enlarged, the mask gets the finer edges.

    Args:
        guide: RGB image [H, W, 3], 0..1.
        mask: [H, W], 0..1.
        radius: half the side of the windows, px.
        epsilon: variance of the guide below which its edges are ignored.

    Returns:
        `a` [H, W, 3] and `b` [H, W].
    """

    def mean(values: FloatImage) -> FloatImage:
        sides = (2 * radius + 1, 2 * radius + 1, *(1 for _ in values.shape[2:]))
        return uniform_filter(values, sides, mode="nearest")

    guide_mean, mask_mean = mean(guide), mean(mask)
    products = guide[..., :, None] * guide[..., None, :]
    covariance = mean(products.reshape(*mask.shape, 9)).reshape(products.shape)
    covariance -= guide_mean[..., :, None] * guide_mean[..., None, :]
    covariance += epsilon * np.eye(3, dtype=np.float32)
    with_mask = mean(guide * mask[..., None]) - guide_mean * mask_mean[..., None]
    a = np.linalg.solve(covariance, with_mask[..., None])[..., 0]
    b = mask_mean - (a * guide_mean).sum(axis=2)
    return mean(a.astype(np.float32)), mean(b.astype(np.float32))
