"""Choose a direction's unit and its range."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from inpaint_model.bundle.directions import Direction
from inpaint_model.directions.effects import Subject, step_of, walk
from inpaint_model.directions.measurements import Score
from inpaint_model.directions.samples import measure
from inpaint_model.document.arrays import Float64Array

# Standard deviations along the vector; images further out are no longer faces.
MAX_UNIT = 3.0
MAX_REACH = 4.0  # same unit; end of the range
MAX_VALUE = 2.5  # units; hardly any sample is further from the mean
MAX_CLIPPED = 0.01  # allowed rise of the clipped fraction
STEP = 0.5

SanityCheck = Callable[[Tensor], Tensor]


@torch.inference_mode()
def with_unit(
    direction: Direction,
    vector: Tensor,
    along: float,
    subjects: Sequence[Subject],
    score: Score,
    spread: float,
) -> Direction:
    """Choose the unit that moves `score` by `spread`, but at most MAX_UNIT times `along`.

    Both are standard deviations of samples, in the score and along the vector.
    """
    trial = replace(direction, unit=along)
    step = step_of(trial, vector, len(subjects[0].ws))
    ends = np.array([-1.0, 1.0])
    answers = [measure({"": score}, walk(subject, step, ends))[""] for subject in subjects]
    gain = float(np.mean([high - low for low, high in answers])) / 2 / spread
    return replace(direction, unit=along / max(gain, 1 / MAX_UNIT))


@torch.inference_mode()
def with_range(
    direction: Direction,
    vector: Tensor,
    along: float,
    subjects: Sequence[Subject],
    discriminator: SanityCheck | None = None,
) -> Direction:
    """Choose the range with few clipped values and codes within MAX_REACH.

    A discriminator's mean logit may fall by one standard deviation of unedited samples.
    """
    step = step_of(direction, vector, len(subjects[0].ws))
    reach = min(MAX_VALUE, MAX_REACH * along / direction.unit)
    values = np.arange(STEP, max(reach, STEP) + 1e-6, STEP)
    low = _furthest(subjects, step, -values, discriminator)
    high = _furthest(subjects, step, values, discriminator)
    return replace(direction, range=(low, high))


def limited(direction: Direction, furthest: float) -> Direction:
    """Limit the range to `furthest` units on both sides, in steps; at least to the first step."""
    end = max(math.floor(furthest / STEP + 1e-6), 1) * STEP
    return replace(direction, range=(max(direction.minimum, -end), min(direction.maximum, end)))


def _furthest(
    subjects: Sequence[Subject],
    step: Tensor,
    values: Float64Array,
    discriminator: SanityCheck | None,
) -> float:
    """Return the last of `values` up to which all are natural; at least the first."""
    series = np.concatenate([[0.0], values])
    clipped, opinions = [], []
    for subject in subjects:
        images = walk(subject, step, series)
        clipped.append((images.abs() > 1).float().mean(dim=(1, 2, 3)).cpu().numpy())
        if discriminator is not None:
            opinions.append(discriminator(images).flatten().float().cpu().numpy())
    rise = np.mean(clipped, axis=0)
    natural = rise[1:] - rise[0] <= MAX_CLIPPED
    if opinions:
        logits = np.stack(opinions)
        natural &= logits.mean(axis=0)[1:] >= logits[:, 0].mean() - logits[:, 0].std()
    count = len(values) if natural.all() else int(np.argmin(natural))
    return float(values[max(count, 1) - 1])
