"""Run an evaluation: from images to report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from inpaint_model.document.arrays import ImageU8
from inpaint_model.evaluation.examples import Example, examples
from inpaint_model.evaluation.mask_sets import OWN, MaskSet, mask_set
from inpaint_model.evaluation.measure import EvaluationContext, Measurement
from inpaint_model.evaluation.methods import BASELINES, Method, Samples, draw_all
from inpaint_model.evaluation.scores import (
    Row,
    diversity,
    originals_row,
    over_seeds,
    score,
    split_half,
)


@dataclass(frozen=True)
class Plan:
    """What to evaluate."""

    sets: Sequence[str]  # of masks
    seeds: Sequence[int]  # of masks and candidates
    own_masks: MaskSet | None = None  # the set called `OWN`
    model: Method | None = None
    results: Callable[[MaskSet], Sequence[Method]] = lambda _: ()  # of other methods
    samples: Samples | None = None
    count: int | None = None  # of samples; None: as many as there are images
    baselines: bool = True
    diversity: int = 24  # images of each set (first seed) whose candidates are compared
    typical: int = 6  # examples on the page
    worst: int = 4  # worst cases on the page
    shown: int = 64  # samples on the contact sheet


@dataclass(frozen=True)
class Report:
    """The contents of the report files."""

    about: Mapping[str, str]  # model, images and networks: title -> text
    masks: Sequence[MaskSet]
    rows: Sequence[Row]  # one for each set, seed and method
    anchors: Sequence[Row]  # the originals compared with themselves
    examples: Mapping[str, Sequence[Example]]  # by set
    samples: ImageU8 | None = None  # [N, R, R, 3], untruncated, unselected

    @property
    def summary(self) -> list[Row]:
        """The rows averaged over the seeds."""
        return over_seeds(self.rows)


def mask_sets(plan: Plan, count: int, resolution: int, out: Path) -> list[MaskSet]:
    """Return the masks of every set and seed, drawn ones from `out`/masks."""
    return [
        replace(plan.own_masks, seed=seed)
        if name == OWN and plan.own_masks is not None
        else mask_set(name, seed, count, resolution, out / "masks")
        for name in plan.sets
        for seed in plan.seeds
    ]


def run(context: EvaluationContext, plan: Plan, about: Mapping[str, str], out: Path) -> Report:
    """Measure everything in `plan`; store masks in `out`/masks."""
    count, resolution = len(context.images), context.images.shape[2]
    rows: list[Row] = []
    shown: dict[str, list[Example]] = {}
    all_masks = mask_sets(plan, count, resolution, out)
    for masks in all_masks:
        methods = _methods(plan, masks)
        measured = {method.name: context.measure(method, masks) for method in methods}
        for method, measurement in measured.items():
            numbers, intervals = score(context.originals, measurement)
            if method == "model" and plan.model and masks.seed == plan.seeds[0]:
                numbers |= diversity(context, plan.model, masks, min(plan.diversity, count))
            rows.append(Row(masks.name, masks.seed, method, numbers, intervals))
        if plan.samples is not None:
            rows.append(_samples_row(context, plan.samples, plan.count or count, masks))
        if masks.seed == plan.seeds[0]:
            worst = _worst(measured.get("model"), plan.worst)
            shown[masks.name] = examples(context, plan.model, methods, masks, plan.typical, worst)
    anchors = [originals_row(context.originals), split_half(context.originals)]
    sheet = None
    if plan.samples is not None:
        sheet = draw_all(plan.samples.untruncated(), plan.seeds[0], plan.shown)
    return Report(about, all_masks, rows, [row for row in anchors if row.numbers], shown, sheet)


def _methods(plan: Plan, masks: MaskSet) -> list[Method]:
    # Baselines need known pixels.
    methods: list[Method] = [] if plan.model is None else [plan.model]
    methods += plan.results(masks)
    if plan.baselines and not bool(masks.holes.all()):
        methods += BASELINES
    return methods


def _samples_row(context: EvaluationContext, samples: Samples, count: int, masks: MaskSet) -> Row:
    measured = context.samples(samples, masks.seed, count)
    numbers, intervals = score(context.originals, measured, paired=False)
    return Row(masks.name, masks.seed, samples.name, numbers, intervals)


def _worst(measurement: Measurement | None, count: int) -> list[int]:
    """Return the fills farthest from their originals, the worst first."""
    if measurement is None:
        return []
    values = measurement.values
    badness = values.get("lpips", values.get("vgg", -values["psnr"]))
    return [int(number) for number in np.argsort(-badness)[:count]]
