"""Phases of a step, recorded as by a CUDA graph: the same training, and on failure no harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.training import phases
from inpaint_model.training.autoencoding import VariationalEncoder
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.phases import MOST, WARM_UPS, Graphs, Phase, Tensors
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from recorded_phases import ProcessorRecorder
from short_trainings import FILL, SHORT, TORCHSCRIPT, images, rand, records_of, same_tensors
from tiny_feature_networks import tiny_projected
from tiny_networks import tiny_networks
from torch import nn

CPU = torch.device("cpu")
GENERATOR = replace(SHORT, total_kimg=0.08, snapshot_kimg=9.0, cuda_graphs=True)
INPAINTER = replace(
    FILL, total_kimg=0.08, snapshot_kimg=9.0, lambda_projected=0.1, r1_interval=2, cuda_graphs=True
)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> ProcessorRecorder:
    """What records in place of a GPU."""
    return install(monkeypatch)


def install(monkeypatch: pytest.MonkeyPatch, break_at: int | None = None) -> ProcessorRecorder:
    recorder = ProcessorRecorder(CPU, break_at)
    monkeypatch.setattr(phases, "recorder_for", lambda device: recorder)
    return recorder


def generator_run(
    folder: Path, network: Path, options: GeneratorTraining = GENERATOR, kind: str = "P"
) -> RunFolder:
    run, (G, D) = RunFolder(folder), tiny_networks()
    E = perceptual = None
    if "E" in kind:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            E = VariationalEncoder(G.config.z_dim)
        options = replace(options, vae_weight=1.0)
        perceptual = PerceptualLoss(discriminator_features(tiny_networks()[1]), side=16)
    dtype = torch.bfloat16 if options.bf16 else torch.float32
    P = tiny_projected(network, dtype=dtype)
    train_generator(
        options, G, D if "D" in kind else None, images(), run, P=P, E=E, perceptual=perceptual
    )
    return run


def inpainter_run(
    folder: Path, network: Path, options: InpainterTraining = INPAINTER, side: int | None = 16
) -> RunFolder:
    run, D = RunFolder(folder), tiny_networks()[1]
    P = tiny_projected(network) if options.lambda_projected else None
    perceptual = PerceptualLoss(discriminator_features(tiny_networks(seed=3)[1]), side)
    train_inpainter(options, tiny_model(), D, perceptual, run, P=P, images=images())
    return run


def numbers_of(run: RunFolder) -> list[dict[str, float]]:
    """Lines of progress without the time that they took."""
    return [{k: v for k, v in r.items() if k != "images_per_s"} for r in records_of(run)]


def same_runs(one: RunFolder, other: RunFolder) -> bool:
    return numbers_of(one) == numbers_of(other) and same_tensors(one.state_path, other.state_path)


@pytest.mark.slow
@TORCHSCRIPT
class TestTrainings:
    @pytest.mark.parametrize(
        ("kind", "changes", "recordings"),
        [
            ("P", {}, 2),
            ("P", {"random_noise": False, "style_mixing_prob": 0.9}, 2),
            ("P", {"bf16": True}, 2),
            ("P", {"heads_blur_kimg": 0.035}, 4),  # with the blur and without
            ("P", {"d_warmup_kimg": 0.04}, 3),  # the generator's phase twice
            ("P", {"pl_weight": 2.0}, 2),
            ("PE", {"reconstruction_only_kimg": 0.04}, 3),
            ("PD", {}, 1),  # the heads on real images only
        ],
    )
    def test_generator(
        self,
        kind: str,
        changes: dict[str, Any],
        recordings: int,
        network: Path,
        tmp_path: Path,
        recorder: ProcessorRecorder,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        options = replace(GENERATOR, **changes)
        run = generator_run(tmp_path / "recorded", network, options, kind)
        assert recorder.recordings == recordings
        assert recorder.replays >= recordings
        assert "continuing without" not in capsys.readouterr().out
        options = replace(options, cuda_graphs=False)
        assert same_runs(run, generator_run(tmp_path / "plain", network, options, kind))

    @pytest.mark.parametrize(
        ("changes", "recordings"),
        [
            ({"d_warmup_kimg": 0.0}, 4),  # filling, heads, D, R1
            ({"real_fraction": 0.5, "edit_std": 0.3, "style_mixing_prob": 0.5}, 4),
            ({"lambda_projected": 0.0, "d_warmup_kimg": 0.04, "ramp_kimg": 0.1}, 4),
            ({"lambda_adversarial": 0.0, "lambda_edit": 0.0, "lambda_coarse": 0.0}, 2),
        ],
    )
    def test_inpainter(
        self,
        changes: dict[str, Any],
        recordings: int,
        network: Path,
        tmp_path: Path,
        recorder: ProcessorRecorder,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        options = replace(INPAINTER, **changes)
        run = inpainter_run(tmp_path / "recorded", network, options)
        assert recorder.recordings >= recordings
        assert "continuing without" not in capsys.readouterr().out
        options = replace(options, cuda_graphs=False)
        assert same_runs(run, inpainter_run(tmp_path / "plain", network, options))

    @pytest.mark.parametrize("break_at", [0, 1])
    @pytest.mark.parametrize("train", [generator_run, inpainter_run])
    def test_a_failure_prints_a_line_and_changes_nothing(
        self,
        train: Callable[..., RunFolder],
        break_at: int,
        network: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """In the first recording, or after a phase has been replayed."""
        recorder = install(monkeypatch, break_at)
        run = train(tmp_path / "broken", network)
        assert recorder.recordings == break_at
        assert capsys.readouterr().out.count("continuing without") == 1
        options = GENERATOR if train is generator_run else INPAINTER
        plain = train(tmp_path / "plain", network, replace(options, cuda_graphs=False))
        assert same_runs(run, plain)

    def test_continued_equals_uninterrupted(
        self, network: Path, tmp_path: Path, recorder: ProcessorRecorder
    ) -> None:
        whole = generator_run(tmp_path / "whole", network)
        generator_run(tmp_path / "parts", network, replace(GENERATOR, total_kimg=0.04))
        parts = generator_run(tmp_path / "parts", network)
        assert same_tensors(whole.state_path, parts.state_path)

    def test_where_there_is_no_cuda_device(
        self, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = generator_run(tmp_path / "asked", network)
        printed = capsys.readouterr().out
        assert (
            "no CUDA graphs (they need a CUDA device, not cpu); continuing without them" in printed
        )
        plain = generator_run(tmp_path / "plain", network, replace(GENERATOR, cuda_graphs=False))
        assert same_runs(run, plain)


class TestPhase:
    """By hand: a product whose gradient goes to a weight, and a buffer that counts."""

    def phase(self, graphs: Graphs | None) -> Phase:
        self.weight, self.count = nn.Parameter(torch.tensor([2.0, 3.0])), torch.zeros(())
        self.calls = 0

        def product(inputs: Tensors, factor: float = 1.0) -> dict[str, torch.Tensor]:
            self.calls += 1
            self.count += 1
            loss = (inputs["x"] * self.weight).sum() * factor
            loss.backward()
            return {"loss": loss.detach()}

        return Phase(product, [self.weight], graphs)

    def test_new_inputs_new_weights_and_buffers(self, recorder: ProcessorRecorder) -> None:
        phase = self.phase(Graphs(CPU))
        results = []
        for step in range(WARM_UPS + 3):
            results.append(phase({"x": torch.tensor([1.0, step])})["loss"])
            assert self.weight.grad is not None
            assert self.weight.grad.tolist() == [1, step]  # set, not added to
            with torch.no_grad():
                self.weight.add_(1)
        assert [float(x) for x in results] == [
            (2 + i) + (3 + i) * i for i in range(WARM_UPS + 3)
        ]  # outputs of earlier runs stay what they were
        assert (self.calls, float(self.count)) == (WARM_UPS + 1, WARM_UPS + 3)
        assert (recorder.runs, recorder.recordings, recorder.replays) == (WARM_UPS, 1, 3)

    def test_constants_and_shapes_have_separate_recordings(
        self, recorder: ProcessorRecorder
    ) -> None:
        phase = self.phase(Graphs(CPU))
        for _ in range(WARM_UPS + 2):
            assert float(phase({"x": torch.ones(2)}, 1.0)["loss"]) == 5
            assert float(phase({"x": torch.ones(2)}, 2.0)["loss"]) == 10
            assert float(phase({"x": torch.ones(4, 2)}, 1.0)["loss"]) == 20
        assert recorder.recordings == 3

    def test_the_number_of_recordings_is_limited(self, recorder: ProcessorRecorder) -> None:
        phase = self.phase(Graphs(CPU))
        for size in range(1, MOST + 3):
            for _ in range(WARM_UPS + 1):
                assert float(phase({"x": torch.ones(size, 2)})["loss"]) == 5 * size
        assert recorder.recordings == MOST

    def test_a_number_that_is_read_is_a_failure(
        self, recorder: ProcessorRecorder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def reading(inputs: Tensors) -> dict[str, torch.Tensor]:
            return {"twice": torch.tensor(2 * float(inputs["x"].sum()))}

        phase = Phase(reading, [], Graphs(CPU))
        for step in range(WARM_UPS + 2):
            assert float(phase({"x": torch.tensor([float(step)])})["twice"]) == 2 * step
        assert recorder.recordings == 0
        assert capsys.readouterr().out.startswith("no CUDA graphs (operation not permitted")

    def test_an_input_elsewhere_is_a_failure(
        self, recorder: ProcessorRecorder, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A graph would always repeat the CPU value of the recording."""
        recorder.device = torch.device("meta")
        phase = self.phase(Graphs(CPU))
        for step in range(WARM_UPS + 2):
            assert float(phase({"x": torch.tensor([1.0, step])})["loss"]) == 2 + 3 * step
        assert "(x is not on the device); continuing without them" in capsys.readouterr().out

    def test_a_number_of_pythons_is_the_recordings_for_ever(
        self, recorder: ProcessorRecorder
    ) -> None:
        """The stand-in reveals a phase that depends on more than its inputs."""
        steps = iter(range(100))
        phase = Phase(lambda inputs: {"sum": inputs["x"] + next(steps)}, [], Graphs(CPU))
        results = [float(phase({"x": torch.tensor(0.0)})["sum"]) for _ in range(WARM_UPS + 3)]
        assert results == [*range(WARM_UPS + 1), WARM_UPS, WARM_UPS]


def test_random_inputs_are_inputs(recorder: ProcessorRecorder) -> None:
    """The stand-in refuses CPU random numbers inside of a phase."""
    generator = torch.Generator()
    phase = Phase(lambda _: {"x": torch.rand(2, generator=generator)}, [], graphs := Graphs(CPU))
    for _ in range(WARM_UPS + 1):
        phase({"y": rand(2)})
    assert graphs.recorder is None
