"""Metrics on pairs of images, and on candidates, against plain loops and known values."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from inpaint_model.document.arrays import ImageU8
from inpaint_model.evaluation.metrics.diversity import candidate_diversity, stranger_distance
from inpaint_model.evaluation.metrics.psnr_ssim import psnr, ssim
from inpaint_model.evaluation.metrics.vgg_distance import hole_distance, tap_distance
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor


def pair(seed: int = 0) -> tuple[ImageU8, ImageU8]:
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(32, 32, 3)) * 400 + 128, (2, 2, 0))
    first = smooth.clip(0, 255).astype(np.uint8)
    second = (smooth + rng.normal(size=smooth.shape) * 12).clip(0, 255).astype(np.uint8)
    return first, second


def test_psnr_agrees_with_scikit_image_and_knows_regions() -> None:
    first, second = pair()
    assert psnr(first, second) == pytest.approx(peak_signal_noise_ratio(first, second))
    left = np.zeros((32, 32), bool)
    left[:, :16] = True
    expected = peak_signal_noise_ratio(first[:, :16], second[:, :16])
    assert psnr(first, second, left) == pytest.approx(expected)
    assert psnr(first, first) == 99
    assert math.isnan(psnr(first, second, np.zeros((32, 32), bool)))


def test_ssim_is_the_formula_of_its_authors() -> None:
    first, second = pair()
    a, b = first.astype(float), second.astype(float)

    def blur(x: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(x, (1.5, 1.5, 0), truncate=3.5)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = blur(a), blur(b)
    covariance = blur(a * b) - mean_a * mean_b
    variance = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (variance + c2)
    assert ssim(first, second) == pytest.approx(similarity.mean(), abs=1e-6)
    corner = np.zeros((32, 32), bool)
    corner[:9, 5:20] = True
    assert ssim(first, second, corner) == pytest.approx(similarity[corner].mean(), abs=1e-6)
    assert ssim(first, first) == pytest.approx(1)
    assert math.isnan(ssim(first, second, np.zeros((32, 32), bool)))


def two_layers(seed: int, count: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, 3, 8, 8, generator=generator), torch.randn(count, 5, 4, 4)]


def test_tap_distance_is_relative_to_the_original() -> None:
    first = two_layers(0)
    assert tap_distance(first, first).tolist() == [0, 0]
    assert tap_distance(first, [torch.zeros_like(x) for x in first]).tolist() == pytest.approx(
        [1] * 2
    )
    assert tap_distance(first, [3 * x for x in first]).tolist() == pytest.approx([4, 4])


def test_hole_distance_counts_the_hole_only() -> None:
    first, second = two_layers(0), two_layers(1)
    hole = torch.zeros(2, 1, 16, 16)
    hole[:, :, :5, :12] = 1
    expected = []
    for n in range(2):
        layers = []
        for a, b in zip(first, second, strict=True):
            size, total, weights = a.shape[2], 0.0, 0.0
            cell = 16 // size
            for y in range(size):
                for x in range(size):
                    share = hole[n, 0, y * cell : (y + 1) * cell, x * cell : (x + 1) * cell].mean()
                    u, v = a[n, :, y, x], b[n, :, y, x]
                    total += float(share * (u / u.norm() - v / v.norm()).square().sum())
                    weights += float(share)
            layers.append(total / weights)
        expected.append(np.mean(layers))
    assert hole_distance(first, second, hole).tolist() == pytest.approx(expected, rel=1e-4)
    changed = [x.clone() for x in first]
    for layer, rows in zip(changed, (3, 2), strict=True):
        layer[:, :, rows:] = 7  # outside the hole
    assert hole_distance(first, changed, hole).tolist() == pytest.approx([0, 0], abs=1e-6)


def maps(images: Tensor) -> list[Tensor]:
    x = images.float() / 127.5 - 1
    return [torch.nn.functional.avg_pool2d(x, 2), torch.nn.functional.avg_pool2d(x, 4)]


def test_diversity_is_the_mean_over_pairs_and_0_for_equal_candidates() -> None:
    generator = torch.Generator().manual_seed(0)
    candidates = torch.randint(256, (4, 3, 16, 16), generator=generator, dtype=torch.uint8)
    hole = torch.zeros(1, 16, 16)
    hole[:, 4:, 4:] = 1
    features = [maps(c[None]) for c in candidates]
    expected = np.mean(
        [float(hole_distance(a, b, hole[None])) for a, b in combinations(features, 2)]
    )
    assert candidate_diversity(maps, candidates, hole) == pytest.approx(expected, rel=1e-5)
    assert candidate_diversity(maps, candidates[:1].expand(4, -1, -1, -1), hole) == 0


def test_strangers_are_neighbors_in_a_ring() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (3, 3, 16, 16), generator=generator, dtype=torch.uint8)
    holes = torch.ones(3, 1, 16, 16)
    features = [maps(p[None]) for p in images]
    expected = np.mean(
        [float(hole_distance(features[i], features[i - 1], holes[:1])) for i in range(3)]
    )
    assert stranger_distance(maps, images, holes) == pytest.approx(expected, rel=1e-5)
