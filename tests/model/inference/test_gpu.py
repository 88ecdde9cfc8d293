"""On a GPU: the same images as on the CPU, graphs like eager code, training steps.

Skipped where there is none, unless `REQUIRE_GPU=1` (`make test-gpu`) says that there must be one.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.baselines.archs import make_model
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.transfer import download, upload
from inpaint_model.inference.cuda_graphs import CudaRecorder, GraphedPasses
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.inference.memory_footprint import footprint
from inpaint_model.inference.passes import EagerPasses
from inpaint_model.inference.tiny import tiny_inpainter, tiny_model
from inpaint_model.networks.config import ARCHS, Arch
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import Encoding
from inpaint_model.networks.presets import inpainting_config, preset
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
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


@pytest.mark.parametrize("arch", ARCHS)
def test_replayed_graphs_take_new_inputs(arch: Arch) -> None:
    """Encodings, codes and images, in all batch sizes and in batches that are split."""
    info = tiny_inpainter(resolution=64, arch=arch).info
    replaying = Inpainter(tiny_model(resolution=64, arch=arch), info, "cuda", "fp32")
    eager = Inpainter(tiny_model(resolution=64, arch=arch), info, "cuda", "fp32")
    eager._passes = EagerPasses(eager._model)
    rng = np.random.default_rng(0)
    hole = np.full((64, 64), 255, np.uint8)
    for seeds in ([0], [1], [0, 1, 2], [3, 4, 5], list(range(11)), [0]):
        image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        encodings = replaying.encode(image, hole), eager.encode(image, hole)
        for ours, expected in zip(*encodings, strict=True):
            torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)
        codes = replaying.sample(encodings[0], seeds, 0.7)
        np.testing.assert_allclose(codes, eager.sample(encodings[0], seeds, 0.7), atol=1e-5)
        images = replaying.render(encodings[0], codes)
        np.testing.assert_allclose(images, eager.render(encodings[0], codes), atol=1e-5)
    passes = replaying._passes
    assert isinstance(passes, GraphedPasses)
    assert len(passes._graphs) == len(["encode", "code", 1, 2, 8])
    assert None not in passes._graphs.values(), "everything could be recorded"


def test_a_code_does_not_depend_on_its_companions() -> None:
    inpainter = tiny_inpainter(resolution=64, device="cuda")
    encoding = inpainter.encode(np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 255, np.uint8))
    together = inpainter.sample(encoding, [5, 6, 7])
    for seed, code in zip([5, 6, 7], together, strict=True):
        np.testing.assert_array_equal(inpainter.sample(encoding, [seed])[0], code)


def test_work_that_cannot_be_recorded_runs_without_a_graph() -> None:
    """A read in the middle is what CUDA forbids; the device works on afterward."""

    class Reading(EagerPasses):
        def render(self, encoding: Encoding, ws: torch.Tensor) -> torch.Tensor:
            images = super().render(encoding, ws)
            assert images.sum().item() == images.sum().item()
            return images

    inpainter = tiny_inpainter(resolution=64, device="cuda")
    recorder = CudaRecorder(torch.device("cuda"))
    inpainter._passes = GraphedPasses(Reading(inpainter._model), recorder)
    image, hole = np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 255, np.uint8)
    for _ in range(2):
        encoding = inpainter.encode(image, hole)
        images = inpainter.render(encoding, inpainter.sample(encoding, [1, 2, 3]))
        assert images.shape == (3, 64, 64, 3)
        assert np.isfinite(images).all()
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_images_are_transferred_unchanged() -> None:
    rng, device = np.random.default_rng(0), torch.device("cuda")
    arrays = [rng.integers(0, 256, (k + 1, 33, 3), dtype=np.uint8) for k in range(20)]
    there = [upload(array, device) for array in arrays]  # all copies queued before any is read
    for array, x in zip(arrays, there, strict=True):
        np.testing.assert_array_equal(download(x).numpy(), array)
    assert not download(there[0]).is_pinned(), "results are kept for long"


def test_memory_computed_and_measured() -> None:
    """Workspaces and the allocator's rounding are not computed; the daemon sets 512 MiB aside."""
    config = inpainting_config(preset("paper-256"))
    need, device = footprint(config, "bf16"), torch.device("cuda")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    info = tiny_inpainter().info
    inpainter = Inpainter(make_model(config), info, device, "bf16")
    weights = torch.cuda.memory_allocated() - before
    assert 0.95 * need.weights <= weights <= 1.1 * need.weights
    encoding = inpainter.encode(
        np.zeros((256, 256, 3), np.uint8), np.full((256, 256), 255, np.uint8)
    )
    codes = inpainter.sample(encoding, list(range(8)))
    for count in (8, 4, 2, 1):
        inpainter.render(encoding, codes[:count])
    peak = torch.cuda.max_memory_allocated() - before - weights
    computed = need.graphs(8) + need.working(8)  # the graphs' pool, and the runs before recording
    assert 0.5 * computed <= peak <= computed + (512 << 20)


@pytest.mark.parametrize("bf16", [False, True])
def test_both_trainings_run(bf16: bool, tmp_path: Path) -> None:
    sizes, device = preset("tiny"), torch.device("cuda")
    G, D = Generator(sizes.generator), Discriminator(sizes.discriminator)
    pixels = torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8)
    images = ImageSet(tuple(f"{i}" for i in range(16)), pixels)
    options = GeneratorTraining(total_kimg=0.064, tick_kimg=0.016, bf16=bf16, augment_p=0.5)
    options = replace(options, ada_target=0.0, pl_weight=0.0 if bf16 else 2.0)
    train_generator(options, G, D, images, RunFolder(tmp_path / "g"), device=device)
    fill = InpainterTraining(total_kimg=0.064, tick_kimg=0.016, bf16=bf16, real_fraction=0.5)
    fill = replace(fill, d_warmup_kimg=0.016, ramp_kimg=0.016)
    perceptual = PerceptualLoss(discriminator_features(D.to(device)))
    folder = RunFolder(tmp_path / "i")
    train_inpainter(fill, tiny_model(), D, perceptual, folder, images=images, device=device)
    assert (folder.bundle_path / "model.yaml").exists()
