"""A check's results, as JSON and as an image of the steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpaint_model.bundle.directions import Direction
from inpaint_model.data.image_grid import contact_sheet
from inpaint_model.data.image_tensors import to_uint8
from inpaint_model.directions.effects import Response, Subject, Verdict, walk
from inpaint_model.document.arrays import Float64Array

ROWS = 6


def entry(direction: Direction, response: Response, verdict: Verdict | None) -> dict[str, Any]:
    """Return results for JSON, with curves averaged over the images."""
    return {
        "name": direction.name,
        "attribute": direction.attribute,
        "offered": direction.offered,
        "reasons": list(verdict.reasons) if verdict else ["it has no score"],
        "images": len(next(iter(response.curves.values()))),
        "images_seen": verdict.seen if verdict else None,
        "spearman": verdict.spearman if verdict else None,
        "per_unit": verdict.per_unit if verdict else None,
        "changes_of_others": dict(verdict.leaks) if verdict else None,
        "retention": response.retention,
        "change_of_identity": response.identity,
        "values": response.values.tolist(),
        "clipped": response.clipped.tolist(),
        "curves": {name: curve.mean(axis=0).tolist() for name, curve in response.curves.items()},
    }


def rows_of(response: Response, judge: str, count: int = ROWS) -> list[int]:
    """Choose the first images and, last, the one that changes least."""
    curves: Mapping[str, Float64Array] = response.curves
    total = len(next(iter(curves.values())))
    shown = list(range(min(count, total)))
    if judge in curves and total > count:
        gain = curves[judge][:, -1] - curves[judge][:, 0]
        shown[-1] = int(np.argmin(gain))
    return shown


@torch.inference_mode()
def steps_image(
    subjects: Sequence[Subject], rows: Sequence[int], step: Tensor, values: Float64Array
) -> Image.Image:
    """Render a row per image, after the masked image, and a column per step."""
    images = []
    for row in rows:
        subject = subjects[row]
        if subject.known is not None and subject.hole is not None:
            images.append(to_uint8(subject.known * (1 - subject.hole)))
        images.append(to_uint8(walk(subject, step, values)))
    strip = np.concatenate(images)
    return contact_sheet(strip, len(strip) // len(rows))


def file_name(name: str) -> str:
    """Convert a direction's name to a file name."""
    return re.sub(r"[^\w-]+", "-", name).strip("-") or "direction"
