"""Losses of logits, [N, 1] or (hinge) [N, L], and penalties of gradients."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def g_nonsaturating(fake_logits: Tensor) -> Tensor:
    """Return the generator's loss -log sigmoid(D(fake))."""
    return F.softplus(-fake_logits).mean()


def d_logistic_real(real_logits: Tensor) -> Tensor:
    """Return -log sigmoid(D(real))."""
    return F.softplus(-real_logits).mean()


def d_logistic_fake(fake_logits: Tensor) -> Tensor:
    """Return -log(1 - sigmoid(D(fake)))."""
    return F.softplus(fake_logits).mean()


def g_hinge(fake_logits: Tensor) -> Tensor:
    """Return the generator's hinge loss -D(fake)."""
    return -fake_logits.mean()


def d_hinge_real(real_logits: Tensor) -> Tensor:
    """Return max(0, 1 - D(real)) (Lim and Ye 2017)."""
    return F.relu(1 - real_logits).mean()


def d_hinge_fake(fake_logits: Tensor) -> Tensor:
    """Return max(0, 1 + D(fake)) (Lim and Ye 2017)."""
    return F.relu(1 + fake_logits).mean()


def r1_penalty(real_logits: Tensor, real_images: Tensor) -> Tensor:
    """Return the mean squared norm of D's gradient at real images (Mescheder et al. 2018).

    Images [N, 3, H, W] must require gradients and have produced the logits.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), real_images, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Return lengths [N] of the Jacobian's product with random images (StyleGAN2, section 3.2).

    Images [N, 3, H, W] come from ws [N, num_ws, w_dim]; noise has their shape and is unit normal.
    """
    y = noise / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * y).sum(), ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor) -> Tensor:
    """Return the mean squared deviation of lengths [N] from their running mean."""
    return (lengths - mean).square().mean()
