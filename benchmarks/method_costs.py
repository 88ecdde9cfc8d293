"""The size of a trained inpainter, and the time of its fills."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from inpaint_model.bundle.manifest import read_bundle
from inpaint_model.bundle.weights import load_model
from inpaint_model.data.devices import choose_device
from inpaint_model.inference.inpainter import Inpainter, load_bundle
from inpaint_model.training.inpainter_step import trained_parameters

REPEATS = 9


class Costs(NamedTuple):
    """Numbers of parameters, and medians of times."""

    parameters: int
    trained: int
    one_ms: float  # for one candidate
    four_ms: float | None  # for four; None if all would be the same


def costs_of(bundle: Path, device: str) -> Costs:
    """Measure a bundle."""
    model = load_model(read_bundle(bundle))
    parameters = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in trained_parameters(model))
    inpainter = load_bundle(bundle, choose_device(device))
    four = _milliseconds(inpainter, 4) if inpainter.config.abilities.diverse else None
    return Costs(parameters, trained, _milliseconds(inpainter, 1), four)


def _milliseconds(inpainter: Inpainter, candidates: int) -> float:
    """Return the median time from an image to its candidates, rendered in one batch."""
    R = inpainter.resolution
    image = np.full((R, R, 3), 128, np.uint8)
    hole = np.zeros((R, R), np.uint8)
    hole[R // 4 : -R // 4, R // 4 : -R // 4] = 255
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        encoding = inpainter.encode(image, hole)
        inpainter.render(encoding, inpainter.sample(encoding, range(candidates)))
        if inpainter.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])
