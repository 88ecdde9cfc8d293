"""Kernel distance between two sets of features (KID, Bińkowski et al. 2018).

Estimates are unbiased, so those of matching sets scatter around 0 and can be negative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from inpaint_model.document.arrays import Float64Array

BLOCK = 1000  # images; the estimates of a larger set's blocks are averaged


class Estimate(NamedTuple):
    """A number with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


def polynomial_kernel(first: Float64Array, second: Float64Array) -> Float64Array:
    """Return k(x, y) = (x.y / D + 1)^3 of features [N, D] and [M, D], [N, M]."""
    kernel: Float64Array = (first @ second.T / first.shape[1] + 1) ** 3
    return kernel


def kernel_distance(
    first: Float64Array, second: Float64Array, seed: int = 0, resamples: int = 500
) -> Estimate:
    """Estimate the KID of two independent sets; blocks of the smaller one are reused."""
    counts = [max(1, len(features) // BLOCK) for features in (first, second)]
    blocks_of_first, blocks_of_second = map(np.array_split, (first, second), counts)
    estimates = [
        _unpaired(
            blocks_of_first[i % counts[0]],
            blocks_of_second[i % counts[1]],
            np.random.default_rng(seed),
            resamples,
        )
        for i in range(max(counts))
    ]
    return _mean(estimates, min(counts))


def paired_kernel_distance(
    originals: Float64Array, fills: Float64Array, seed: int = 0, resamples: int = 500
) -> Estimate:
    """Estimate the KID when fill i was made from original i; equal sets give exactly 0.

    Pairs are left out (Gretton et al. 2012, lemma 6), or their resemblance would count as
    agreement.
    """
    if originals.shape != fills.shape:
        raise ValueError(f"not pairs: {originals.shape} and {fills.shape}")
    blocks = max(1, len(originals) // BLOCK)
    parts = zip(np.array_split(originals, blocks), np.array_split(fills, blocks), strict=True)
    estimates = [_paired(a, b, np.random.default_rng(seed), resamples) for a, b in parts]
    return _mean(estimates, blocks)


def _paired(a: Float64Array, b: Float64Array, rng: np.random.Generator, resamples: int) -> Estimate:
    cross = polynomial_kernel(a, b)
    # h(i, j) of the U-statistic. An image drawn twice must not be paired with itself.
    statistic = polynomial_kernel(a, a) + polynomial_kernel(b, b) - cross - cross.T
    count = len(a)
    return _bootstrap(
        lambda weights: _off_diagonal_mean(statistic, weights),
        np.ones(count),
        lambda: _drawn(rng, count),
        resamples,
    )


def _unpaired(
    a: Float64Array, b: Float64Array, rng: np.random.Generator, resamples: int
) -> Estimate:
    within_a, within_b, cross = (polynomial_kernel(*pair) for pair in ((a, a), (b, b), (a, b)))
    sizes = (len(a), len(b))

    def distance(weights: Float64Array) -> float:
        of_a, of_b = weights[: sizes[0]], weights[sizes[0] :]
        between = of_a @ cross @ of_b / (of_a.sum() * of_b.sum())
        return (
            _off_diagonal_mean(within_a, of_a)
            + _off_diagonal_mean(within_b, of_b)
            - 2 * float(between)
        )

    def draw() -> Float64Array:
        return np.concatenate([_drawn(rng, n) for n in sizes])

    return _bootstrap(distance, np.ones(sum(sizes)), draw, resamples)


def _drawn(rng: np.random.Generator, count: int) -> Float64Array:
    """Draw `count` images with replacement; return how often each was drawn.

    At least two different ones, without which there is no pair. This matters only for a few images.
    """
    times = rng.multinomial(count, np.full(count, 1 / count))
    while count > 1 and times.max() == count:
        times = rng.multinomial(count, np.full(count, 1 / count))
    return times.astype(np.float64)


def _off_diagonal_mean(matrix: Float64Array, weights: Float64Array) -> float:
    total = weights @ matrix @ weights - weights**2 @ matrix.diagonal()
    return float(total / (weights.sum() ** 2 - (weights**2).sum()))


def _bootstrap(
    statistic: Callable[[Float64Array], float],
    ones: Float64Array,
    draw: Callable[[], Float64Array],
    resamples: int,
) -> Estimate:
    value = statistic(ones)
    spread = [statistic(draw()) for _ in range(resamples)]
    low, high = np.quantile(spread, [0.025, 0.975]) if spread else (value, value)
    return Estimate(value, float(low), float(high))


def _mean(estimates: list[Estimate], independent: int) -> Estimate:
    """Average blocks; the interval shrinks with the root of the number of independent ones."""
    value, low, high = np.mean(estimates, axis=0)
    shrink = independent**-0.5
    return Estimate(
        float(value), float(value - (value - low) * shrink), float(value + (high - value) * shrink)
    )
