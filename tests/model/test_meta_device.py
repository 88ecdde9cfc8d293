"""Training and filling on torch's meta device: no tensor elsewhere, and no more reads than counted.

A read is what makes a GPU wait for the CPU and the CPU for the GPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_recorder import FakeRecorder
from inpaint_model.data import transfer
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.hole import Hole
from inpaint_model.framing.refining import neighbors, refine_by_reconstruction
from inpaint_model.inference.cuda_graphs import GraphedPasses
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.inference.passes import EagerPasses
from inpaint_model.inference.tiny import tiny_inpainter, tiny_model
from inpaint_model.networks.config import ARCHS, Arch
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.refinement_network import RefinementNetwork
from inpaint_model.training import phases
from inpaint_model.training.autoencoding import VariationalEncoder
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.phases import WARM_UPS, Graphs, Phase
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from meta_device import META, MetaRecorder, MixedDevicesError, Silent, meta_device
from short_trainings import TORCHSCRIPT, images, rand
from tiny_feature_networks import tiny_feature_network, tiny_projected
from tiny_networks import tiny_networks


def generator_reads(
    tmp_path: Path, steps: int, *, with_D: bool = True, heads: bool = False, **options: Any
) -> int:
    """Train a generator for some steps, with one line of progress; return the number of reads."""
    G, D = tiny_networks()
    asked = GeneratorTraining(
        total_kimg=steps * 0.004, batch_size=4, tick_kimg=steps * 0.004, r1_interval=2, **options
    )
    E = perceptual = None
    if asked.vae_weight:
        E = VariationalEncoder(G.config.z_dim)
        perceptual = PerceptualLoss(discriminator_features(tiny_networks()[1].to(META)), side=16)
    P = tiny_projected(tiny_feature_network(tmp_path / "network.pt")) if heads else None
    with meta_device() as reads:
        train_generator(
            asked,
            G,
            D if with_D else None,
            images(),
            RunFolder(tmp_path / "run"),
            P=P,
            E=E,
            perceptual=perceptual,
            device=META,
            world=Silent(),
        )
    return reads.count


@pytest.mark.slow
class TestGenerator:
    def test_stylegan2(self, tmp_path: Path) -> None:
        """Reads: ADA's every second step, and those of the line of progress and of the end."""
        options: dict[str, Any] = {
            "augment_p": 0.9,
            "pl_interval": 2,
            "ada_interval": 2,
            "bf16": True,
        }
        assert generator_reads(tmp_path, 2, **options) == 1 + 2
        assert generator_reads(tmp_path, 4, **options) == 2 + 2

    @TORCHSCRIPT
    def test_projected_heads(self, tmp_path: Path) -> None:
        options: dict[str, Any] = {
            "with_D": False,
            "heads": True,
            "random_noise": False,
            "heads_blur_kimg": 1.0,
        }
        calibration = 1
        assert generator_reads(tmp_path, 2, **options) == calibration + 2
        assert generator_reads(tmp_path, 4, **options) == calibration + 2

    @TORCHSCRIPT
    def test_everything_at_once(self, tmp_path: Path) -> None:
        """Both kinds of discriminators, reconstruction, path lengths, mixed styles."""
        options: dict[str, Any] = {"heads": True, "vae_weight": 1.0, "ada_target": 0.0}
        options |= {"pl_weight": 2.0, "pl_interval": 2, "style_mixing_prob": 0.9}
        options |= {"reconstruction_only_kimg": 0.004, "d_warmup_kimg": 0.004}
        calibrations = 2
        assert generator_reads(tmp_path, 4, **options) == calibrations + 2


