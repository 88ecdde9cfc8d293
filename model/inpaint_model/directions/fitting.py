"""Fit directions to scores (InterFaceGAN, Shen et al. 2020) or to a few marked samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from inpaint_model.bundle.direction_store import Found
from inpaint_model.bundle.directions import Layers
from inpaint_model.directions.attributes import Attribute
from inpaint_model.directions.context import DirectionContext
from inpaint_model.directions.effects import Subject
from inpaint_model.directions.samples import Samples
from inpaint_model.document.arrays import Flags, Float64Array

MIN_EXTREMES = 10


class Fit(NamedTuple):
    """A direction in w."""

    vector: Float64Array  # [w_dim], length 1, toward higher scores
    accuracy: float  # 0..1, of held-out samples


def fit_extremes(w: Float64Array, scores: Float64Array, share: float = 0.02) -> Fit:
    """Return the normal of the plane between samples [N, w_dim] with high and low scores [N].

    70 % of `share`, the fraction at each end, is fitted; the rest measures the accuracy.

    Raises:
        ValueError: if these are too few, or all scores are equal.
    """
    count = int(len(w) * share)
    if count < MIN_EXTREMES:
        raise ValueError(
            f"{share:g} of {len(w)} samples are {count} at each end, fewer than {MIN_EXTREMES}: "
            "draw more samples or use a larger fraction"
        )
    order = np.argsort(scores, kind="stable")
    if scores[order[-1]] - scores[order[0]] < 1e-9:
        raise ValueError("the score is the same for every sample, so no direction can be fitted")
    low, high = order[:count], order[-count:]
    rng = np.random.default_rng(0)
    chosen = np.stack([rng.permutation(low), rng.permutation(high)])  # [2, count]
    cut = max(count * 7 // 10, 1)
    fitted, held = w[chosen[:, :cut].ravel()], w[chosen[:, cut:].ravel()]
    labels = np.repeat([False, True], cut)
    normal, offset = _separate(fitted, labels, w.mean(axis=0), float(w.std()), 1.0)
    said = held @ normal > offset
    return Fit(normal, float((said == np.repeat([False, True], count - cut)).mean()))


def fit_marks(w: Float64Array, marked: Float64Array, more: Flags) -> Fit:
    """Return the direction from codes `marked` [M, w_dim] "less" to those marked "more".

    Whitening by many codes `w` [N, w_dim] keeps a few dozen marks from finding only the axes along
    which w varies. The accuracy is from leave-one-out cross-validation.

    Raises:
        ValueError: for fewer than 3 marks of each kind.
    """
    if more.sum() < 3 or (~more).sum() < 3:
        raise ValueError(
            f"{int(more.sum())} samples are marked more and {int((~more).sum())} less; "
            "mark at least 3 of each"
        )
    mean = w.mean(axis=0)
    spread, axes = np.linalg.eigh(np.cov(w, rowvar=False))
    scale = np.sqrt(spread.clip(spread[-1] * 1e-4))
    white = (marked - mean) @ axes / scale
    zero = np.zeros(white.shape[1])
    right = 0
    for k in range(len(white)):
        rest = np.arange(len(white)) != k
        normal, offset = _separate(white[rest], more[rest], zero, 1.0, 0.01)
        right += int((white[k] @ normal > offset) == more[k])
    normal, _ = _separate(white, more, zero, 1.0, 0.01)
    vector = axes @ (normal * scale)  # back to w
    return Fit(vector / np.linalg.norm(vector), right / len(white))


def without(vector: Float64Array, others: Sequence[Float64Array]) -> Float64Array:
    """Make a unit vector orthogonal to `others` [w_dim]: InterFaceGAN's conditional projection.

    Raises:
        ValueError: if nothing is left.
    """
    if not others:
        return vector
    basis, _ = np.linalg.qr(np.stack(others, axis=1))
    rest = vector - basis @ (basis.T @ vector)
    length = float(np.linalg.norm(rest))
    if length < 1e-6:
        raise ValueError("nothing is left of the direction once the others are removed from it")
    result: Float64Array = rest / length
    return result


def _separate(
    x: Float64Array, labels: Flags, mean: Float64Array, scale: float, C: float
) -> tuple[Float64Array, float]:
    """Return a linear SVM's unit normal and offset, in units of x."""
    try:
        from sklearn.svm import LinearSVC  # only fits need it
    except ModuleNotFoundError:
        raise ValueError(
            "fitting needs scikit-learn: pip install 'inpaint-stylegan[train]'"
        ) from None

    machine = LinearSVC(C=C, loss="squared_hinge", dual="auto", random_state=0, max_iter=20_000)
    machine.fit((x - mean) / scale, labels)
    weights = machine.coef_[0]
    length = float(np.linalg.norm(weights))
    normal: Float64Array = weights / length
    offset = -float(machine.intercept_[0]) / length * scale + float(mean @ normal)
    return normal, offset


def fit_attributes(
    context: DirectionContext,
    wanted: Sequence[Attribute],
    removed: Sequence[Attribute],
    samples: Samples,
    subjects: Sequence[Subject],
    share: float,
    layers: Layers,
) -> Iterator[Found]:
    """Fit a direction for each attribute in `wanted`, orthogonal to those in `removed`.

    `share` is as in `fit_extremes`; `subjects` serve calibration.
    """
    every = {a.name: a for a in (*wanted, *removed)}
    fits = {name: fit_extremes(samples.w, samples.scores[name], share) for name in every}
    for attribute in wanted:
        name = attribute.name
        spared = [a for a in removed if a.name != name and a.name not in attribute.includes]
        vector = without(fits[name].vector, [fits[other.name].vector for other in spared])
        source = (
            f"linear SVM on {share:.3g} of {len(samples.w)} samples at each end, "
            f"{fits[name].accuracy:.0%} accuracy on held-out samples"
        )
        if spared:
            source += f"; without {', '.join(a.name for a in spared)}"
        draft = context.draft(name, attribute.group, layers, source, name, attribute.description)
        spread = float(samples.scores[name].std())
        yield context.finish(draft, vector, samples.w, subjects, attribute.score, spread)
