"""Fit what judges the naturalness of a model's fills: it learns to tell them from photographs.

A discriminator of the adversarial training would not do: its heads normalize over a batch, and it
must not be fixed while the model learns from it. This one is fitted to the finished model, as
logistic regression on features of the face recognition network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor
from tqdm import tqdm

from inpaint_model.bundle.recognition import recognition_network
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.masks import training_holes
from inpaint_model.data.sampler import Sampler
from inpaint_model.networks.color_shift import blended
from inpaint_model.networks.naturalness_head import NaturalnessHead
from inpaint_model.networks.recognition_network import features_of
from inpaint_model.training.randomness import generator_for

SHARES = {"mat-256": 0.4, "lasso": 0.2, "box": 0.2, "half": 0.2}  # of the recipes for holes
RIDGE = 0.5  # weight of half the squared weights, of standardized features
_HELD_OUT = 5  # every fifth image is not learned from

Float64Array = NDArray[np.float64]

Fill = Callable[[Tensor, Tensor, int], Tensor]
"""Returns a fill [1, 3, R, R], nominally -1..1, given an image [1, 3, R, R] in -1..1, a hole
[1, 1, R, R], 1 inside, and a seed."""


class Pairs(NamedTuple):
    """Features of images and of their fills, both [N, FEATURES]."""

    images: Tensor
    fills: Tensor


class Fitted(NamedTuple):
    """What was learned."""

    head: NaturalnessHead
    right: float  # share of the images not learned from that score higher than their fills


def pairs_of(images: ImageSet, sampler: Sampler, count: int, seed: int, fill: Fill) -> Pairs:
    """Fill one hole in each of `count` images, and return the features of both."""
    recognition, R = recognition_network(), images.resolution
    found = []
    for number in tqdm(range(count), "filling", disable=None):
        image = images.batch(*sampler.draw(number, 1))
        hole = training_holes(1, R, generator_for(seed, number, "naturalness"), SHARES)
        filled = blended(fill(image, hole, number), image * (1 - hole), hole)
        both = torch.cat([image, filled.clamp(-1, 1)])
        with torch.inference_mode():
            found.append(features_of(recognition, both))
    return Pairs(*torch.stack(found, dim=1))


def fit(pairs: Pairs) -> Fitted:
    """Learn to tell images from fills.

    Raises:
        ValueError: There are fewer than ten pairs.
    """
    if len(pairs.images) < 2 * _HELD_OUT:
        raise ValueError(f"{len(pairs.images)} images are too few; give at least {2 * _HELD_OUT}")
    unseen = torch.arange(len(pairs.images)) % _HELD_OUT == 0
    deviation, mean = torch.std_mean(pairs.images[~unseen], dim=0)
    scale = 1 / deviation.clamp(min=1e-4)
    learned = [(x[~unseen] - mean).mul(scale).double().numpy() for x in pairs]
    head = NaturalnessHead()
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(_logistic_regression(*learned)) * scale)
        images, fills = (head.score(x[unseen]) for x in pairs)
        deviation, mean = torch.std_mean(fills)
        head.mean.copy_(mean)
        head.deviation.copy_(deviation.clamp(min=1e-6))
    return Fitted(head.requires_grad_(False), float((images > fills).float().mean()))


def _logistic_regression(ones: Float64Array, zeros: Float64Array) -> Float64Array:
    """Return the weights [F] that tell features `ones` [N, F] from `zeros` [N, F]."""
    features = np.concatenate([ones, zeros])
    classes = np.repeat([1.0, 0.0], [len(ones), len(zeros)])

    def loss(parameters: Float64Array) -> tuple[float, Float64Array]:
        weights, bias = parameters[:-1], parameters[-1]
        logits = features @ weights + bias
        value = np.mean(np.logaddexp(0, logits) - classes * logits)
        slope = (expit(logits) - classes) / len(classes)
        ridge = RIDGE * weights
        gradient = np.append(features.T @ slope + ridge, slope.sum())
        return float(value + weights @ ridge / 2), gradient

    start = np.zeros(features.shape[1] + 1)
    found: Float64Array = minimize(loss, start, jac=True, method="L-BFGS-B").x[:-1]
    return found
