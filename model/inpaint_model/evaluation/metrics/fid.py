"""Fréchet distance between two sets of features (FID, Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np

from inpaint_model.document.arrays import Float64Array


def frechet_distance(first: Float64Array, second: Float64Array) -> float:
    """Compute |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of features [N, D] and [M, D].

    The trace of the root is the sum of the singular values of A B^T, where A and B are the centered
    features over sqrt(N - 1) and sqrt(M - 1): exact even with fewer images than dimensions.
    """
    difference = first.mean(axis=0) - second.mean(axis=0)
    a, b = _factor(first), _factor(second)
    root = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    squared = float(difference @ difference + (a**2).sum() + (b**2).sum() - 2 * root)
    return max(squared, 0.0)  # rounding can make it negative


def _factor(features: Float64Array) -> Float64Array:
    """Return A with A^T A = covariance and at most D rows."""
    centered: Float64Array = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    if len(centered) <= centered.shape[1]:
        return centered
    return np.linalg.qr(centered)[1]
