"""How far a filled face is from the original's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawings import portrait
from inpaint_model.evaluation.mask_sets import mask_set
from inpaint_model.evaluation.measure import EvaluationContext
from inpaint_model.evaluation.methods import Identity, MeanColor
from inpaint_model.evaluation.metrics import feature_networks
from inpaint_model.evaluation.metrics.feature_networks import load_evaluation_networks
from tiny_onnx import tiny_recognition


def test_fills_are_compared_with_the_originals_one_by_one(tmp_path: Path) -> None:
    tiny_recognition(tmp_path / feature_networks.IDENTITY)
    judges = load_evaluation_networks([tmp_path])
    drawn = np.stack([portrait(64, seed) for seed in range(3)])
    images = torch.from_numpy(drawn).permute(0, 3, 1, 2).contiguous()
    masks = mask_set("hard", 0, 3, images.shape[2], tmp_path)
    context = EvaluationContext(images, judges, tmp_path / "cache")
    unchanged = context.measure(Identity(), masks).values["identity"]
    assert unchanged == pytest.approx([0, 0, 0], abs=1e-6)
    distances = context.measure(MeanColor(), masks).values["identity"]
    assert (distances > 0.01).all()
    assert judges.embed is not None
    signed = images.float() / 127.5 - 1
    filled = torch.stack(
        [
            torch.where(hole, image[:, ~hole[0]].mean(dim=1).round()[:, None, None], image)
            for image, hole in zip(images.float(), masks.holes, strict=True)
        ]
    )
    for number in range(3):
        first = judges.embed(signed[number, None])[0]
        second = judges.embed(filled[number, None] / 127.5 - 1)[0]
        assert distances[number] == pytest.approx(1 - float(first @ second), abs=1e-5)
