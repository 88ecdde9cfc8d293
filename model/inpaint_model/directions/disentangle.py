"""Find the smallest move of the codes that changes one measurement and hardly any other.

The changes of all measurements are regressed on random moves, independent on each pair of styles.
Each measurement counts only in the images whose hole shows it. An image with a hole in the hair
says nothing about the skin: if it counted, the skin would seem to change less than it does.

Least squares then give the move. A penalty keeps it short, so that it follows less noise and
stays within the distribution of codes: the largest penalty with which it is specific enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inpaint_model.directions.effects import Subject, walk
from inpaint_model.directions.measurements import Score
from inpaint_model.directions.samples import measure
from inpaint_model.directions.unsupervised import pca
from inpaint_model.document.arrays import Flags, Float64Array

AXES = 48  # principal axes of w: 90 % of a small generator's variance
LENGTH = 0.7  # of random moves on each axis, in standard deviations
RIDGE = 60.0  # equivalent to this many moves without effect
UNSEEN = 0.03  # standard deviations; below, the attribute is not visible
# Of the squared length, relative to the squared slope. A larger one gives a shorter move, with more
# side effects.
LENGTH_PENALTIES = (1.0, 0.5, 0.2, 0.1, 0.05)
TOLERATED = 0.3  # side effect of a move, relative to its effect; checks allow 0.5 in other images
LEAST = 0.05  # standard deviations; smaller own changes are noise
LONGEST = 6.0  # standard deviations; further out, images are no longer faces
# The styles that move together. Those of the finest resolutions hardly change more than colors.
PAIRS = (slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 8), slice(8, 10), slice(10, None))


class Axes(NamedTuple):
    """Axes of variation: a move is [pairs * P] numbers, in standard deviations."""

    rows: Float64Array  # [P, w_dim], each one standard deviation long
    num_ws: int

    @property
    def size(self) -> int:
        """Number of components of a move."""
        return len(self._pairs) * len(self.rows)

    def step(self, move: Float64Array) -> Float64Array:
        """Return the change of codes by a move: [num_ws, w_dim]."""
        step = np.zeros((self.num_ws, self.rows.shape[1]))
        for styles, part in zip(self._pairs, move.reshape(-1, len(self.rows)), strict=True):
            step[styles] = part @ self.rows
        return step

    @property
    def _pairs(self) -> tuple[slice, ...]:
        """The pairs that the generator has: small ones have fewer styles."""
        return tuple(styles for styles in PAIRS if styles.start < self.num_ws)


def axes_of(w: Float64Array, num_ws: int) -> Axes:
    """Return the principal axes of codes w [N, w_dim]."""
    rows, std_devs = pca(w, min(AXES, w.shape[1]))
    return Axes(rows * std_devs[:, None], num_ws)


@dataclass(frozen=True)
class Trials:
    """Moves of one image and their effects."""

    moves: Float64Array  # [K, pairs * P]
    # [K, M]: half the difference between the move and its opposite, in standard deviations
    changes: Float64Array
    weight: float = 1.0

    @property
    def shown(self) -> Flags:
        """Whether each measurement changes inside the hole: [M]."""
        shown: Flags = np.abs(self.changes).max(axis=0) > UNSEEN
        return shown


@torch.inference_mode()
def try_moves(
    subject: Subject,
    moves: Float64Array,
    axes: Axes,
    scores: Mapping[str, Score],
    std_devs: Mapping[str, float],
    weight: float = 1.0,
) -> Trials:
    """Measure an image moved by each of `moves` and by its opposite."""
    both = np.array([-1.0, 1.0])
    shown = [walk(subject, _tensor(axes.step(move)), both) for move in moves]
    answers = measure(scores, torch.cat(shown))
    changes = [
        np.diff(values.reshape(-1, 2))[:, 0] / 2 / std_devs[k] for k, values in answers.items()
    ]
    return Trials(moves, np.stack(changes, axis=1), weight)


def random_moves(count: int, axes: Axes, rng: np.random.Generator) -> Float64Array:
    """Draw moves [count, pairs * P]."""
    return rng.standard_normal((count, axes.size)) * LENGTH


def slopes(trials: Sequence[Trials]) -> Float64Array:
    """Return all measurements' changes per unit of each component, [pairs * P, M].

    They are 0 for a measurement that no image shows.
    """
    return np.stack([_slope(trials, k) for k in range(trials[0].changes.shape[1])], axis=1)


def _slope(trials: Sequence[Trials], measurement: int) -> Float64Array:
    """Return the slopes [pairs * P] of one measurement."""
    shown = [each for each in trials if each.shown[measurement]]
    size = trials[0].moves.shape[1]
    if not shown:
        return np.zeros(size)
    X = np.concatenate([each.weight * each.moves for each in shown])
    y = np.concatenate([each.weight * each.changes[:, measurement] for each in shown])
    slope: Float64Array = np.linalg.solve(X.T @ X + RIDGE * np.eye(size), X.T @ y)
    return slope


class AttributeSlopes(NamedTuple):
    """Slopes of one attribute and of those that its move should spare."""

    own: Float64Array  # [D], of its score
    own_judge: Float64Array  # [D]
    others: Float64Array  # [M, D], of the scores of the others
    other_judges: Float64Array  # [M, D]

    def side_effect(self, move: Float64Array) -> float:
        """Return the largest change of another judge, relative to that of the own one."""
        changes = np.abs(self.other_judges @ move)
        return float(changes.max(initial=0.0)) / max(abs(float(self.own_judge @ move)), 1e-6)


def specific_move(attribute: AttributeSlopes) -> Float64Array:
    """Return the shortest move [D] whose side effects are tolerated; else the most specific one.

    It changes the own score by one standard deviation.

    Raises:
        ValueError: if no move changes only this one.
    """
    spared = np.concatenate([attribute.others, attribute.other_judges])
    moves = []
    for penalty in LENGTH_PENALTIES:
        try:
            move = least_move(attribute.own, spared, penalty)
        except ValueError:  # a smaller penalty may leave enough of the effect
            continue
        if attribute.side_effect(move) <= TOLERATED:
            return move
        moves.append(move)
    if not moves:
        raise ValueError("no move changes it without changing the others")
    return min(moves, key=attribute.side_effect)


def least_move(own: Float64Array, others: Float64Array, length_penalty: float) -> Float64Array:
    """Return the move [D] that changes the own measurement by one standard deviation.

    It minimizes the changes of the others (slopes [M, D]) and its length.

    Raises:
        ValueError: if no move changes only this one.
    """
    A = np.concatenate([own[None], others])
    target = np.eye(len(A))[0]
    ridge = max(length_penalty * float(own @ own), 1e-9)
    move: Float64Array = A.T @ np.linalg.solve(A @ A.T + ridge * np.eye(len(A)), target)
    change = float(own @ move)
    if change < LEAST:
        raise ValueError("no move changes it without changing the others")
    return move / change


def shortened(move: Float64Array) -> Float64Array:
    """Limit a move to a length at which images are faces."""
    shorter: Float64Array = move * min(1.0, LONGEST / float(np.linalg.norm(move)))
    return shorter


def _tensor(step: Float64Array) -> Tensor:
    return torch.from_numpy(step.astype(np.float32))
