"""Judge a direction by scores that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inpaint_model.bundle.directions import Direction
from inpaint_model.directions.identity import FACES, Likeness
from inpaint_model.directions.measurements import Score
from inpaint_model.directions.samples import measure
from inpaint_model.document.arrays import Float64Array

STEPS = 7
MIN_SPEARMAN = 0.9  # validation score against steps, median over images
MIN_EFFECT = 0.25  # standard deviations of the validation score per unit
MIN_SPAN = 0.5  # standard deviations of the validation score, over the whole range
MAX_LEAK = 0.5  # change of another validation score, relative to the own one
MIN_RETENTION = 0.5
UNSEEN = 0.01  # standard deviations; smaller changes are not in the hole

Render = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Subject:
    """An image to edit."""

    ws: Tensor  # [num_ws, w_dim]
    render: Render  # [K, num_ws, w_dim] -> [K, 3, R, R] in -1..1
    bare: Render | None = None  # without the skip encoder
    hole: Tensor | None = None  # [1, 1, R, R]: where outputs are visible; None: everywhere
    known: Tensor | None = None  # [1, 3, R, R], outside the hole

    def shown(self, outputs: Tensor) -> Tensor:
        """Composite rendered outputs with the known pixels."""
        if self.hole is None or self.known is None:
            return outputs
        return torch.where(self.hole > 0, outputs, self.known)


@dataclass(frozen=True)
class Response:
    """Measurements of S images at V values of a direction."""

    values: Float64Array  # [V], units
    curves: Mapping[str, Float64Array]  # [S, V] for each score
    clipped: Float64Array  # [V], fraction of values out of range
    retention: float | None  # fraction of the edit that the skip encoder keeps in the hole
    identity: float | None = None  # change at the range's ends; 0: same person, 1: unrelated


@dataclass(frozen=True)
class Verdict:
    """The numbers of a check, and the reasons for failure."""

    spearman: float
    per_unit: float  # standard deviations of the validation score
    leaks: Mapping[str, float]  # other scores' changes relative to it, in standard deviations
    retention: float | None
    seen: int  # images whose validation score changes
    reasons: tuple[str, ...]
    # Only reported: turning the head, for instance, is no defect.
    identity: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the direction can be offered."""
        return not self.reasons

    def effects(self) -> dict[str, float]:
        """Return the numbers for the bundle, rounded."""
        figures = {"spearman": self.spearman, "per_unit": self.per_unit}
        figures |= {f"change of {name}": value for name, value in self.leaks.items()}
        if self.identity is not None:
            figures["change of identity"] = self.identity
        if self.retention is not None:
            figures["retention"] = self.retention
        return {name: round(value, 3) for name, value in figures.items()}


def step_of(direction: Direction, vector: Tensor, num_ws: int) -> Tensor:
    """Return what one unit adds to codes: [num_ws, w_dim]."""
    step = torch.zeros(num_ws, vector.shape[-1])
    layers = list(direction.layers)
    step[layers] = (vector.float().cpu() * direction.unit).expand(num_ws, -1)[layers]
    return step


def values_of(direction: Direction) -> Float64Array:
    """Return STEPS equidistant values over the range."""
    return np.linspace(direction.minimum, direction.maximum, STEPS)


def walk(subject: Subject, step: Tensor, values: Float64Array) -> Tensor:
    """Render and composite a subject moved by `values` units: [V, 3, R, R]."""
    return subject.shown(subject.render(moved(subject, step, values)))


def moved(subject: Subject, step: Tensor, values: Float64Array) -> Tensor:
    """Return codes moved by `values` units: [V, num_ws, w_dim]."""
    amounts = torch.as_tensor(values, dtype=torch.float32, device=subject.ws.device)
    return subject.ws + amounts[:, None, None] * step.to(subject.ws.device)


