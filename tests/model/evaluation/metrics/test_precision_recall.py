"""Precision and recall of sets of features: by hand, and against the equations as loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.metrics.precision_recall import precision_recall


def cloud(count: int, seed: int, shift: float = 0.0, width: int = 4) -> Float64Array:
    return np.random.default_rng(seed).normal(size=(count, width)) + shift


def slowly(real: Float64Array, generated: Float64Array, k: int) -> tuple[float, float]:
    def within(points: Float64Array, centers: Float64Array) -> float:
        radii = [sorted(np.linalg.norm(centers - c, axis=1))[k] for c in centers]
        inside = [
            any(np.linalg.norm(p - c) <= r for c, r in zip(centers, radii, strict=True))
            for p in points
        ]
        return float(np.mean(inside))

    return within(generated, real), within(real, generated)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(6, 30), k=st.integers(1, 4), shift=st.floats(0, 3), seed=st.integers(0, 99))
def test_equal_sets_follow_the_equations(n: int, k: int, shift: float, seed: int) -> None:
    real, generated = cloud(n, seed), cloud(n, seed + 1, shift)
    assert precision_recall(real, generated, k) == pytest.approx(slowly(real, generated, k))


def test_a_set_covers_itself_and_nothing_far_away() -> None:
    real = cloud(40, 0)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, np.repeat(real[:10], 4, axis=0)).precision == 1  # radius 0
    assert precision_recall(real, real + 100) == (0, 0)


def test_a_dropped_mode_costs_recall_and_outliers_cost_precision() -> None:
    real = np.concatenate([cloud(50, 0), cloud(50, 1, shift=50)])
    one_mode = np.concatenate([cloud(50, 0), cloud(50, 2)])
    precision, recall = precision_recall(real, one_mode)
    assert precision > 0.8
    assert recall == 0.5
    outliers = real.copy()
    # Two by two far apart, so that no ball of theirs reaches back over the real images.
    outliers[:4] = 1000 * np.eye(4)
    precision, recall = precision_recall(real, outliers)
    assert precision == 0.96
    assert recall > 0.9


def test_a_single_outlier_among_the_generated_lifts_recall_only_by_its_own_ball() -> None:
    """The known weakness: an outlier's ball reaches back over everything."""
    real, generated = cloud(30, 0, shift=20), cloud(30, 1)
    assert precision_recall(real, generated).recall == 0
    generated[0] = 50
    assert precision_recall(real, generated).recall == 1


@pytest.mark.parametrize("turned", [False, True], ids=["more generated", "more real"])
def test_of_unequal_sets_parts_of_the_larger_are_used(turned: bool) -> None:
    """So a set that only has more images of the same kind scores as one of equal size."""
    few, many = cloud(60, 0), cloud(400, 1)
    pair = (many, few) if turned else (few, many)
    unequal = precision_recall(*pair)
    equal = np.mean([precision_recall(few, cloud(60, seed)) for seed in range(2, 12)], axis=0)
    assert unequal == pytest.approx(equal[::-1] if turned else equal, abs=0.1)
    assert precision_recall(*pair) == unequal  # not by chance
    whole_set = slowly(*pair, 3)
    assert abs(whole_set[0 if turned else 1] - unequal[0 if turned else 1]) > 0.05


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 3 images"):
        precision_recall(cloud(3, 0), cloud(10, 1))
