"""The unit of a direction, and the range in which its images stay natural."""

from __future__ import annotations

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

MAX_UNIT = 3.0  # standard deviations of the samples along the vector: further out is no face
MAX_REACH = 4.0  # ... and as far as an edit goes
MAX_VALUE = 4.0  # units
MAX_CLIPPED = 0.01  # by how much the share of clipped values may rise
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
    """Return the direction with the unit that moves `score` by `spread`, its standard deviation.

    along: the samples' standard deviation along the vector. Where the score does not follow, the
    unit is MAX_UNIT of these, and the check will say so.
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
    """Return the direction with the range in which images stay natural.

    There few values are clipped, codes stay among the samples, and the critic (the discriminator,
    where there is one) does not think less of images than of a sample that is one standard
    deviation worse than the mean.
    """
    step = step_of(direction, vector, len(subjects[0].ws))
    reach = min(MAX_VALUE, MAX_REACH * along / direction.unit)
    values = np.arange(STEP, max(reach, STEP) + 1e-6, STEP)
    low = _furthest(subjects, step, -values, discriminator)
    high = _furthest(subjects, step, values, discriminator)
    return replace(direction, range=(low, high))


def _furthest(
    subjects: Sequence[Subject],
    step: Tensor,
    values: Float64Array,
    discriminator: SanityCheck | None,
) -> float:
    """Return the last of `values` up to which every value is natural; the first one at least."""
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
