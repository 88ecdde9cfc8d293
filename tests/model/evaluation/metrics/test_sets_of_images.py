"""Metrics on sets of features against their textbook forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.metrics.fid import frechet_distance
from inpaint_model.evaluation.metrics.ids import inception_discriminative_score
from inpaint_model.evaluation.metrics.kid import (
    kernel_distance,
    paired_kernel_distance,
    polynomial_kernel,
)
from scipy import linalg


def features(count: int, width: int, seed: int, shift: float = 0.0) -> Float64Array:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, width)) @ rng.normal(size=(width, width)) / width + shift


# --- Fréchet ------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(12, 60), m=st.integers(12, 60), width=st.integers(2, 10), seed=st.integers(0, 99)
)
def test_frechet_distance_is_the_formula_with_a_matrix_root(
    n: int, m: int, width: int, seed: int
) -> None:
    a, b = features(n, width, seed), features(m, width, seed + 1, 0.3)
    root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    mean = a.mean(axis=0) - b.mean(axis=0)
    expected = mean @ mean + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_frechet_distance_with_fewer_images_than_dimensions() -> None:
    a, b = features(5, 40, 0), features(7, 40, 1)
    ridge = 1e-10 * np.eye(40)  # lets the textbook root exist
    root = linalg.sqrtm((np.cov(a.T) + ridge) @ (np.cov(b.T) + ridge)).real
    mean = a.mean(axis=0) - b.mean(axis=0)
    expected = mean @ mean + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-2)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


# --- kernel distance ----------------------------------------------------------------------------


def kernel_distance_slowly(a: Float64Array, b: Float64Array, paired: bool) -> float:
    def k(x: Float64Array, y: Float64Array) -> float:
        return float((x @ y / len(x) + 1) ** 3)

    n, m = len(a), len(b)
    of_a = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    of_b = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    between = [k(a[i], b[j]) for i in range(n) for j in range(m) if not (paired and i == j)]
    return of_a + of_b - 2 * sum(between) / len(between)


def test_kernel_distance_is_the_sum_over_pairs() -> None:
    a, b = features(12, 5, 0), features(17, 5, 1, 0.2)
    expected = kernel_distance_slowly(a, b, paired=False)
    assert kernel_distance(a, b).value == pytest.approx(expected)
    expected = kernel_distance_slowly(a, b[:12], paired=True)
    assert paired_kernel_distance(a, b[:12]).value == pytest.approx(expected)


def test_kernel_distance_is_unbiased_for_equal_distributions() -> None:
    pairs = [(features(20, 4, 7), features(20, 4, 7)) for _ in range(1)]
    rng = np.random.default_rng(0)
    pool = features(4000, 4, 3)
    values = []
    for _ in range(150):
        chosen = rng.choice(4000, 60, replace=False)
        values.append(kernel_distance(pool[chosen[:30]], pool[chosen[30:]], resamples=0).value)
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    # ... while fills that equal their originals give exactly nothing, not less than nothing
    assert paired_kernel_distance(*pairs[0]).value == pytest.approx(0, abs=1e-12)
    assert kernel_distance(*pairs[0]).value < -0.01


@pytest.mark.slow
def test_the_bootstrap_interval_covers_the_truth_at_its_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(3000, 3))
    fills = pool + 0.7 + 0.3 * rng.normal(size=pool.shape)
    truth = paired_kernel_distance(pool, fills, resamples=0).value
    inside = 0
    for trial in range(100):
        chosen = rng.choice(3000, 80, replace=False)
        estimate = paired_kernel_distance(pool[chosen], fills[chosen], trial, resamples=200)
        inside += estimate.low <= truth <= estimate.high
    assert 85 <= inside <= 100


@pytest.mark.slow
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_two_images_have_an_interval_too(count: int, paired: bool) -> None:
    """A resample of one image alone would have no pairs."""
    a, b = features(count, 6, 0), features(count, 6, 1)
    estimate = (paired_kernel_distance if paired else kernel_distance)(a, b)
    assert np.isfinite(estimate).all()


def test_large_sets_are_cut_into_blocks() -> None:
    a, b = features(2400, 3, 0), features(2400, 3, 1, 0.1)
    split_half = [
        paired_kernel_distance(a[half], b[half]).value for half in np.split(np.arange(2400), 2)
    ]
    estimate = paired_kernel_distance(a, b)
    assert estimate.value == pytest.approx(np.mean(split_half))
    assert estimate.low < estimate.value < estimate.high


def test_blocks_of_the_larger_set_meet_all_of_the_smaller() -> None:
    """So 356 originals serve for any number of samples, and no kernel grows beyond its block."""
    a, b = features(300, 3, 0), features(3000, 3, 1, 0.1)
    thirds = [kernel_distance(a, third, resamples=50) for third in np.split(b, 3)]
    estimate = kernel_distance(a, b, resamples=50)
    assert estimate.value == pytest.approx(np.mean([third.value for third in thirds]))
    # The blocks share the originals, whose scatter does not average out.
    assert estimate.low == pytest.approx(np.mean([third.low for third in thirds]))
    assert kernel_distance(b, a, resamples=0).value == pytest.approx(estimate.value)


def test_the_kernel_is_cubic() -> None:
    assert polynomial_kernel(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])).item() == 6.5**3


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="not pairs"):
        paired_kernel_distance(features(4, 3, 0), features(5, 3, 0))


# --- P-IDS and U-IDS ----------------------------------------------------------------------------


def test_distant_sets_are_separable_and_equal_sets_are_not() -> None:
    same = features(400, 5, 0)
    score = inception_discriminative_score(same, same + 1e-3 * features(400, 5, 1))
    assert score.u_ids == pytest.approx(0.5, abs=0.06)
    assert score.p_ids == pytest.approx(0.5, abs=0.1)
    assert inception_discriminative_score(same, same + 100) == (0, 0)


def test_scores_are_those_of_the_classifier_s_own_mistakes() -> None:
    from sklearn.svm import LinearSVC

    a, b = features(80, 4, 0), features(80, 4, 1, 0.4)
    machine = LinearSVC(dual=False).fit(np.concatenate([a, b]), [1] * 80 + [0] * 80)
    score = inception_discriminative_score(a, b)
    assert score.u_ids == pytest.approx(
        1 - machine.score(np.concatenate([a, b]), [1] * 80 + [0] * 80)
    )
    better = machine.decision_function(b) > machine.decision_function(a)
    assert score.p_ids == pytest.approx(better.mean())


def test_folds_see_through_the_separability_of_few_images() -> None:
    a, b = features(40, 200, 0), features(40, 200, 0)[::-1]  # one distribution, other pairs
    assert inception_discriminative_score(a + 0, b + 1e-6 * features(40, 200, 2)).u_ids < 0.6
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40, 200))
    assert inception_discriminative_score(a, b).u_ids == 0  # separates noise from noise
    assert inception_discriminative_score(a, b, folds=5).u_ids == pytest.approx(0.5, abs=0.15)
