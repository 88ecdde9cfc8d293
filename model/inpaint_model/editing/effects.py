"""What a direction does to pictures: moved step by step, and measured by scores it was not
fitted to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inpaint_model.directions import Direction
from inpaint_model.editing.samples import Floats, measure
from inpaint_model.editing.statistics import Score

STEPS = 7
MIN_SPEARMAN = 0.9  # of the judge over the steps, the median of the pictures
MIN_EFFECT = 0.25  # of the judge a unit, in its standard deviations
MAX_LEAK = 0.5  # of any other judge, relative to that
MIN_RETENTION = 0.5
UNSEEN = 0.01  # standard deviations: a judge that moves less does not see the hole

Render = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Subject:
    """A picture to be edited: codes, and what makes pictures of codes."""

    ws: Tensor  # [num_ws, w_dim]
    render: Render  # [K, num_ws, w_dim] -> what the user sees, [K, 3, R, R] in -1..1
    bare: Render | None = None  # the same codes without the skip encoder, not laid over anything
    full: Render | None = None  # ... with it
    hole: Tensor | None = None  # [1, 1, R, R]: where `full` and `bare` are compared


@dataclass(frozen=True)
class Response:
    """How scores answered on S pictures over V values."""

    values: Floats  # [V], units
    curves: Mapping[str, Floats]  # [S, V] each
    clipped: Floats  # [V], share of channel values out of range
    retention: float | None  # share of the edit that the skip encoder leaves in the hole


@dataclass(frozen=True)
class Verdict:
    """The figures of a check, and why the direction fails, if it does."""

    spearman: float
    per_unit: float  # standard deviations of the judge
    leaks: Mapping[str, float]  # change of the others relative to it, each in its own deviations
    retention: float | None
    seen: int  # pictures whose hole the judge can see
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.reasons

    def effects(self) -> dict[str, float]:
        """For the bundle: rounded, flat."""
        figures = {"spearman": self.spearman, "per_unit": self.per_unit}
        figures |= {f"change of {name}": value for name, value in self.leaks.items()}
        if self.retention is not None:
            figures["retention"] = self.retention
        return {name: round(value, 3) for name, value in figures.items()}


def step_of(direction: Direction, vector: Tensor, num_ws: int) -> Tensor:
    """What one unit adds to codes: [num_ws, w_dim]."""
    step = torch.zeros(num_ws, vector.shape[-1])
    layers = list(direction.layers)
    step[layers] = (vector.float().cpu() * direction.unit).expand(num_ws, -1)[layers]
    return step


def values_of(direction: Direction) -> Floats:
    """The steps over a direction's range; the middle of a symmetric range is 0."""
    return np.linspace(direction.minimum, direction.maximum, STEPS)


def walk(subject: Subject, step: Tensor, values: Floats, render: Render | None = None) -> Tensor:
    """Pictures [V, 3, R, R] of a subject moved by each of `values` units."""
    amounts = torch.as_tensor(values, dtype=torch.float32, device=subject.ws.device)
    moved = subject.ws + amounts[:, None, None] * step.to(subject.ws.device)
    return (render or subject.render)(moved)


@torch.inference_mode()
def respond(
    subjects: Sequence[Subject], step: Tensor, values: Floats, scores: Mapping[str, Score]
) -> Response:
    """Move every subject through `values` and measure all scores."""
    rows: dict[str, list[Floats]] = {name: [] for name in scores}
    clipped: list[Floats] = []
    kept: list[float] = []
    for subject in subjects:
        pictures = walk(subject, step, values)
        for name, row in measure(scores, pictures).items():
            rows[name].append(row)
        clipped.append((pictures.abs() > 1).float().mean(dim=(1, 2, 3)).cpu().numpy())
        kept.extend(_retained(subject, step, values))
    curves = {name: np.stack(row) for name, row in rows.items()}
    retention = float(np.mean(kept)) if kept else None
    return Response(values, curves, np.mean(clipped, axis=0), retention)


def _retained(subject: Subject, step: Tensor, values: Floats) -> Iterator[float]:
    """Projection of the change with the skip encoder on the change without, in the hole."""
    if subject.bare is None or subject.full is None or subject.hole is None:
        return
    ends = np.array([values[0], 0.0, values[-1]])
    low, middle, high = (walk(subject, step, ends, subject.bare) * subject.hole).unbind(0)
    low2, middle2, high2 = (walk(subject, step, ends, subject.full) * subject.hole).unbind(0)
    pairs = ((low - middle, low2 - middle2), (high - middle, high2 - middle2))
    for without_skip, with_skip in pairs:
        power = float(without_skip.square().sum())
        if power > 1e-6:
            yield float((without_skip * with_skip).sum()) / power


def judge(
    response: Response, name: str, spreads: Mapping[str, float], ignored: Sequence[str] = ()
) -> Verdict:
    """Whether a direction moves the judge `name`, alone, in its sense.

    spreads: the standard deviation of each judge over the generator's samples. ignored: judges
    that change with `name` by their meaning.
    """
    from scipy.stats import spearmanr

    curves = response.curves[name]
    moved = np.ptp(curves, axis=1) > UNSEEN * spreads[name]
    seen = int(moved.sum())
    spearman = 0.0
    if seen:
        ranks = [spearmanr(response.values, curve).statistic for curve in curves[moved]]
        spearman = float(np.median(ranks))
    slopes = {
        other: _slope(response.values, curve[moved] if seen else curve) / spreads[other]
        for other, curve in response.curves.items()
    }
    own = slopes.pop(name)
    leaks = {
        other: abs(slope) / max(abs(own), 1e-6)
        for other, slope in slopes.items()
        if other not in ignored
    }
    reasons = []
    if spearman < MIN_SPEARMAN:
        reasons.append(f"its judge follows it with a Spearman of {spearman:.2f} only")
    if own < MIN_EFFECT:
        reasons.append(f"one unit moves its judge by {own:.2f} standard deviations only")
    worst = max(leaks, key=lambda other: leaks[other], default=None)
    if worst is not None and leaks[worst] >= MAX_LEAK:
        reasons.append(f"it moves {worst} by {leaks[worst]:.2f} of what it moves itself")
    if response.retention is not None and response.retention < MIN_RETENTION:
        reasons.append(f"the skip encoder leaves {response.retention:.2f} of it in the hole")
    return Verdict(spearman, own, leaks, response.retention, seen, tuple(reasons))


def _slope(values: Floats, curves: Floats) -> float:
    """Least squares through the mean curve: change of a score for one unit."""
    return float(np.polyfit(values, curves.mean(axis=0), 1)[0])
