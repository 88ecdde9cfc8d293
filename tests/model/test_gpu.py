"""On a GPU: the same pictures as on the CPU, graphs like eager code, training steps.

Skipped where there is none, unless `REQUIRE_GPU=1` (`make test-gpu`) says that there must be one.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.config import ARCHS, Arch, preset
from inpaint_model.data import PictureSet
from inpaint_model.discriminator import Discriminator
from inpaint_model.generator import Generator
from inpaint_model.inpainter import Inpainter, tiny_inpainter, tiny_model
from inpaint_model.perceptual import PerceptualLoss, discriminator_features
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not torch.cuda.is_available() and "REQUIRE_GPU" not in os.environ,
        reason="needs a CUDA device",
    ),
]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(1.0 / max(float(np.square(a - b).mean()), 1e-20)))


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize(("dtype", "least_db"), [("fp32", 50.0), ("bf16", 45.0), ("fp16", 45.0)])
def test_fills_agree_with_the_cpu(arch: Arch, dtype: str, least_db: float) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    hole = np.zeros((64, 64), np.uint8)
    hole[20:50, 10:40] = 255
    info = tiny_inpainter(resolution=64, arch=arch).info
    outputs = []
    for device, precision in (("cpu", "fp32"), ("cuda", dtype)):
        model = tiny_model(resolution=64, arch=arch)
        inpainter = Inpainter(model, info, device, precision)
        encoding = inpainter.encode(image, hole)
        codes = inpainter.sample(encoding, [0, 1, 2, 3])
        outputs.append(inpainter.render(encoding, codes))
    assert psnr(*outputs) >= least_db


def test_a_replayed_graph_takes_new_inputs() -> None:
    model = tiny_model(resolution=64)
    inpainter = Inpainter(model, tiny_inpainter(resolution=64).info, "cuda", "fp32")
    rng = np.random.default_rng(0)
    hole = np.full((64, 64), 255, np.uint8)
    for seeds in ([0], [1], [0, 1, 2], [3, 4, 5], [0]):
        image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        encoding = inpainter.encode(image, hole)
        codes = inpainter.sample(encoding, seeds)
        with torch.inference_mode():
            eager = inpainter._model.render(
                encoding.expand(len(seeds)), torch.from_numpy(codes).cuda()
            )
        replayed = inpainter.render(encoding, codes)
        expected = eager.permute(0, 2, 3, 1).add(1).mul(0.5).cpu().numpy()
        np.testing.assert_allclose(replayed, expected, atol=1e-5)


@pytest.mark.parametrize("bf16", [False, True])
def test_both_trainings_run(bf16: bool, tmp_path: Path) -> None:
    sizes, device = preset("tiny"), torch.device("cuda")
    G, D = Generator(sizes.generator), Discriminator(sizes.discriminator)
    pixels = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8)
    pictures = PictureSet(tuple(f"{i}" for i in range(16)), pixels)
    options = GeneratorTraining(total_kimg=0.064, tick_kimg=0.016, bf16=bf16, augment_p=0.5)
    options = replace(options, ada_target=0.0, pl_weight=0.0 if bf16 else 2.0)
    train_generator(options, G, D, pictures, RunFolder(tmp_path / "g"), device=device)
    fill = InpainterTraining(total_kimg=0.064, tick_kimg=0.016, bf16=bf16, real_fraction=0.5)
    fill = replace(fill, discriminator_kimg=0.016, ramp_kimg=0.016)
    perceptual = PerceptualLoss(discriminator_features(D.to(device)))
    folder = RunFolder(tmp_path / "i")
    train_inpainter(fill, tiny_model(), D, perceptual, folder, pictures=pictures, device=device)
    assert (folder.bundle_path / "model.yaml").exists()