def inpainter_reads(
    tmp_path: Path, steps: int, arch: Arch = "hierarchical", heads: bool = False, **options: Any
) -> int:
    """Train an inpainter for some steps, with one line of progress; return the number of reads."""
    model, (_, D) = tiny_model(arch=arch), tiny_networks()
    asked = InpainterTraining(
        total_kimg=steps * 0.004,
        batch_size=4,
        tick_kimg=steps * 0.004,
        d_warmup_kimg=0,
        ramp_kimg=0,
        r1_interval=2,
        lambda_coarse=1.0,
        lambda_whole=1.0,
        lambda_codes=1.0 if model.config.abilities.corrected else 0.0,
        lambda_edit=1.0 if model.config.abilities.corrected else 0.0,
        real_fraction=0.5,
        style_mixing_prob=0.5,
        edit_std=0.3,
        **options,
    )
    P = tiny_projected(tiny_feature_network(tmp_path / "network.pt")) if heads else None
    perceptual = PerceptualLoss(discriminator_features(tiny_networks()[1].to(META)), side=16)
    with meta_device() as reads:
        train_inpainter(
            asked,
            model,
            D if asked.lambda_adversarial else None,
            perceptual,
            RunFolder(tmp_path / "run"),
            P=P,
            images=images(),
            device=META,
            world=Silent(),
        )
    return reads.count


