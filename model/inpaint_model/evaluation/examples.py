"""Example images for the report: metrics alone have rated many gray blobs highly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inpaint_model.document.arrays import ImageU8
from inpaint_model.evaluation.mask_sets import MaskSet
from inpaint_model.evaluation.measure import EvaluationContext
from inpaint_model.evaluation.methods import Method, candidate_seed

CANDIDATES = 4


@dataclass(frozen=True)
class Example:
    """One image, its hole, and the fills of all methods."""

    number: int
    worst: bool  # chosen because the model scored badly
    images: Mapping[str, ImageU8]  # column title -> [R, R, 3]


def examples(
    context: EvaluationContext,
    model: Method | None,
    methods: Sequence[Method],
    masks: MaskSet,
    typical: int,
    worst: Sequence[int],
) -> list[Example]:
    """Return the first `typical` images and those numbered in `worst`."""
    numbers = [(number, False) for number in range(min(typical, len(context.images)))]
    numbers += [(number, True) for number in worst]
    return [
        Example(number, bad, _fills(context, model, methods, masks, number))
        for number, bad in numbers
    ]


def _fills(
    context: EvaluationContext,
    model: Method | None,
    methods: Sequence[Method],
    masks: MaskSet,
    number: int,
) -> dict[str, ImageU8]:
    image = context.images[number].permute(1, 2, 0).contiguous().numpy()
    hole = masks.holes[number, 0].numpy()
    fills = {"original": image, "hole": np.where(hole[..., None], np.uint8(255), image)}
    if model is not None:
        for k in range(CANDIDATES):
            seed = candidate_seed(masks.seed, number, k)
            fills[f"candidate {k + 1}"] = model.fill(image, hole, seed).composite
    for method in methods:
        if method is not model:
            fills[method.name] = method.fill(image, hole, 0).composite
    return fills
