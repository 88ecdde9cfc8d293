"""Directions that need no scores: SeFa (Shen and Zhou 2021) and GANSpace (Härkönen et al. 2020)."""

from __future__ import annotations

import numpy as np
import torch

from inpaint_model.bundle.directions import Layers
from inpaint_model.document.arrays import Float64Array
from inpaint_model.networks.config import resolutions
from inpaint_model.networks.generator import Generator


def modulation_weights(generator: Generator, layers: Layers) -> list[torch.Tensor]:
    """Return the affine layers [channels, w_dim] of the convolutions that take the styles `layers`.

    ToRGB layers are left out, as is usual: they change colors only, and would dominate.
    """
    affine = {}
    for k, resolution in enumerate(resolutions(generator.config.resolution)):
        block = generator.synthesis.block(resolution)
        if k:
            affine[2 * k - 1] = block.conv0.affine
        affine[2 * k] = block.conv1.affine
    return [affine[k].weight * affine[k].weight_gain for k in layers if k in affine]


def sefa(generator: Generator, layers: Layers, count: int) -> Float64Array:
    """Return the directions that change the styles of `layers` most: unit rows [count, w_dim].

    Closed form: eigenvectors of A^T A, the rows of A being the weights that make one channel's
    style, of length 1 each.
    """
    weights = modulation_weights(generator, layers)
    if not weights:
        raise ValueError(f"layers {list(layers)} belong to no convolution; take a wider range")
    A = torch.cat(weights).detach().cpu().double()
    A = A / A.norm(dim=1, keepdim=True).clamp_min(1e-12)
    _, vectors = torch.linalg.eigh(A.T @ A)
    return _signed(vectors.flip(1).T[:count].numpy())


def pca(w: Float64Array, count: int) -> tuple[Float64Array, Float64Array]:
    """Principal components of codes [N, w_dim]: unit rows [count, w_dim], and their spreads."""
    if len(w) <= count:
        raise ValueError(f"{count} components need more than {len(w)} samples")
    variances, vectors = np.linalg.eigh(np.cov(w, rowvar=False))
    std_devs = np.sqrt(variances[::-1][:count].clip(0))
    return _signed(vectors.T[::-1][:count]), std_devs


def _signed(rows: Float64Array) -> Float64Array:
    """Each row with its largest entry positive, so that a direction is the same everywhere."""
    largest = np.abs(rows).argmax(axis=1)
    signs: Float64Array = np.sign(rows[np.arange(len(rows)), largest])
    return rows * signs[:, None]
