"""Training on whichever accelerator there is; CUDA graphs where it is a CUDA device.

Skipped where there is none, unless `REQUIRE_GPU=1` (`make test-gpu`) says that there must be one.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from inpaint_model.data.devices import choose_device
from inpaint_model.data.transfer import upload
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.phases import WARM_UPS, Graphs, Phase, Tensors
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from short_trainings import TORCHSCRIPT, images, rand, records_of
from tiny_feature_networks import tiny_projected
from tiny_networks import tiny_networks
from torch import nn

DEVICE = choose_device("auto")
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        DEVICE.type == "cpu" and "REQUIRE_GPU" not in os.environ, reason="needs a GPU"
    ),
]
CUDA = pytest.mark.skipif(DEVICE.type != "cuda", reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def gpu() -> None:
    """On a CPU these tests prove nothing."""
    assert DEVICE.type != "cpu", "torch finds no GPU"


# All random numbers come from the CPU, so that they are the same on all devices.
GENERATOR = GeneratorTraining(
    total_kimg=0.08, batch_size=8, tick_kimg=0.008, snapshot_kimg=9.0, random_noise=False
)
INPAINTER = InpainterTraining(
    total_kimg=0.08, tick_kimg=0.008, snapshot_kimg=9.0, d_warmup_kimg=0.0, ramp_kimg=0.0,
    lambda_projected=0.1, lambda_edit=0.1, lambda_coarse=0.1, lambda_whole=0.1, lambda_codes=0.1,
    real_fraction=0.5, r1_interval=2,
)  # fmt: skip


def generator_run(
    folder: Path, network: Path, options: GeneratorTraining, device: torch.device = DEVICE
) -> RunFolder:
    P = tiny_projected(network, dtype=torch.bfloat16 if options.bf16 else torch.float32)
    run, G = RunFolder(folder), tiny_networks()[0]
    train_generator(options, G, None, images(), run, P=P, device=device)
    return run


def inpainter_run(
    folder: Path, network: Path, options: InpainterTraining, device: torch.device = DEVICE
) -> RunFolder:
    run, D = RunFolder(folder), tiny_networks()[1].to(device)
    P = tiny_projected(network, dtype=torch.bfloat16 if options.bf16 else torch.float32)
    perceptual = PerceptualLoss(discriminator_features(D), side=16)
    train_inpainter(options, tiny_model(), D, perceptual, run, P=P, images=images(), device=device)
    return run


def losses_of(run: RunFolder) -> list[dict[str, float]]:
    return [
        {name: value for name, value in record.items() if name.startswith("loss")}
        for record in records_of(run)
        if "kimg" in record
    ]


@TORCHSCRIPT
class TestOnAnyAccelerator:
    @pytest.mark.parametrize("bf16", [False, True])
    def test_trainings_run_and_go_on(self, bf16: bool, network: Path, tmp_path: Path) -> None:
        """Resumed, the fused optimizer finds moments of another run."""
        for kimg in (0.032, 0.064):
            options = replace(GENERATOR, bf16=bf16, total_kimg=kimg, pl_weight=0.0)
            run = generator_run(tmp_path / "g", network, options)
            fill = replace(INPAINTER, bf16=bf16, total_kimg=kimg)
            filled = inpainter_run(tmp_path / "i", network, fill)
        for folder in (run, filled):
            values = [x for record in losses_of(folder) for x in record.values()]
            assert len(values) > 8
            assert all(map(math.isfinite, values))
            assert (folder.bundle_path / "model.yaml").exists()

    def test_a_step_equals_that_of_the_cpu(self, network: Path, tmp_path: Path) -> None:
        trainings: list[tuple[Callable[..., RunFolder], Any]] = [
            (generator_run, GENERATOR),
            (inpainter_run, INPAINTER),
        ]
        for number, (train, options) in enumerate(trainings):
            short = replace(options, total_kimg=0.016)
            runs = [
                train(tmp_path / f"{number} {device.type}", network, short, device)
                for device in (DEVICE, torch.device("cpu"))
            ]
            there, here = (losses_of(run)[0] for run in runs)
            assert there == pytest.approx(here, rel=0.02, abs=1e-3)

    def test_what_is_uploaded_arrives(self) -> None:
        x = rand(64, 1000)
        assert torch.equal(upload(x, DEVICE).cpu(), x)


@CUDA
@TORCHSCRIPT
class TestCudaGraphs:
    @pytest.mark.parametrize("bf16", [False, True])
    @pytest.mark.parametrize("changes", [{}, {"heads_blur_kimg": 0.035, "random_noise": True}])
    def test_generator(
        self,
        bf16: bool,
        changes: dict[str, Any],
        network: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        options = replace(GENERATOR, bf16=bf16, **changes)
        plain = generator_run(tmp_path / "plain", network, options)
        run = generator_run(tmp_path / "graphs", network, replace(options, cuda_graphs=True))
        assert "continuing without" not in capsys.readouterr().out
        for one, other in zip(losses_of(run), losses_of(plain), strict=True):
            assert one == pytest.approx(other, rel=0.1, abs=0.05)  # sums in any order add up

    @pytest.mark.parametrize("bf16", [False, True])
    def test_inpainter(
        self, bf16: bool, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = replace(INPAINTER, bf16=bf16)
        plain = inpainter_run(tmp_path / "plain", network, options)
        run = inpainter_run(tmp_path / "graphs", network, replace(options, cuda_graphs=True))
        assert "continuing without" not in capsys.readouterr().out
        for one, other in zip(losses_of(run), losses_of(plain), strict=True):
            assert one == pytest.approx(other, rel=0.1, abs=0.05)

    def test_a_replay_takes_new_inputs_and_weights(self) -> None:
        weight = nn.Parameter(torch.tensor([2.0, 3.0], device=DEVICE))

        def product(inputs: Tensors) -> dict[str, torch.Tensor]:
            loss = (inputs["x"] * weight).sum()
            loss.backward()
            return {"loss": loss.detach()}

        phase = Phase(product, [weight], graphs := Graphs(DEVICE))
        results = []
        for step in range(WARM_UPS + 3):
            x = upload(torch.tensor([1.0, step]), DEVICE)
            results.append(phase({"x": x})["loss"])
            assert weight.grad is not None
            assert weight.grad.tolist() == [1, step]
            with torch.no_grad():
                weight.add_(1)
        assert [float(x) for x in results] == [(2 + i) + (3 + i) * i for i in range(WARM_UPS + 3)]
        assert graphs.recorder is not None

    def test_after_a_failure_the_device_works_as_before(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A read in the middle of a capture, which CUDA does not allow."""
        weight = nn.Parameter(torch.ones(2, device=DEVICE))

        def reading(inputs: Tensors) -> dict[str, torch.Tensor]:
            (inputs["x"] * weight).sum().backward()
            return {"twice": 2 * inputs["x"] * float(inputs["x"].sum())}

        phase = Phase(reading, [weight], graphs := Graphs(DEVICE))
        for step in range(WARM_UPS + 3):
            x = torch.full((2,), float(step), device=DEVICE)
            assert phase({"x": x})["twice"].tolist() == [4 * step**2] * 2
            assert weight.grad is not None
            assert weight.grad.tolist() == [step, step]
        assert graphs.recorder is None
        assert capsys.readouterr().out.count("continuing without") == 1
