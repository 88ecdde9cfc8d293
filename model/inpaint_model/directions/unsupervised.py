"""Directions without scores: SeFa (Shen and Zhou 2021) and GANSpace (Härkönen et al. 2020)."""

from __future__ import annotations

import numpy as np
import torch

from inpaint_model.bundle.directions import Layers
from inpaint_model.document.arrays import Float64Array
from inpaint_model.networks.config import resolutions
from inpaint_model.networks.generator import Generator


def modulation_weights(generator: Generator, layers: Layers) -> list[torch.Tensor]:
    """Return the convolutions' affine weights [channels, w_dim] of the styles `layers`.

    ToRGB layers only change colors and would dominate.
    """
    affine = {}
    for k, resolution in enumerate(resolutions(generator.config.resolution)):
        block = generator.synthesis.block(resolution)
        if k:
            affine[2 * k - 1] = block.conv0.affine
        affine[2 * k] = block.conv1.affine
    return [affine[k].weight * affine[k].weight_gain for k in layers if k in affine]


def sefa(generator: Generator, layers: Layers, count: int) -> Float64Array:
    """Return unit rows [count, w_dim] that change the styles of `layers` most.

    They are eigenvectors of A^T A, where the rows of A are normalized affine weights.
    """
    weights = modulation_weights(generator, layers)
    if not weights:
        raise ValueError(f"layers {list(layers)} belong to no convolution; use a wider range")
    A = torch.cat(weights).detach().cpu().double()
    A = A / A.norm(dim=1, keepdim=True).clamp_min(1e-12)
    _, vectors = torch.linalg.eigh(A.T @ A)
    return _signed(vectors.flip(1).T[:count].numpy())


def pca(w: Float64Array, count: int) -> tuple[Float64Array, Float64Array]:
    """Return the principal components, unit rows [count, w_dim], of codes, and their deviations."""
    if len(w) <= count:
        raise ValueError(f"{count} components need more than {len(w)} samples; draw more")
    variances, vectors = np.linalg.eigh(np.cov(w, rowvar=False))
    std_devs = np.sqrt(variances[::-1][:count].clip(0))
    return _signed(vectors.T[::-1][:count]), std_devs


def _signed(rows: Float64Array) -> Float64Array:
    """Make each row's largest entry positive, for equal signs on all machines."""
    largest = np.abs(rows).argmax(axis=1)
    signs: Float64Array = np.sign(rows[np.arange(len(rows)), largest])
    return rows * signs[:, None]