@torch.inference_mode()
def respond(
    subjects: Sequence[Subject],
    step: Tensor,
    values: Float64Array,
    scores: Mapping[str, Score],
    likeness: Likeness | None = None,
) -> Response:
    """Measure scores and, with `likeness`, identity of subjects moved by `values` units."""
    rows: dict[str, list[Float64Array]] = {name: [] for name in scores}
    clipped: list[Float64Array] = []
    kept: list[float] = []
    strange: list[float] = []
    series = np.array([0.0, *values])
    for index, subject in enumerate(subjects):
        outputs = subject.render(moved(subject, step, series))
        images = subject.shown(outputs)
        for name, row in measure(scores, images[1:]).items():
            rows[name].append(row)
        clipped.append((images[1:].abs() > 1).float().mean(dim=(1, 2, 3)).cpu().numpy())
        ends = [0, 1, len(values)]
        kept.extend(_retained(subject, step, series[ends], outputs[ends]))
        if likeness is not None and index < FACES:
            strange.append(likeness.change(images[ends]))
    curves = {name: np.stack(row) for name, row in rows.items()}
    retention = float(np.mean(kept)) if kept else None
    identity = float(np.mean(strange)) if strange else None
    return Response(values, curves, np.mean(clipped, axis=0), retention, identity)


def _retained(
    subject: Subject, step: Tensor, values: Float64Array, outputs: Tensor
) -> Iterator[float]:
    """Yield the change in the hole with the skip encoder, projected on that without it.

    `values` are 0 and both ends; `outputs` [3, 3, R, R] have the skip encoder.
    """
    if subject.bare is None or subject.hole is None:
        return
    with_skip = outputs * subject.hole
    without = subject.bare(moved(subject, step, values)) * subject.hole
    for end in (1, 2):
        change = without[end] - without[0]
        power = float(change.square().sum())
        if power > 1e-6:
            yield float((change * (with_skip[end] - with_skip[0])).sum()) / power


def judge(
    response: Response, name: str, std_devs: Mapping[str, float], ignored: Sequence[str] = ()
) -> Verdict:
    """Decide whether a direction raises the validation score `name` and no other.

    Each score is judged by the images whose hole shows it. `std_devs` are over samples. `ignored`
    scores change with `name` by definition.
    """
    from scipy.stats import spearmanr

    shown = {
        each: curves[np.ptp(curves, axis=1) > UNSEEN * std_devs[each]]
        for each, curves in response.curves.items()
    }
    seen = len(shown[name])
    ranks = [spearmanr(response.values, curve).statistic for curve in shown[name]]
    spearman = float(np.median(ranks)) if seen else 0.0
    slopes = {
        each: _slope(response.values, curves) / std_devs[each] for each, curves in shown.items()
    }
    own = slopes.pop(name)
    leaks = {
        other: abs(slope) / max(abs(own), 1e-6)
        for other, slope in slopes.items()
        if other not in ignored
    }
    reasons = []
    if spearman < MIN_SPEARMAN:
        reasons.append(f"its validation score has a Spearman correlation of only {spearman:.2f}")
    if own < MIN_EFFECT:
        reasons.append(
            f"one unit changes its validation score by only {own:.2f} standard deviations"
        )
    span = own * float(np.ptp(response.values))
    if own >= MIN_EFFECT and span < MIN_SPAN:
        reasons.append(
            f"its whole range changes its validation score by only {span:.2f} standard deviations"
        )
    worst = max(leaks, key=lambda other: leaks[other], default=None)
    if worst is not None and leaks[worst] >= MAX_LEAK:
        reasons.append(f"it also changes {worst}, by {leaks[worst]:.2f} of its own effect")
    if response.retention is not None and response.retention < MIN_RETENTION:
        reasons.append(f"the skip encoder keeps only {response.retention:.2f} of it in the hole")
    return Verdict(
        spearman, own, leaks, response.retention, seen, tuple(reasons), response.identity
    )


def _slope(values: Float64Array, curves: Float64Array) -> float:
    """Return the mean slope of curves [S, V]; 0 without any."""
    return float(np.polyfit(values, curves.mean(axis=0), 1)[0]) if len(curves) else 0.0
