"""Color models of regions, fitted to the image itself."""

from __future__ import annotations

import numpy as np
from scipy.cluster.vq import kmeans2

from inpaint_model.document.arrays import BoolMask, Float64Array, FloatImage

SEED = 0  # of the mixtures, so that the same image always gives the same masks
LEAST_SPREAD = 0.03  # standard deviation of a color within a region
FEWEST = 40  # pixels for a mixture


def opponent_colors(image: FloatImage) -> Float64Array:
    """Return lightness and two opponent colors, which matter more, as [P, 3]."""
    r, g, b = np.moveaxis(image.astype(np.float64), 2, 0)
    return np.stack([(r + g + b) / 3, 1.5 * (r - g), 1.5 * ((r + g) / 2 - b)], axis=-1).reshape(
        -1, 3
    )


def color_density(colors: Float64Array, probability: Float64Array, components: int) -> Float64Array:
    """Return the density of each pixel's color in a region, [H, W].

    The mixture is fitted to the pixels that are most likely in the region.
    """
    weights = probability.reshape(-1)
    sure: BoolMask = weights > max(0.5 * weights.max(), 0.3)
    if sure.sum() < FEWEST:
        return np.full(probability.shape, 1e-3)
    chosen = colors[sure]
    _, labels = kmeans2(chosen, components, minit="++", rng=SEED)
    density = np.zeros(len(colors))
    for k in range(components):
        members = chosen[labels == k]
        if len(members) < FEWEST / 4:
            continue
        covariance = np.cov(members.T) + LEAST_SPREAD**2 * np.eye(3)
        offset = colors - members.mean(axis=0)
        distance = np.einsum("pi,pi->p", offset @ np.linalg.inv(covariance), offset)
        # Student's t with 4 degrees of freedom: highlights and shadows are outliers.
        density += (
            len(members)
            / len(chosen)
            * (1 + distance / 4) ** -3.5
            / np.sqrt(np.linalg.det(covariance))
        )
    return density.reshape(probability.shape) + 1e-3
