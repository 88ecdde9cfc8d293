"""Find the smallest move of the codes that changes one measurement and hardly any other.

The changes of all measurements are regressed on random moves, independent on each style level.
Least squares then give the move. A penalty keeps it short, so that it follows less noise and
stays within the distribution of codes.
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
from inpaint_model.document.arrays import Float64Array
from inpaint_model.networks.style_levels import LEVELS

AXES = 48  # principal axes of w: 90 % of a small generator's variance
LENGTH = 0.7  # of random moves on each axis, in standard deviations
RIDGE = 60.0  # equivalent to this many moves without effect
UNSEEN = 0.03  # standard deviations; below, the attribute is not visible
LENGTH_PENALTY = 0.03  # of the squared length, relative to the squared slope
LEAST = 0.05  # standard deviations; smaller own changes are noise
LONGEST = 6.0  # standard deviations


class Axes(NamedTuple):
    """Axes of variation: a move is [levels * P] numbers, in standard deviations."""

    rows: Float64Array  # [P, w_dim], each one standard deviation long
    num_ws: int

    @property
    def size(self) -> int:
        """Number of components of a move."""
        return len(LEVELS) * len(self.rows)

    def step(self, move: Float64Array) -> Float64Array:
        """Return the change of codes by a move: [num_ws, w_dim]."""
        step = np.zeros((self.num_ws, self.rows.shape[1]))
        for styles, part in zip(LEVELS.values(), move.reshape(len(LEVELS), -1), strict=True):
            step[styles] = part @ self.rows
        return step


def axes_of(w: Float64Array, num_ws: int) -> Axes:
    """Return the principal axes of codes w [N, w_dim]."""
    rows, std_devs = pca(w, min(AXES, w.shape[1]))
    return Axes(rows * std_devs[:, None], num_ws)


@dataclass(frozen=True)
class Trials:
    """Moves of one image and their effects."""

    moves: Float64Array  # [K, levels * P]
    # [K, M]: half the difference between the move and its opposite, in standard deviations
    changes: Float64Array
    weight: float = 1.0

    def shows(self, measurement: int) -> bool:
        """Return whether the measurement changes inside the hole."""
        return bool(np.abs(self.changes[:, measurement]).max() > UNSEEN)


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
    """Draw moves [count, levels * P]."""
    return rng.standard_normal((count, axes.size)) * LENGTH


def slopes(trials: Sequence[Trials], own: int) -> Float64Array:
    """Return all measurements' changes per unit of each component, [levels * P, M].

    Raises:
        ValueError: if no image shows the measurement `own`; others are not used.
    """
    shown = [each for each in trials if each.shows(own)]
    if not shown:
        raise ValueError("no image shows it")
    X = np.concatenate([each.weight * each.moves for each in shown])
    Y = np.concatenate([each.weight * each.changes for each in shown])
    found: Float64Array = np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ Y)
    return found


def least_move(own: Float64Array, others: Float64Array) -> Float64Array:
    """Return the move [D] that changes the own measurement by one standard deviation.

    It minimizes the changes of the others (slopes [M, D]) and its length.

    Raises:
        ValueError: if no move changes only this one.
    """
    A = np.concatenate([own[None], others])
    target = np.eye(len(A))[0]
    length_penalty = max(LENGTH_PENALTY * float(own @ own), 1e-9)
    move: Float64Array = A.T @ np.linalg.solve(A @ A.T + length_penalty * np.eye(len(A)), target)
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
