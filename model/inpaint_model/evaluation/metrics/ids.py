"""P-IDS and U-IDS (Zhao et al. 2021): can a linear classifier distinguish fills from originals?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inpaint_model.document.arrays import Flags, Float64Array


class Separability(NamedTuple):
    """Fractions from 0 (perfectly separable) to 0.5 (chance); higher is better."""

    p_ids: float  # pairs whose fill is classified as more real than its original
    u_ids: float  # misclassified images


def inception_discriminative_score(
    originals: Float64Array, fills: Float64Array, folds: int | None = None, seed: int = 0
) -> Separability:
    """Compute both scores of paired features [N, D].

    Without `folds` the classifier is tested on the images it was fitted to, as published; fewer
    images than dimensions are then always separable. With `folds` the scores are cross-validated,
    keeping pairs together.
    """
    scores = np.zeros((2, len(originals)))
    for seen, judged in _splits(len(originals), folds, seed):
        scores[:, judged] = _decide(originals, fills, seen, judged)
    of_originals, of_fills = scores
    wrong = np.concatenate([of_originals <= 0, of_fills > 0])
    return Separability(float((of_fills > of_originals).mean()), float(wrong.mean()))


def _splits(count: int, folds: int | None, seed: int) -> list[tuple[Flags, Flags]]:
    if folds is None:
        return [(np.ones(count, bool), np.ones(count, bool))]
    fold = np.random.default_rng(seed).permutation(np.arange(count) % folds)
    return [(fold != number, fold == number) for number in range(folds)]


def _decide(
    originals: Float64Array, fills: Float64Array, seen: Flags, judged: Flags
) -> Float64Array:
    """Return decision values [2, K] of originals and fills; positive means original."""
    from sklearn.svm import LinearSVC

    count = int(seen.sum())
    machine = LinearSVC(dual=False)
    machine.fit(np.concatenate([originals[seen], fills[seen]]), np.repeat([1, 0], [count, count]))
    return np.stack([machine.decision_function(x[judged]) for x in (originals, fills)])
