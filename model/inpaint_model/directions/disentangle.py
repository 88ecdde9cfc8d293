"""The smallest move of the codes that changes one measurement, and hardly any other.

Images are moved at random, each level of styles by itself, and what that does to every
measurement is regressed on the moves. Least squares then find the move for one deviation of one
measurement and none of the others, and a price on its length keeps it short: that asks least of
what was measured with noise, and stays among the codes that the generator knows.
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

AXES = 48  # principal axes of w: nine tenths of the variance of the codes of a small generator
LENGTH = 0.7  # of random moves along each axis, in standard deviations
RIDGE = 60.0  # of the regression: as if so many moves had been seen to change nothing
UNSEEN = 0.03  # deviations: an image whose measurement never changes more does not show it
LENGTH_PENALTY = 0.03  # of a move's length, against squared changes; relative to the squared slope
LEAST = 0.05  # deviations of the own measurement: what changes it less is noise
LONGEST = 6.0  # standard deviations that a move may be long to be tried


class Axes(NamedTuple):
    """What codes vary along: a move is [levels * P] numbers, standard deviations on each axis."""

    rows: Float64Array  # [P, w_dim], each one standard deviation long
    num_ws: int

    @property
    def size(self) -> int:
        """How many numbers make a move."""
        return len(LEVELS) * len(self.rows)

    def step(self, move: Float64Array) -> Float64Array:
        """Return what a move adds to codes: [num_ws, w_dim]."""
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
    """Moves of one image, and what they did."""

    moves: Float64Array  # [K, levels * P]
    # [K, M]: half of what lies between the move and its opposite, in deviations
    changes: Float64Array
    weight: float = 1.0

    def shows(self, measurement: int) -> bool:
        """Return whether the image's hole shows what is measured."""
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
    """Move an image by each of `moves` [K, levels * P] and by its opposite, and measure.

    std_devs: the standard deviations of the scores.
    """
    both = np.array([-1.0, 1.0])
    shown = [walk(subject, _tensor(axes.step(move)), both) for move in moves]
    answers = measure(scores, torch.cat(shown))
    changes = [
        np.diff(values.reshape(-1, 2))[:, 0] / 2 / std_devs[k] for k, values in answers.items()
    ]
    return Trials(moves, np.stack(changes, axis=1), weight)


def random_moves(count: int, axes: Axes, rng: np.random.Generator) -> Float64Array:
    """Moves [count, levels * P] along all axes at once, independent on each level."""
    return rng.standard_normal((count, axes.size)) * LENGTH


def slopes(trials: Sequence[Trials], own: int) -> Float64Array:
    """Change of every measurement [levels * P, M] by one of each number of a move.

    Ridge regression over the images that show the measurement `own`. ValueError if none does.
    """
    shown = [each for each in trials if each.shows(own)]
    if not shown:
        raise ValueError("no image shows it")
    X = np.concatenate([each.weight * each.moves for each in shown])
    Y = np.concatenate([each.weight * each.changes for each in shown])
    found: Float64Array = np.linalg.solve(X.T @ X + RIDGE * np.eye(X.shape[1]), X.T @ Y)
    return found


def least_move(own: Float64Array, others: Float64Array) -> Float64Array:
    """Return the move [D] that changes only the own measurement, by one deviation.

    The others should not change at all, in least squares. PRICE, relative to the squared slope,
    keeps the move short.

    Args:
        own: slopes, [D].
        others: slopes, [M, D].

    Raises:
        ValueError: nothing changes the own measurement.
    """
    A = np.concatenate([own[None], others])
    target = np.eye(len(A))[0]
    length_penalty = max(LENGTH_PENALTY * float(own @ own), 1e-9)
    move: Float64Array = A.T @ np.linalg.solve(A @ A.T + length_penalty * np.eye(len(A)), target)
    change = float(own @ move)
    if change < LEAST:
        raise ValueError("no move changes it and leaves the others alone")
    return move / change


def shortened(move: Float64Array) -> Float64Array:
    """Return a move no longer than one that can be tried: its images are to be faces still."""
    shorter: Float64Array = move * min(1.0, LONGEST / float(np.linalg.norm(move)))
    return shorter


def _tensor(step: Float64Array) -> Tensor:
    return torch.from_numpy(step.astype(np.float32))
