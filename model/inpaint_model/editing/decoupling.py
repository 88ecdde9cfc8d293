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
    """What fits do to scores, level by level."""

    names: tuple[str, ...]  # of fits and scores alike, K
    slopes: Floats  # [3, K, K]: level, fit, score; deviations of the score for one of the codes
    steps: Floats  # [K, w_dim]: each fit, one standard deviation of the codes long


class Mixture(NamedTuple):
    """A fit that others were taken out of, on the levels where that goes best."""

    vector: Floats  # [w_dim], length 1
    levels: tuple[str, ...]
    ratio: float  # its own effect to the largest other one

    def layers(self, num_ws: int) -> Layers:
        return parse_layers(",".join(self.levels), num_ws)


@torch.inference_mode()
def try_levels(
    steps: Mapping[str, Floats],
    subjects: Sequence[Subject],
    scores: Mapping[str, Score],
    spreads: Mapping[str, float],
) -> Tries:
    """Move every subject by one step of every fit, both ways, on each level.

    steps: the fits [w_dim], one standard deviation of the samples long; scores and their standard
    deviations (`spreads`) by the same names.
    """
    names = tuple(steps)
    num_ws = len(subjects[0].ws)
    slopes = np.zeros((len(LEVELS), len(names), len(names)))
    for i, level in enumerate(LEVELS):
        layers = range(num_ws)[slice(*STYLES_OF[level])]
        for j, name in enumerate(names):
            step = torch.zeros(num_ws, len(steps[name]))
            step[list(layers)] = torch.from_numpy(np.asarray(steps[name], np.float32))
            for subject in subjects:
                answers = measure(scores, walk(subject, step, np.array([-1.0, 1.0])))
                slopes[i, j] += [np.diff(answers[n])[0] / 2 / spreads[n] for n in names]
    return Tries(names, slopes / len(subjects), np.stack([steps[name] for name in names]))


def unmix(
    tries: Tries,
    name: str,
    spared: Collection[str],
    ranges: Sequence[Sequence[str]] = RANGES,
) -> Mixture:
    """The combination of fits, and the levels, that move `name` most against the `spared` scores.

    On each range of levels: least squares for one deviation of the score and none of the others,
    with a ridge, so that codes go no further than it is worth.
    """
    wanted = tries.names.index(name)
    rows = [k for k, other in enumerate(tries.names) if k == wanted or other in spared]
    target = np.array([float(k == wanted) for k in rows])
    best: Mixture | None = None
    for levels in ranges:
        effects = sum(tries.slopes[LEVELS.index(level)] for level in levels)[np.ix_(rows, rows)]
        A = effects.T  # [score, fit]
        weights = np.linalg.solve(A.T @ A + RIDGE * np.eye(len(rows)), A.T @ target)
        vector = weights @ tries.steps[rows]
        predicted = np.abs(A @ weights)
        own = float((A @ weights)[rows.index(wanted)])
        others = np.delete(predicted, rows.index(wanted))
        ratio = own / (float(others.max(initial=0.0)) + UNSEEN)
        length = float(np.linalg.norm(vector))
        if length > 0 and (best is None or ratio > best.ratio):
            best = Mixture(vector / length, tuple(levels), ratio)
    if best is None:
        raise ValueError(f"nothing moves the score {name!r} in this generator")
    return best
