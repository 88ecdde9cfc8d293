"""Training a generator: resume, growing, projected discriminators."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from inpaint_model.bundle.manifest import read_bundle
from inpaint_model.training.autoencoding import VariationalEncoder
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.progress import TrainingDivergedError
from inpaint_model.training.projected.files import FILE as HEADS
from inpaint_model.training.projected.files import load_projected
from inpaint_model.training.run_folder import RunFolder
from safetensors.torch import load_file
from short_trainings import SHORT, TORCHSCRIPT, images, records_of, same_tensors
from tiny_feature_networks import tiny_projected
from tiny_networks import tiny_networks
from torch import Tensor, nn


def weights_of(network: nn.Module) -> Tensor:
    return torch.cat([x.detach().flatten() for x in network.parameters()])


class TestGenerator:
    @pytest.mark.slow
    def test_the_run_folder_tells_its_story(self, tmp_path: Path) -> None:
        run = RunFolder(tmp_path / "run")
        train_generator(SHORT, *tiny_networks(), images(), run)
        records = records_of(run)
        assert records[-1]["kimg"] == 0.064
        assert {"loss_g", "loss_d", "r1", "sign_real", "images_per_s"} <= set(records[0])
        info = read_bundle(run.bundle_path)
        assert info.card.trained_kimg == pytest.approx(0.064)
        assert (run.path / "fakes000000.png").exists()

    @pytest.mark.slow
    def test_continued_equals_uninterrupted(self, tmp_path: Path) -> None:
        whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
        train_generator(SHORT, *tiny_networks(), images(), whole)
        train_generator(replace(SHORT, total_kimg=0.024), *tiny_networks(), images(), parts)
        # The state overrides these networks, and the count that the run began with.
        train_generator(SHORT, *tiny_networks(seed=5), images(), parts, start_nimg=5000)
        assert same_tensors(whole.state_path, parts.state_path)

    @pytest.mark.slow
    def test_trained_networks_are_averaged_over_the_full_half_life(self, tmp_path: Path) -> None:
        """However few images are counted: an inpainter's bundle does not know its generator's."""
        options = replace(SHORT, ema_kimg=1000.0)
        start = weights_of(tiny_networks()[0])
        moved = []
        for pretrained in (False, True):
            run = RunFolder(tmp_path / str(pretrained))
            G, D = tiny_networks()
            average = train_generator(options, G, D, images(), run, pretrained=pretrained)
            moved.append((weights_of(average) - start).norm())
        assert moved[1] < moved[0] / 100

    @pytest.mark.slow
    @pytest.mark.parametrize("healthy", [0, 20])
    def test_divergence_names_the_last_good_state(self, healthy: int, tmp_path: Path) -> None:
        """At a progress report, or at the end if there was none since."""
        G, D = tiny_networks()
        calls = iter(range(1000))
        D.register_forward_hook(
            lambda *hooked: hooked[2] if next(calls) < healthy else hooked[2] * float("nan")
        )
        run = RunFolder(tmp_path / "run")
        options = replace(SHORT, tick_kimg=1.0)  # a line after the first step, then none
        with pytest.raises(TrainingDivergedError, match="Lower the learning rate") as caught:
            train_generator(options, G, D, images(), run)
        assert "no state was written yet" in str(caught.value)
        assert not run.state_path.exists()

        # The message names the state of a run that has one.
        before = tiny_networks()
        train_generator(replace(SHORT, total_kimg=0.008), *before, images(), run)
        G, D = tiny_networks()
        D.register_forward_hook(lambda *hooked: hooked[2] * float("nan"))
        with pytest.raises(TrainingDivergedError) as caught:
            train_generator(options, G, D, images(), run)
        assert f"the last good state is {run.state_path}" in str(caught.value)


@pytest.mark.slow
class TestProjectedGenerator:
    pytestmark = TORCHSCRIPT

    def train(
        self,
        network: Path,
        folder: Path,
        kind: str,
        kimg: float = 0.024,
        seed: int = 0,
        **changes: Any,
    ) -> RunFolder:
        """kind: P, and D and E if they are used too."""
        run = RunFolder(folder)
        G, D = tiny_networks(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            E = VariationalEncoder(G.config.z_dim) if "E" in kind else None
        weight = 1.0 if E is not None else 0.0
        options = replace(SHORT, snapshot_kimg=9.0, vae_weight=weight, **changes)
        options = replace(options, total_kimg=kimg)
        P = tiny_projected(network, seed=seed)
        train_generator(options, G, D if "D" in kind else None, images(), run, P=P, E=E)
        return run

    @pytest.mark.parametrize("kind", ["P", "PD", "PE"])
    def test_continued_equals_uninterrupted(self, kind: str, network: Path, tmp_path: Path) -> None:
        whole = self.train(network, tmp_path / "whole", kind)
        self.train(network, tmp_path / "parts", kind, kimg=0.008)
        parts = self.train(network, tmp_path / "parts", kind, seed=5)  # the state overrides these
        assert same_tensors(whole.state_path, parts.state_path)
        assert same_tensors(whole.bundle_path / HEADS, parts.bundle_path / HEADS)

        names = {name.partition("/")[0] for name in load_file(whole.state_path)}
        assert names == {"G", "G_ema", "opt_G", *kind, *(f"opt_{x}" for x in kind)}
        state = {name for name in load_file(whole.state_path) if name.startswith("P/")}
        assert {name.rpartition(".")[2] for name in state} >= {"deviation", "_u", "original"}
        record = records_of(whole)[-1]
        assert {"loss_g", "loss_heads", "logits_real", "logits_fake"} <= set(record)
        assert ("loss_d" in record) == ("D" in kind)
        assert ("distance" in record) == ("E" in kind)
        assert "path_length" not in record  # that is StyleGAN2's recipe
        info = read_bundle(whole.bundle_path)
        assert (info.discriminator is not None) == ("D" in kind)
        P = tiny_projected(network, seed=7)
        assert load_projected(info.folder, P)
        stored = load_file(whole.state_path)
        assert all(torch.equal(x, stored[f"P/{name}"]) for name, x in P.state_dict().items())

    def test_at_first_the_heads_learn_alone(self, network: Path, tmp_path: Path) -> None:
        G, start = tiny_networks()[0], tiny_projected(network)
        run = self.train(network, tmp_path / "run", "P", kimg=0.024, d_warmup_kimg=0.024)
        state = load_file(run.state_path)
        parameters = dict(G.named_parameters())
        assert all(torch.equal(x.detach(), state[f"G/{n}"]) for n, x in parameters.items())
        assert all(torch.equal(x.detach(), state[f"G_ema/{n}"]) for n, x in parameters.items())
        heads = dict(start.heads.named_parameters())
        assert not any(torch.equal(x, state[f"P/heads.{n}"]) for n, x in heads.items())
        run = self.train(network, tmp_path / "run", "P", kimg=0.032, d_warmup_kimg=0.024)
        state = load_file(run.state_path)
        assert not all(torch.equal(x.detach(), state[f"G/{n}"]) for n, x in parameters.items())

    def test_in_bfloat16(self, network: Path, tmp_path: Path) -> None:
        run, (G, D) = RunFolder(tmp_path / "run"), tiny_networks()
        P = tiny_projected(network, dtype=torch.bfloat16)
        train_generator(replace(SHORT, total_kimg=0.016, bf16=True), G, D, images(), run, P=P)
        assert all(math.isfinite(value) for record in records_of(run) for value in record.values())

    def test_without_any_adversary_or_with_one_image(self, network: Path, tmp_path: Path) -> None:
        run, G = RunFolder(tmp_path / "run"), tiny_networks()[0]
        with pytest.raises(ValueError, match="no discriminator"):
            train_generator(SHORT, G, None, images(), run)
        with pytest.raises(ValueError, match="batch of at least two"):
            self.train(network, tmp_path / "run", "P", batch_size=1)

    def test_a_run_continues_only_with_its_own_networks(
        self, network: Path, tmp_path: Path
    ) -> None:
        run = RunFolder(tmp_path / "run")
        options = replace(SHORT, total_kimg=0.008)
        train_generator(options, *tiny_networks(), images(), run)
        with pytest.raises(ValueError, match=r"other networks \(it has no P\); continue it with"):
            self.train(network, run.path, "PD")
