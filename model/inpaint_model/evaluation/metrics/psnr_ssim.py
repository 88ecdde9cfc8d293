"""PSNR and SSIM of an image [R, R, 3] against the original.

A region is [R, R], or None for the entire image; an empty one gives NaN.
"""

from __future__ import annotations

import numpy as np

from inpaint_model.document.arrays import BoolMask, ImageU8


def psnr(original: ImageU8, image: ImageU8, region: BoolMask | None = None) -> float:
    """Return the PSNR in dB, capped at 99."""
    error = (original.astype(np.float64) - image) ** 2
    if region is not None:
        error = error[region]
    if error.size == 0:
        return float("nan")
    return float(min(10 * np.log10(255**2 / max(error.mean(), 1e-12)), 99.0))


def ssim(original: ImageU8, image: ImageU8, region: BoolMask | None = None) -> float:
    """Return the mean SSIM, with the Gaussian window of Wang et al. 2004."""
    from skimage.metrics import structural_similarity

    _, similarity = structural_similarity(
        original,
        image,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    if region is None:
        region = np.ones(original.shape[:2], bool)
    return float(similarity[region].mean()) if region.any() else float("nan")
