"""Helpers for trainings of a few steps on small random images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from inpaint_model.data.dataset import ImageSet
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

SHORT = GeneratorTraining(
    total_kimg=0.064, batch_size=8, tick_kimg=0.008, snapshot_kimg=0.016, ada_kimg=0.1
)
FILL = InpainterTraining(
    total_kimg=0.048,
    tick_kimg=0.008,
    snapshot_kimg=0.016,
    d_warmup_kimg=0.008,
    ramp_kimg=0.01,
    lambda_coarse=0.1,
    lambda_whole=0.1,
    lambda_codes=0.1,
    lambda_edit=0.1,
)


def rand(*shape: int, seed: int = 0) -> Tensor:
    """Draw unit normal numbers from a seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def images(count: int = 24, R: int = 32) -> ImageSet:
    """Make images of random pixels."""
    rng = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 3, R, R), generator=rng, dtype=torch.uint8)
    return ImageSet(tuple(f"{i}.png" for i in range(count)), pixels)


def same_tensors(a: Path, b: Path) -> bool:
    """Return whether two files contain the same tensors, bit for bit."""
    first, second = load_file(a), load_file(b)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def records_of(run: RunFolder) -> list[dict[str, float]]:
    """Read the progress reports."""
    return [json.loads(line) for line in (run.path / "stats.jsonl").read_text().splitlines()]


def reached_kimg(run: Path) -> float:
    """Return how many thousand images a run's state has seen."""
    with safe_open(run / "state.safetensors", framework="pt") as file:
        return float(json.loads(file.metadata()["numbers"])["cur_nimg"]) / 1000


# Making the stand-in for a feature network.
TORCHSCRIPT = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
