"""Which styles a fit acts on, and what of other fits it takes to move its own score alone.

Normals that are orthogonal in w leave each other alone only as far as scores are linear in w and
all styles move. Here every normal is tried on every level of styles, what it does to all scores is
measured, and the combination is solved for that moves one of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from inpaint_model.directions import Layers
from inpaint_model.editing.effects import Subject, walk
from inpaint_model.editing.layers import LEVELS as STYLES_OF
from inpaint_model.editing.layers import parse_layers
from inpaint_model.editing.samples import Floats, measure
from inpaint_model.editing.statistics import Score

LEVELS = ("structure", "features", "colours")
RANGES = (
    ("structure",),
    ("features",),
    ("colours",),
    ("structure", "features"),
    ("features", "colours"),
    LEVELS,
)
RIDGE = 0.02  # price of moving codes, against leaks: squared deviations of scores and of codes
UNSEEN = 0.05  # deviations of a score that nobody sees: a silent direction is not a clean one


class Tries(NamedTuple):
    """What fits do to measurements, level by level."""

    fits: tuple[str, ...]  # K
    measures: tuple[str, ...]  # M
    slopes: Floats  # [3, K, M]: level, fit, measurement; its deviations for one of the codes
    steps: Floats  # [K, w_dim]: each fit, one standard deviation of the codes long


class Mixture(NamedTuple):
    """A fit that others were taken out of, on the levels where that goes best."""

    vector: Floats  # [num_ws, w_dim], its longest row of length 1; 0 on other levels
    layers: Layers
    ratio: float  # its own effect to the largest other one


@torch.inference_mode()
def try_levels(
    steps: Mapping[str, Floats],
    subjects: Sequence[Subject],
    scores: Mapping[str, Score],
    spreads: Mapping[str, float],
) -> Tries:
    """Move every subject by one step of every fit, both ways, on each level.

    steps: the fits [w_dim], one standard deviation of the samples long. spreads: the standard
    deviations of the scores.
    """
    num_ws = len(subjects[0].ws)
    scale = np.array([spreads[name] for name in scores])
    slopes = np.zeros((len(LEVELS), len(steps), len(scores)))
    for i, level in enumerate(LEVELS):
        for j, fit in enumerate(steps.values()):
            step = torch.zeros(num_ws, len(fit))
            step[slice(*STYLES_OF[level])] = torch.from_numpy(np.asarray(fit, np.float32))
            for subject in subjects:
                answers = measure(scores, walk(subject, step, np.array([-1.0, 1.0])))
                slopes[i, j] += [(high - low) / 2 for low, high in answers.values()] / scale
    slopes /= len(subjects)
    return Tries(tuple(steps), tuple(scores), slopes, np.stack(list(steps.values())))


def unmix(
    tries: Tries,
    name: str,
    spared: Mapping[str, Collection[str]],
    num_ws: int,
    ranges: Sequence[Sequence[str]] = RANGES,
) -> Mixture:
    """The combination of fits, and the levels, that move the measurement `name` most against
    the measurements of the `spared` fits.

    On each range of levels: least squares for one deviation of the own measurement and none of
    the others, every fit having a weight on every level. A ridge keeps codes from going further
    than it is worth.
    """
    columns = [tries.fits.index(fit) for fit in (name, *spared)]
    others = [tries.measures.index(measure) for own in spared.values() for measure in own]
    rows = [tries.measures.index(name), *others]
    target = np.eye(len(rows))[0]
    best: Mixture | None = None
    for levels in ranges:
        chosen = [LEVELS.index(level) for level in levels]
        A = np.concatenate([tries.slopes[level][np.ix_(columns, rows)] for level in chosen]).T
        weights = np.linalg.solve(A.T @ A + RIDGE * np.eye(A.shape[1]), A.T @ target)
        own, *leaks = A @ weights
        ratio = float(own) / (max(map(abs, leaks), default=0.0) + UNSEEN)
        vector = np.zeros((num_ws, tries.steps.shape[1]))
        for level, share in zip(levels, weights.reshape(len(levels), -1), strict=True):
            vector[slice(*STYLES_OF[level])] = share @ tries.steps[columns]
        length = np.linalg.norm(vector, axis=1).max(initial=0.0)
        if length > 0 and (best is None or ratio > best.ratio):
            layers = parse_layers(",".join(levels), num_ws)
            best = Mixture(vector / length, layers, ratio)
    if best is None:
        raise ValueError(f"nothing moves the score {name!r} in this generator")
    return best
