"""Fit directions to the effects of random moves on edited images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from inpaint_model.bundle.direction_store import Found
from inpaint_model.directions.attributes import Attribute
from inpaint_model.directions.calibrate import limited
from inpaint_model.directions.context import DirectionContext
from inpaint_model.directions.disentangle import (
    LONGEST,
    AttributeSlopes,
    Axes,
    Trials,
    axes_of,
    random_moves,
    shortened,
    slopes,
    specific_move,
    try_moves,
)
from inpaint_model.directions.effects import Subject
from inpaint_model.directions.measurements import Score
from inpaint_model.directions.samples import Samples
from inpaint_model.document.arrays import Float64Array

TRUST = 4.0  # weight of fitted directions, relative to random moves


@dataclass(frozen=True)
class Plan:
    """Numbers of trials."""

    moves: int = 16  # random ones per image, each with its opposite
    rounds: int = 3  # of trying fitted directions and fitting again
    refine_count: int = 32  # images in these rounds
    seed: int = 0


def fit_by_perturbation(
    context: DirectionContext,
    attributes: Sequence[Attribute],
    samples: Samples,
    images: Sequence[Subject],
    calibration: Sequence[Subject],
    plan: Plan,
) -> Iterator[Found]:
    """Fit a direction for each attribute that does not change the others in `images`.

    Directions are tried on the first images and refined; attributes that no move can change alone
    are omitted. `samples`, measured with `measures`, give axes and standard deviations.
    """
    scores = measures(attributes)
    std_devs = {name: max(float(samples.scores[name].std()), 1e-6) for name in scores}
    axes = axes_of(samples.w, context.generator.config.num_ws)
    rng = np.random.default_rng(plan.seed)
    trials = [
        try_moves(each, random_moves(plan.moves, axes, rng), axes, scores, std_devs)
        for each in tqdm(images, "moves", disable=None, leave=False)
    ]
    found = _moves(attributes, trials, list(scores))
    for _ in range(plan.rounds):
        tried = np.array([shortened(move) for move in found.values()])
        if len(tried):
            trials += [
                try_moves(each, tried, axes, scores, std_devs, TRUST)
                for each in tqdm(images[: plan.refine_count], "refine", disable=None, leave=False)
            ]
        found = _moves(attributes, trials, list(scores))
    how = f"least move in {len(images)} images, {plan.moves} random moves of each"
    for attribute in attributes:
        if attribute.name in found:
            yield _finish(context, attribute, found, axes, samples, calibration, how)


def measures(attributes: Sequence[Attribute]) -> dict[str, Score]:
    """Return all scores and validation scores.

    The latter keep the directions of other attributes from changing them, as their check demands.
    """
    scores = {a.name: a.score for a in attributes}
    return scores | {judged(a.name): a.judge for a in attributes}


def judged(name: str) -> str:
    """Return the key of a validation score."""
    return f"{name}, judged"


def _moves(
    attributes: Sequence[Attribute], trials: Sequence[Trials], names: Sequence[str]
) -> Mapping[str, np.ndarray]:
    found = {}
    slope = dict(zip(names, slopes(trials).T, strict=True))
    size = trials[0].moves.shape[1]

    def stacked(wanted: Sequence[str]) -> Float64Array:
        return np.reshape([slope[name] for name in wanted], (len(wanted), size))

    for own in attributes:
        spared = [a.name for a in attributes if a.name != own.name and a.name not in own.includes]
        attribute_slopes = AttributeSlopes(
            slope[own.name],
            slope[judged(own.name)],
            stacked(spared),
            stacked([judged(name) for name in spared]),
        )
        try:
            found[own.name] = specific_move(attribute_slopes)
        except ValueError:
            continue
    return found


def _finish(
    context: DirectionContext,
    attribute: Attribute,
    found: Mapping[str, np.ndarray],
    axes: Axes,
    samples: Samples,
    calibration: Sequence[Subject],
    how: str,
) -> Found:
    move = found[attribute.name]
    step = axes.step(move)
    longest_row = np.linalg.norm(step, axis=1).max()
    vector = step / longest_row
    layers = tuple(range(axes.num_ws))
    name = attribute.name
    draft = context.draft(name, attribute.group, layers, how, name, attribute.description)
    spread = float(samples.scores[name].std())
    direction, tensor = context.finish(
        draft, vector, samples.w, calibration, attribute.score, spread
    )
    length = float(np.linalg.norm(move) * direction.unit / longest_row)  # standard deviations
    return limited(direction, LONGEST / length), tensor