class TestRecording:
    """Whole phases without an upload or a read, which no CUDA graph could hold."""

    @pytest.fixture(autouse=True)
    def recorders(self, monkeypatch: pytest.MonkeyPatch) -> list[MetaRecorder]:
        made: list[MetaRecorder] = []

        def record(device: torch.device) -> MetaRecorder:
            assert device == META
            made.append(MetaRecorder(transfer._fetched))  # type: ignore[arg-type]
            return made[0]

        monkeypatch.setattr(phases, "recorder_for", record)
        return made

    @pytest.mark.slow
    @TORCHSCRIPT
    @pytest.mark.parametrize(
        "changes",
        [
            {"random_noise": False, "heads_blur_kimg": 1.0},
            {"vae_weight": 1.0, "style_mixing_prob": 0.9},
        ],
    )
    def test_generator(
        self,
        changes: dict[str, Any],
        tmp_path: Path,
        recorders: list[MetaRecorder],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        generator_reads(tmp_path, 5, with_D=False, heads=True, cuda_graphs=True, **changes)
        assert "continuing without" not in capsys.readouterr().out
        assert recorders[0].recordings == 2  # the generator's phase, the heads'

    @pytest.mark.slow
    @TORCHSCRIPT
    def test_inpainter(
        self,
        tmp_path: Path,
        recorders: list[MetaRecorder],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        options: dict[str, Any] = {
            "lambda_projected": 0.1,
            "lambda_adversarial": 0.1,
            "cuda_graphs": True,
        }
        inpainter_reads(tmp_path, 8, heads=True, **options)
        assert "continuing without" not in capsys.readouterr().out
        assert recorders[0].recordings >= 4  # filling, heads, D, R1

    def test_an_upload_is_noticed(
        self, recorders: list[MetaRecorder], capsys: pytest.CaptureFixture[str]
    ) -> None:
        constant = torch.ones(3)
        phase = Phase(lambda x: {"y": x["x"] * constant.to(META)}, [], Graphs(META))
        with meta_device() as reads:
            recorders[0]._reads = reads
            for _ in range(WARM_UPS + 1):
                phase({"x": torch.zeros(3, device=META)})
        assert "of [3] on the CPU" in capsys.readouterr().out


CALIBRATION = 1  # of the perceptual loss
PROGRESS = 3  # the losses' means, what the fill depends on, and the losses' means at the end


@pytest.mark.slow
class TestInpainter:
    @pytest.mark.parametrize("arch", ARCHS)
    def test_all_archs(self, arch: Arch, tmp_path: Path) -> None:
        deterministic = not tiny_model(arch=arch).config.abilities.diverse
        measured = PROGRESS - deterministic  # nothing to measure of candidates that are alike
        assert inpainter_reads(tmp_path, 2, arch) == CALIBRATION + measured

    def test_a_step_reads_nothing(self, tmp_path: Path) -> None:
        assert inpainter_reads(tmp_path, 3) == CALIBRATION + PROGRESS

    @TORCHSCRIPT
    @pytest.mark.parametrize("adversarial", [0.0, 0.1])
    def test_projected_heads(self, adversarial: float, tmp_path: Path) -> None:
        options: dict[str, Any] = {"lambda_projected": 0.1, "lambda_adversarial": adversarial}
        reads = inpainter_reads(tmp_path, 2, heads=True, **options)
        assert reads == CALIBRATION + 1 + PROGRESS  # the heads' ranges are looked up once


class TestFilling:
    @pytest.mark.slow
    @pytest.mark.parametrize("arch", ARCHS)
    @pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
    def test_codes_and_images_are_read_once_each(self, arch: Arch, dtype: str) -> None:
        info = tiny_inpainter(arch=arch).info
        vectors = {direction.name: rand(16) for direction in info.directions}
        image, hole = np.zeros((32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8)
        with meta_device() as reads:
            inpainter = Inpainter(tiny_model(arch=arch), info, META, dtype, vectors)
            encoding = inpainter.encode(image, hole)
            assert reads.count == 0
            codes = inpainter.sample(encoding, [0, 1, 2])
            assert (codes.shape, reads.count) == ((3, inpainter.num_ws, 16), 1)
            mixed = np.where(np.arange(inpainter.num_ws)[:, None] > 3, codes[:1], codes[1:])
            edits = {"brighter": 1.0} if inpainter.config.abilities.editable else {}
            edited = inpainter.edit(mixed, edits)
            images = inpainter.render(encoding, edited)
            assert (images.shape, reads.count) == ((2, 32, 32, 3), 2)

    @pytest.mark.slow
    @pytest.mark.parametrize("arch", ARCHS)
    def test_graphs_read_no_more_and_stay_on_the_device(self, arch: Arch) -> None:
        image, hole = np.zeros((32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8)
        info, recorder = tiny_inpainter(arch=arch).info, FakeRecorder()
        with meta_device() as reads:
            inpainter = Inpainter(tiny_model(arch=arch), info, META, "fp32")
            inpainter._passes = GraphedPasses(EagerPasses(inpainter._model), recorder)
            encoding = inpainter.encode(image, hole)
            codes = inpainter.sample(encoding, [0, 1, 2], 0.7)
            images = inpainter.render(encoding, codes)
        assert (images.shape, reads.count) == ((3, 32, 32, 3), 2)
        assert (recorder.recordings, recorder.replays) == (4, 1 + 3 + 2)

    @pytest.mark.slow
    @pytest.mark.parametrize("dtype", ["fp32", "bf16"])
    def test_refinement_reads_nothing(self, dtype: str) -> None:
        image, hole = np.zeros((32, 32, 3), np.uint8), np.full((32, 32), 255, np.uint8)
        with meta_device() as reads:
            inpainter = Inpainter(
                tiny_model(), tiny_inpainter().info, META, dtype, refinement=RefinementNetwork()
            )
            encoding = inpainter.encode(image, hole)
            codes = inpainter.sample(encoding, [0, 1])
            images = inpainter.render(encoding, codes)
        assert (images.shape, reads.count) == ((2, 32, 32, 3), 2)

    @pytest.mark.slow
    def test_choosing_a_frame_reads_each_candidate(self) -> None:
        image = DocumentImage(np.zeros((60, 70, 3), np.uint8))
        hole = Hole(np.zeros((60, 70), np.uint8))
        hole.coverage[20:30, 20:30] = 255
        frame = Frame(35.0, 30.0, 40.0)
        with meta_device() as reads:
            inpainter = Inpainter(tiny_model(), tiny_inpainter().info, META, "fp32")
            refine_by_reconstruction(inpainter, image, hole, [frame])
        assert reads.count == 2 * (1 + len(neighbors(frame)))  # codes and image of each


class TestThatItIsNoticed:
    """Planted mistakes, each of which is possible on a CPU."""

    def test_a_constant_left_behind(self) -> None:
        G = Generator(tiny_networks()[0].config).to(META)
        G.synthesis.get_submodule("b4").const = torch.nn.Parameter(torch.zeros(16, 4, 4))
        with pytest.raises(MixedDevicesError, match=r"cpu \[.*meta \["), meta_device():
            G.synthesis(G.mapping(torch.zeros(2, 16, device=META)))

    def test_a_product_of_two_devices(self) -> None:
        """The meta device's own kernel takes it."""
        a, b = torch.zeros(2, 3), torch.zeros(3, 4, device=META)
        a @ b
        with pytest.raises(MixedDevicesError, match="mm"), meta_device():
            a @ b

    def test_a_read(self) -> None:
        x = torch.zeros(3, device=META)
        for read in (x.sum().item, x.nonzero, lambda: x[x > 0], lambda: bool(x.any()), x.cpu):
            with pytest.raises((RuntimeError, NotImplementedError), match="meta"), meta_device():
                read()
