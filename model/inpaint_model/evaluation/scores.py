"""The numbers of the report, from measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.mask_sets import MaskSet
from inpaint_model.evaluation.measure import EvaluationContext, Measurement
from inpaint_model.evaluation.methods import Identity, Method, candidate_seed
from inpaint_model.evaluation.metrics.asymmetry import MIN_FACES, RealFaces
from inpaint_model.evaluation.metrics.detection import detected_share
from inpaint_model.evaluation.metrics.diversity import candidate_diversity, stranger_distance
from inpaint_model.evaluation.metrics.fid import frechet_distance
from inpaint_model.evaluation.metrics.ids import inception_discriminative_score
from inpaint_model.evaluation.metrics.kid import Estimate, kernel_distance, paired_kernel_distance
from inpaint_model.evaluation.metrics.precision_recall import K, precision_recall

FOLDS = 5
FACE_VALUES = ("face_score", "eyes")  # not reported as means


@dataclass(frozen=True)
class Row:
    """The numbers of one method on one mask set and seed."""

    set: str
    seed: int
    method: str
    numbers: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # 95 %


def score(
    originals: Measurement, measured: Measurement, paired: bool = True
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Return all numbers and, where possible, their 95 % bootstrap intervals.

    With `paired`, fill i was made from original i.
    """
    numbers: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for suffix, features in measured.features.items():
        real = originals.features[suffix]
        estimate = (paired_kernel_distance if paired else kernel_distance)(real, features)
        _set_distances(suffix, real, features, estimate, numbers, intervals)
        if paired and len(real) >= 2 * FOLDS:
            held_out = inception_discriminative_score(real, features, FOLDS)
            numbers[f"p_ids{suffix}_cv"], numbers[f"u_ids{suffix}_cv"] = held_out
            if len(real) > real.shape[1]:
                published = inception_discriminative_score(real, features)
                numbers[f"p_ids{suffix}"], numbers[f"u_ids{suffix}"] = published
    for name, values in measured.values.items():
        if name not in FACE_VALUES and not np.isnan(values).all():
            numbers[name] = float(np.nanmean(values))
    return numbers | _faces(originals, measured), intervals


def _faces(originals: Measurement, measured: Measurement) -> dict[str, float]:
    numbers: dict[str, float] = {}
    if "face_score" in measured.values:
        numbers["detected"] = 100 * detected_share(measured.values["face_score"])
    meshes, of_originals = measured.meshes, originals.meshes
    if meshes is not None and of_originals is not None and len(of_originals) >= MIN_FACES:
        real = RealFaces(of_originals)
        asymmetry = 100 * (real.own if meshes is of_originals else real.asymmetry(meshes))
        numbers["asymmetry"] = float(np.median(asymmetry))
        numbers["asymmetry_p95"] = float(np.quantile(asymmetry, 0.95))
    if "eyes" in measured.values:
        numbers["eyes"] = float(np.median(measured.values["eyes"]))
        numbers["eyes_p95"] = float(np.quantile(measured.values["eyes"], 0.95))
    return numbers


def originals_row(originals: Measurement) -> Row:
    """Score the originals as their own fills."""
    numbers, intervals = score(originals, originals)
    kept = {name: value for name, value in numbers.items() if "ids" not in name}
    return Row("", 0, Identity.name, kept, intervals)


def split_half(originals: Measurement, seed: int = 0) -> Row:
    """Compare random halves of the originals: the distances of a perfect model."""
    numbers: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for suffix, features in originals.features.items():
        order = np.random.default_rng(seed).permutation(len(features))
        one, other = np.array_split(features[order], 2)
        estimate = kernel_distance(one, other)
        _set_distances(suffix, one, other, estimate, numbers, intervals)
    return Row("", seed, "halves of the originals", numbers, intervals)


def _set_distances(
    suffix: str,
    real: Float64Array,
    features: Float64Array,
    estimate: Estimate,
    numbers: dict[str, float],
    intervals: dict[str, tuple[float, float]],
) -> None:
    numbers[f"kid{suffix}_x1000"] = 1000 * estimate.value
    intervals[f"kid{suffix}_x1000"] = (1000 * estimate.low, 1000 * estimate.high)
    numbers[f"fid{suffix}"] = frechet_distance(real, features)
    if min(len(real), len(features)) > K:
        precision, recall = precision_recall(real, features)
        numbers[f"precision{suffix}"], numbers[f"recall{suffix}"] = precision, recall


@torch.inference_mode()
def diversity(
    context: EvaluationContext, model: Method, masks: MaskSet, images: int, candidates: int = 4
) -> dict[str, float]:
    """Return the mean feature distance of two candidates inside a hole; empty without a network.

    `diversity_relative` is its ratio to that of unrelated images in the same holes.
    """
    maps = context.judges.maps
    if maps is None or images < 2:
        return {}
    chosen = context.images[:images]
    holes = masks.holes[:images]
    own = [
        candidate_diversity(
            maps, _candidates(model, image, hole, masks.seed, number, candidates), hole
        )
        for number, (image, hole) in enumerate(zip(chosen, holes, strict=True))
        if hole.any()
    ]
    strangers = stranger_distance(maps, chosen, holes)
    mean = float(np.mean(own))
    return {"diversity": mean, "diversity_relative": mean / strangers}


def _candidates(
    model: Method, image: Tensor, hole: Tensor, seed: int, number: int, count: int
) -> Tensor:
    """Return composites uint8 [count, 3, R, R]."""
    pixels, mask = image.permute(1, 2, 0).contiguous().numpy(), hole[0].numpy()
    fills = [model.fill(pixels, mask, candidate_seed(seed, number, k)) for k in range(count)]
    return torch.from_numpy(np.stack([fill.composite for fill in fills])).permute(0, 3, 1, 2)


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Average over seeds, with the widest bounds of the intervals."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.set, row.method), []).append(row)
    return [_merge(group) for group in groups.values()]


def _merge(group: Sequence[Row]) -> Row:
    names = dict.fromkeys(name for row in group for name in row.numbers)
    numbers = {
        name: float(np.mean([row.numbers[name] for row in group if name in row.numbers]))
        for name in names
    }
    intervals = {
        name: (
            min(row.intervals[name][0] for row in group),
            max(row.intervals[name][1] for row in group),
        )
        for name in group[0].intervals
    }
    return Row(group[0].set, group[0].seed, group[0].method, numbers, intervals)
