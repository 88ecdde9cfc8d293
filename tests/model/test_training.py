"""Training: losses by hand, resume after kill -9, several processes, all archs."""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.bundle import Card, load_model, read_bundle, save_bundle
from inpaint_model.cli import main
from inpaint_model.commands.training_run import add_data_arguments, load_data
from inpaint_model.config import ARCHS, Arch, preset
from inpaint_model.data import PictureSet
from inpaint_model.direction_store import add_directions, load_vectors
from inpaint_model.directions import Direction
from inpaint_model.discriminator import Discriminator
from inpaint_model.generator import Generator
from inpaint_model.inpainter import tiny_model
from inpaint_model.networks import Encoding
from inpaint_model.perceptual import VGG16, PerceptualLoss, discriminator_features, load_vgg16
from inpaint_model.projected.blur import gaussian_blur
from inpaint_model.projected.diffaugment import diff_augment
from inpaint_model.projected.files import FILE as HEADS
from inpaint_model.projected.files import load_projected
from inpaint_model.training import losses
from inpaint_model.training.adversaries import Moment, ProjectedAdversary
from inpaint_model.training.autoencoding import VariationalEncoder
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.diagnostics import measure_dependence, warnings_of
from inpaint_model.training.distributed import World
from inpaint_model.training.edit_loss import edit_loss, moves, octaves, relative_error
from inpaint_model.training.ema import update_ema
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.growing import grow_discriminator, grow_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.inpainter_step import (
    Batch,
    Fills,
    coarse_loss,
    composite,
    fill_both,
    reconstruction,
)
from inpaint_model.training.progress import Stats, TrainingDivergedError
from inpaint_model.training.randomness import generator_for
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_feature_networks import save_script, tiny_feature_network, tiny_projected
from tiny_networks import tiny_networks
from torch import Tensor, nn

SHORT = GeneratorTraining(
    total_kimg=0.064, batch_size=8, tick_kimg=0.008, snapshot_kimg=0.016, ada_kimg=0.1
)
FILL = InpainterTraining(
    total_kimg=0.048,
    tick_kimg=0.008,
    snapshot_kimg=0.016,
    discriminator_kimg=0.008,
    ramp_kimg=0.01,
    lambda_coarse=0.1,
    lambda_edit=0.1,
)


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pictures(count: int = 24, R: int = 32) -> PictureSet:
    rng = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (count, 3, R, R), generator=rng, dtype=torch.uint8)
    return PictureSet(tuple(f"{i}.png" for i in range(count)), pixels)


def same_tensors(a: Path, b: Path) -> bool:
    first, second = load_file(a), load_file(b)
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def records_of(run: RunFolder) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run.path / "stats.jsonl").read_text().splitlines()]


class TestLosses:
    def test_logistic_losses_by_hand(self) -> None:
        logits = torch.tensor([[-1.0], [2.0]])
        sigmoid = [1 / (1 + math.exp(1)), 1 / (1 + math.exp(-2))]
        down = -sum(math.log(1 - s) for s in sigmoid) / 2
        up = -sum(math.log(s) for s in sigmoid) / 2
        assert losses.d_logistic_fake(logits).item() == pytest.approx(down, rel=1e-5)
        assert losses.d_logistic_real(logits).item() == pytest.approx(up, rel=1e-5)
        assert losses.g_nonsaturating(logits).item() == pytest.approx(up, rel=1e-5)

    def test_r1_of_a_linear_critic_is_its_squared_norm(self) -> None:
        weight = rand(3, 4, 4)
        images = rand(5, 3, 4, 4, seed=1).requires_grad_(True)
        logits = (images * weight).sum(dim=(1, 2, 3))[:, None]
        penalty = losses.r1_penalty(logits, images)
        assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)

    def test_path_length_of_a_linear_generator(self) -> None:
        """images = A w: the Jacobian is A, whatever w is."""
        A, noise = rand(3 * 4 * 4, 6), rand(2, 3, 4, 4, seed=2)
        ws = rand(2, 1, 6, seed=1).requires_grad_(True)
        images = (ws[:, 0] @ A.T).reshape(2, 3, 4, 4)
        expected = (noise.flatten(1) / 4 @ A).square().sum(dim=1).sqrt()
        torch.testing.assert_close(losses.path_lengths(images, ws, noise), expected)

    def test_ema_half_life(self) -> None:
        average, module = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        nn.init.ones_(average.weight)
        nn.init.zeros_(module.weight)
        for _ in range(10):  # 10 steps of 100 images: one half-life of 1 kimg
            update_ema(average, module, 100, 10**9, ema_kimg=1.0)
        assert average.weight.item() == pytest.approx(0.5, rel=1e-4)


class TestGenerator:
    def test_the_run_folder_tells_its_story(self, tmp_path: Path) -> None:
        run = RunFolder(tmp_path / "run")
        train_generator(SHORT, *tiny_networks(), pictures(), run)
        records = records_of(run)
        assert records[-1]["kimg"] == 0.064
        assert {"loss_g", "loss_d", "r1", "sign_real", "images_per_s"} <= set(records[0])
        info = read_bundle(run.bundle_path)
        assert info.card.trained_kimg == pytest.approx(0.064)
        assert (run.path / "fakes000000.png").exists()

    def test_continued_equals_uninterrupted(self, tmp_path: Path) -> None:
        whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
        train_generator(SHORT, *tiny_networks(), pictures(), whole)
        train_generator(replace(SHORT, total_kimg=0.024), *tiny_networks(), pictures(), parts)
        train_generator(
            SHORT, *tiny_networks(seed=5), pictures(), parts
        )  # the state overrides these
        assert same_tensors(whole.state_path, parts.state_path)

    @pytest.mark.parametrize("healthy", [0, 20])
    def test_divergence_names_the_last_good_state(self, healthy: int, tmp_path: Path) -> None:
        """At a line of progress, or at the end where there has been none since."""
        G, D = tiny_networks()
        calls = iter(range(1000))
        D.register_forward_hook(
            lambda *hooked: hooked[2] if next(calls) < healthy else hooked[2] * float("nan")
        )
        run = RunFolder(tmp_path / "run")
        options = replace(SHORT, tick_kimg=1.0)  # a line after the first step, then none
        with pytest.raises(TrainingDivergedError, match="lower the learning rate") as caught:
            train_generator(options, G, D, pictures(), run)
        assert str(run.state_path) in str(caught.value)
        assert not run.state_path.exists()

    def test_growing_starts_from_the_old_pictures_enlarged(self) -> None:
        small, small_D = tiny_networks()
        sizes = preset("tiny")
        large = Generator(
            replace(sizes.generator, resolution=64, channels=(*sizes.generator.channels, 4))
        )
        grow_generator(large, small)
        z = rand(2, small.config.z_dim)
        images = large(z, noise_mode="none")
        reduced = nn.functional.avg_pool2d(images, 2)
        original = small(z, noise_mode="none")
        assert nn.functional.mse_loss(reduced, original) < 0.1 * original.var()
        large_D = Discriminator(
            replace(sizes.discriminator, resolution=64, channels=large.config.channels)
        )
        grow_discriminator(large_D, small_D)
        assert torch.equal(large_D.b4.out.weight, small_D.b4.out.weight)
        with pytest.raises(ValueError, match="cannot grow into"):
            grow_generator(small, large)


TORCHSCRIPT = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A feature network's file."""
    return tiny_feature_network(tmp_path / "network.pt")


class TestProjectedAdversary:
    """One step by hand: whose gradient comes from where, and when."""

    pytestmark = TORCHSCRIPT

    def adversary(self, network: Path) -> ProjectedAdversary:
        P = tiny_projected(network).train()
        P.calibrate(rand(8, 3, 32, 32))
        return ProjectedAdversary(P, 0.01, 0.7, 1.0, 3, Stats(), World())

    def test_gradients_go_where_they_belong(self, network: Path) -> None:
        adversary, now = self.adversary(network), Moment(40, 5)
        reference = copy.deepcopy(adversary.network)
        G = nn.Parameter(rand(4, 3, 32, 32))
        never_reached = nn.Parameter(torch.zeros(2))
        real = rand(4, 3, 32, 32, seed=1)

        def augmented(images: Tensor, purpose: str) -> Tensor:
            images = gaussian_blur(images, 2 * (1 - 40 / 1000))
            return diff_augment(images, generator_for(3, 40, f"projected {purpose} 0"), 0.7)

        heads = list(reference.heads.parameters())
        logits = reference(augmented(G, "fake"))
        on_fakes = torch.autograd.grad(losses.d_hinge_fake(logits), heads, retain_graph=True)
        (for_G,) = torch.autograd.grad(losses.g_hinge(logits), G)
        real_logits = reference(augmented(real, "real"))
        on_both = torch.autograd.grad(losses.d_hinge_real(real_logits), heads)
        on_both = tuple(x + y for x, y in zip(on_fakes, on_both, strict=True))

        def grads() -> list[Tensor]:
            return [p.grad.clone() for p in adversary.network.heads.parameters()]

        loss = adversary.loss(now, G)
        assert G.grad is None  # the heads' gradient stays with the heads
        for found, wanted in zip(grads(), on_fakes, strict=True):
            torch.testing.assert_close(found, wanted)
        loss.backward(inputs=[G, never_reached])
        assert G.grad is not None
        torch.testing.assert_close(G.grad, for_G)
        assert never_reached.grad is None
        for found, wanted in zip(grads(), on_fakes, strict=True):
            torch.testing.assert_close(found, wanted)  # and the generator's with the generator
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward(inputs=[G])  # nothing keeps the graph

        before = [p.detach().clone() for p in adversary.network.heads.parameters()]
        buffers = {n: x.clone() for n, x in adversary.network.projections.state_dict().items()}
        adversary.learn(now, real)
        torch.testing.assert_close(G.grad, for_G)
        for found, wanted in zip(grads(), on_both, strict=True):
            torch.testing.assert_close(found, wanted)
        after = list(adversary.network.heads.parameters())
        assert all(not torch.equal(x, y) for x, y in zip(before, after, strict=True))
        now_buffers = adversary.network.projections.state_dict()
        assert all(torch.equal(x, now_buffers[name]) for name, x in buffers.items())

    def test_heads_learn_from_pictures_without_a_graph(self, network: Path) -> None:
        """While the generator waits its pictures carry none; the step is the same."""
        fake, real, states = rand(4, 3, 32, 32), rand(4, 3, 32, 32, seed=1), []
        for fakes in (fake, fake.clone().requires_grad_(True)):
            adversary = self.adversary(network)
            adversary.loss(Moment(0, 0), fakes)
            adversary.learn(Moment(0, 0), real)
            states.append(adversary.network.state_dict())
        assert all(torch.equal(x, states[1][name]) for name, x in states[0].items())

    def test_heads_tell_what_differs(self, network: Path) -> None:
        """Their loss falls below that of guessing, 2: noise is not what blobs are."""
        stats = Stats()
        adversary = ProjectedAdversary(
            self.adversary(network).network, 0.01, 0.5, 0.0, 3, stats, World()
        )
        means = []
        for step in range(40):
            real = F.interpolate(rand(8, 3, 4, 4, seed=step), size=(32, 32), mode="bilinear")
            adversary.loss(Moment(8 * step, step), rand(8, 3, 32, 32, seed=100 + step))
            adversary.learn(Moment(8 * step, step), real)
            means.append(stats.take(Path("state"), 0))
        last = {name: sum(m[name] for m in means[-8:]) / 8 for name in means[0]}
        assert means[0]["loss_heads"] > 1.9
        assert last["loss_heads"] < 1.8
        assert last["logits_real"] > last["logits_fake"] + 0.4

    def test_learning_needs_something_seen(self, network: Path) -> None:
        adversary = self.adversary(network)
        with pytest.raises(RuntimeError, match="call it first"):
            adversary.learn(Moment(0, 0), rand(4, 3, 32, 32))


class TestProjectedGenerator:
    pytestmark = TORCHSCRIPT

    def train(
        self,
        network: Path,
        folder: Path,
        kind: str,
        kimg: float = 0.024,
        seed: int = 0,
        **changes: float,
    ) -> RunFolder:
        """kind: P, and D and E if they take part too."""
        run = RunFolder(folder)
        G, D = tiny_networks(seed)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            E = VariationalEncoder(G.config.z_dim) if "E" in kind else None
        weight = 1.0 if E is not None else 0.0
        options = replace(SHORT, snapshot_kimg=9.0, autoencoder_weight=weight, **changes)
        options = replace(options, total_kimg=kimg)
        P = tiny_projected(network, seed=seed)
        train_generator(options, G, D if "D" in kind else None, pictures(), run, P=P, E=E)
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
        run = self.train(network, tmp_path / "run", "P", kimg=0.024, discriminator_kimg=0.024)
        state = load_file(run.state_path)
        parameters = dict(G.named_parameters())
        assert all(torch.equal(x.detach(), state[f"G/{n}"]) for n, x in parameters.items())
        assert all(torch.equal(x.detach(), state[f"G_ema/{n}"]) for n, x in parameters.items())
        heads = dict(start.heads.named_parameters())
        assert not any(torch.equal(x, state[f"P/heads.{n}"]) for n, x in heads.items())
        run = self.train(network, tmp_path / "run", "P", kimg=0.032, discriminator_kimg=0.024)
        state = load_file(run.state_path)
        assert not all(torch.equal(x.detach(), state[f"G/{n}"]) for n, x in parameters.items())

    def test_in_bfloat16(self, network: Path, tmp_path: Path) -> None:
        run, (G, D) = RunFolder(tmp_path / "run"), tiny_networks()
        P = tiny_projected(network, dtype=torch.bfloat16)
        train_generator(replace(SHORT, total_kimg=0.016, bf16=True), G, D, pictures(), run, P=P)
        assert all(math.isfinite(value) for record in records_of(run) for value in record.values())

    def test_without_any_adversary_or_with_one_picture(self, network: Path, tmp_path: Path) -> None:
        run, G = RunFolder(tmp_path / "run"), tiny_networks()[0]
        with pytest.raises(ValueError, match="needs an adversary"):
            train_generator(SHORT, G, None, pictures(), run)
        with pytest.raises(ValueError, match="batch of two or more"):
            self.train(network, tmp_path / "run", "P", batch_size=1)

    def test_a_run_goes_on_with_what_it_was_started_with(
        self, network: Path, tmp_path: Path
    ) -> None:
        run = RunFolder(tmp_path / "run")
        options = replace(SHORT, total_kimg=0.008)
        train_generator(options, *tiny_networks(), pictures(), run)
        with pytest.raises(ValueError, match=r"other networks \(P differs\); continue it with"):
            self.train(network, run.path, "PD")


class TestInpainter:
    @pytest.mark.parametrize("arch", ARCHS)
    def test_all_archs_train(self, arch: Arch, tmp_path: Path) -> None:
        model, (_, D) = tiny_model(arch=arch), tiny_networks()
        before = {k: v.clone() for k, v in model.state_dict().items()}
        run = RunFolder(tmp_path / "run")
        options = FILL if model.skip is not None else replace(FILL, lambda_edit=0.0)
        train_inpainter(options, model, D, PerceptualLoss(discriminator_features(D)), run)
        after = load_model(read_bundle(run.bundle_path)).state_dict()
        changed = {k for k in after if not torch.equal(before[k], after[k])}
        assert not any(k.startswith("generator.") for k in changed)
        for part in ("encoder.", "mixer.") + (("skip.",) if model.skip is not None else ()):
            assert any(k.startswith(part) for k in changed)
        last = records_of(run)[-1]
        assert {"diversity", "by_encoder", "by_z", "loss_same", "loss_new"} <= set(last)

    def test_the_losses_fall(self, tmp_path: Path) -> None:
        """Reconstruction from the picture's own code gets better on one fixed task."""
        model, (_, D) = tiny_model(), tiny_networks()
        options = replace(
            FILL, total_kimg=0.6, tick_kimg=0.1, lr=4e-3, lambda_adversarial=0.0, snapshot_kimg=9.0
        )
        run = RunFolder(tmp_path / "run")
        train_inpainter(options, model, D, PerceptualLoss(discriminator_features(D)), run)
        records = records_of(run)
        losses_ = [r["loss_same"] + r["loss_new"] for r in records if "loss_same" in r]
        assert losses_[-1] < 0.8 * losses_[0]

    def test_continued_equals_uninterrupted(self, tmp_path: Path) -> None:
        class Stopped(Deadline):
            """Passes after so many steps, of which no line and no snapshot knows."""

            def __init__(self, steps: int) -> None:
                super().__init__()
                self.steps = steps

            @property
            def passed(self) -> bool:
                self.steps -= 1
                return self.steps < 0

        folders = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
        options = replace(FILL, real_fraction=0.5)
        for folder, stops in zip(folders, ([99], [3, 99]), strict=True):
            for steps in stops:
                _, D = tiny_networks()
                perceptual = PerceptualLoss(discriminator_features(tiny_networks(seed=3)[1]))
                train_inpainter(
                    options,
                    tiny_model(),
                    D,
                    perceptual,
                    folder,
                    pictures=pictures(),
                    deadline=Stopped(steps),
                )
                assert reached_kimg(folder.path) == (0.024 if steps == 3 else 0.048)
        assert same_tensors(folders[0].state_path, folders[1].state_path)

    def test_new_codes_are_judged_on_known_pixels_only(self) -> None:
        model, (_, D) = tiny_model(), tiny_networks()
        perceptual = PerceptualLoss(discriminator_features(D))
        same = rand(2, 3, 32, 32)
        perceptual.calibrate(same)
        hole = torch.zeros(2, 1, 32, 32)
        hole[..., 8:24] = 1
        w = model.generator.mapping(rand(2, model.config.generator.z_dim))
        batch = Batch(same, same, hole, w, w)
        fills = fill_both(model, batch)
        elsewhere = fills._replace(out_new=torch.where(hole > 0, 5.0, fills.out_new))
        assert (
            reconstruction(batch, fills, perceptual, 1.0)[1]
            == (reconstruction(batch, elsewhere, perceptual, 1.0)[1])
        )
        assert torch.equal(
            torch.where(hole > 0, 0.0, fills.composite_new), torch.where(hole > 0, 0.0, same)
        )

    def test_the_coarse_loss_sees_tones_in_the_hole_and_no_details(self) -> None:
        picture = torch.zeros(1, 3, 32, 32)
        hole = torch.zeros(1, 1, 32, 32)
        hole[:, :, :, 16:] = 1
        codes = torch.zeros(1, 1, 1)
        batch = Batch(picture, picture, hole, codes, codes)
        checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
        checks = checks.expand(1, 3, 32, 32)

        def loss(output: Tensor) -> float:
            filled = composite(output, picture, hole)
            nothing = Encoding(codes, codes, codes, codes)
            fills = Fills(output, output, filled, filled, nothing, codes)
            return float(coarse_loss(batch, fills))

        assert loss(checks) == pytest.approx(0, abs=1e-12)  # detail of the mean that is wanted
        assert loss(picture + 0.5) == pytest.approx(0.25 / 2)  # half of the cells are in the hole

    def test_the_edit_loss_is_the_share_of_an_edit_that_is_lost(self) -> None:
        """A skip encoder that replaces the generator's features cancels edits of earlier styles."""
        model = tiny_model()
        assert model.skip is not None
        model.requires_grad_(True)
        picture, hole = rand(2, 3, 32, 32).clamp(-1, 1), torch.ones(2, 1, 32, 32)
        encoding = model.encode(picture, hole)
        w = model.generator.mapping(rand(4, model.config.generator.z_dim))
        ws, other = w.chunk(2)
        move = moves(ws, other, torch.tensor([[0.0, 1.0, 1.0], [0.1, 0.9, 0.5]]))
        assert edit_loss(model, encoding, ws, move, hole).item() == pytest.approx(0, abs=1e-6)
        nn.init.normal_(model.skip.leave.bias, std=30.0)
        lost = edit_loss(model, encoding, ws, move, hole)
        assert lost.item() > 0.1
        lost.backward()
        assert model.skip.leave.bias.grad is not None
        assert edit_loss(model, encoding, ws, move, 0 * hole).item() == 0

    def test_a_lost_shape_counts_beside_a_kept_colour(self) -> None:
        """Each octave of a change is compared by itself, and their sum is the change."""
        colour = torch.full((1, 3, 32, 32), 0.8)
        shape = torch.zeros(1, 3, 32, 32)
        shape[..., 12:20, 8:24] = 0.05
        bands = octaves(colour + shape, 16)
        assert [band.shape[-1] for band in bands] == [16, 8, 4]
        together = bands[-1]
        for band in reversed(bands[:-1]):
            together = band + F.interpolate(together, scale_factor=2.0)
        assert torch.allclose(together, F.avg_pool2d(colour + shape, 2), atol=1e-6)
        assert relative_error(colour + shape, colour + shape, 16) == 0
        assert relative_error(colour, colour + shape, 16) > 0.3
        assert relative_error(shape, colour + shape, 16) == pytest.approx(1 / 3, abs=0.02)

    def test_moves_go_part_of_the_way_in_a_range_of_styles(self) -> None:
        w, other = rand(64, 8, 4), rand(64, 8, 4, seed=1)
        draws = torch.rand(64, 3, generator=torch.Generator().manual_seed(2))
        share = moves(w, other, draws) / (other - w)
        assert share.std(dim=2).max() < 1e-5  # the same for every channel of a style
        amounts = share[:, :, 0]
        for row in amounts:
            at = torch.nonzero(row)[:, 0]
            assert len(at)
            assert len(at) == at[-1] - at[0] + 1  # one range
            assert row[at].std(correction=0) < 1e-5
            assert 0.25 - 1e-5 <= row[at[0]] <= 1 + 1e-5
        assert (amounts[:, 0] == 0).any()
        assert (amounts[:, -1] == 0).any()

    def test_an_arch_without_skip_encoder_cannot_lose_edits_there(self, tmp_path: Path) -> None:
        model = tiny_model(arch="hierarchical-w")
        _, D = tiny_networks()
        perceptual = PerceptualLoss(discriminator_features(D))
        with pytest.raises(ValueError, match="has not"):
            train_inpainter(FILL, model, D, perceptual, RunFolder(tmp_path))

    def test_collapses_are_reported(self) -> None:
        model = tiny_model()
        for mlp in model.mixer.mlps:
            nn.init.zeros_(mlp.get_submodule("fc1").weight)
        w = model.generator.mapping(rand(4, model.config.generator.z_dim))
        batch = Batch(*[rand(4, 3, 32, 32)] * 2, torch.ones(4, 1, 32, 32), w, w)
        found = warnings_of(measure_dependence(model, batch))
        assert [line.partition(";")[0] for line in found] == [
            "the fill ignores the picture",
            "all candidates are alike",
        ]
        assert warnings_of({"by_encoder": 1, "by_z": 1, "diversity": 0.5}) == []


class TestProjectedInpainter:
    pytestmark = TORCHSCRIPT

    def train(
        self,
        network: Path,
        folder: Path,
        adversarial: float,
        projected: float,
        kimg: float,
        **changes: float,
    ) -> RunFolder:
        run, (_, D) = RunFolder(folder), tiny_networks()
        perceptual = PerceptualLoss(discriminator_features(tiny_networks(seed=3)[1]))
        options = replace(
            FILL,
            total_kimg=kimg,
            snapshot_kimg=9.0,
            real_fraction=0.5,
            lambda_adversarial=adversarial,
            lambda_projected=projected,
            **changes,
        )
        train_inpainter(
            options,
            tiny_model(),
            D if adversarial else None,
            perceptual,
            run,
            P=tiny_projected(network) if projected else None,
            pictures=pictures(),
        )
        return run

    @pytest.mark.parametrize(("adversarial", "projected"), [(0.0, 0.1), (0.08, 0.1)])
    def test_continued_equals_uninterrupted(
        self, adversarial: float, projected: float, network: Path, tmp_path: Path
    ) -> None:
        """By heads alone, and beside the paper's discriminator; `TestInpainter` has the latter."""
        whole = self.train(network, tmp_path / "whole", adversarial, projected, 0.024)
        self.train(network, tmp_path / "parts", adversarial, projected, 0.008)
        parts = self.train(network, tmp_path / "parts", adversarial, projected, 0.024)
        assert same_tensors(whole.state_path, parts.state_path)
        record = records_of(whole)[-1]
        assert ("loss_adversarial" in record) == ("loss_D" in record) == bool(adversarial)
        assert {"loss_projected", "loss_heads"} <= set(record)
        info = read_bundle(whole.bundle_path)
        assert (info.discriminator is not None) == bool(adversarial)
        stored, start = load_file(whole.state_path), tiny_projected(network)
        heads = dict(start.heads.named_parameters())
        assert not any(torch.equal(x, stored[f"P/heads.{n}"]) for n, x in heads.items())
        assert load_projected(info.folder, start)

    def test_the_weight_matters(self, network: Path, tmp_path: Path) -> None:
        states = []
        for weight in (0.1, 10.0):
            folder = tmp_path / f"{weight}"
            run = self.train(network, folder, 0.0, weight, 0.008, discriminator_kimg=-1.0)
            states.append(load_file(run.state_path))
        names = [n for n in states[0] if n.startswith("model/mixer") and states[0][n].ndim > 1]
        assert any(not torch.equal(states[0][n], states[1][n]) for n in names)

    def test_halves_that_belong_together(self, network: Path, tmp_path: Path) -> None:
        model, (_, D) = tiny_model(), tiny_networks()
        perceptual, run = PerceptualLoss(discriminator_features(D)), RunFolder(tmp_path / "r")
        with pytest.raises(ValueError, match="lambda_projected and projected discriminators"):
            train_inpainter(replace(FILL, lambda_projected=0.1), model, D, perceptual, run)
        with pytest.raises(ValueError, match="lambda_projected and projected discriminators"):
            train_inpainter(FILL, model, D, perceptual, run, P=tiny_projected(network))
        with pytest.raises(ValueError, match="lambda_adversarial needs a discriminator"):
            train_inpainter(FILL, model, None, perceptual, run)


class TestPerceptual:
    def test_vgg16_has_the_published_layout(self, tmp_path: Path) -> None:
        network = VGG16()
        names = [n.removesuffix(".weight") for n in network.state_dict() if "weight" in n]
        expected = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21]  # torchvision's vgg16().features
        assert names == [f"features.{i}" for i in expected]
        taps = network(torch.zeros(1, 3, 32, 32))
        assert [t.shape[1:] for t in taps] == [
            (64, 32, 32),
            (128, 16, 16),
            (256, 8, 8),
            (512, 4, 4),
        ]
        torch.save(network.state_dict() | {"classifier.0.bias": torch.zeros(3)}, tmp_path / "v.pth")
        again = load_vgg16(tmp_path / "v.pth")
        assert torch.equal(again(torch.ones(1, 3, 32, 32))[3], network(torch.ones(1, 3, 32, 32))[3])
        torch.save({}, tmp_path / "empty.pth")
        with pytest.raises(ValueError, match="it lacks"):
            load_vgg16(tmp_path / "empty.pth")

    def test_large_pictures_are_compared_whole_and_in_a_window(self) -> None:
        seen: list[Tensor] = []

        def features(images: Tensor) -> list[Tensor]:
            seen.append(images)
            return [images]

        loss = PerceptualLoss(features, side=32)
        images, targets = rand(2, 3, 128, 128), rand(2, 3, 128, 128, seed=1)
        loss.calibrate(images)
        seen.clear()
        distance = loss(images, targets, torch.Generator().manual_seed(2))
        assert [tuple(x.shape) for x in seen] == [(2, 3, 32, 32)] * 4
        assert torch.allclose(seen[1], nn.functional.avg_pool2d(images, 4), atol=1e-6)
        places = images.unfold(2, 32, 1).unfold(3, 32, 1)  # every window there is
        same = (places == seen[3][:, :, None, None]).flatten(4).all(-1).all(1).all(0)
        assert int(same.sum()) == 1
        assert float(distance) > 0
        again = loss(images, targets, torch.Generator().manual_seed(2))
        assert torch.equal(distance, again)
        with pytest.raises(ValueError, match="an rng"):  # never the global random state
            loss(images, targets)

    def test_layers_weigh_alike(self) -> None:
        loss = PerceptualLoss(lambda x: [x, 100 * x])
        x, y = rand(2, 3, 8, 8), rand(2, 3, 8, 8, seed=1)
        with pytest.raises(ValueError, match="calibrate"):
            loss(x, y)
        loss.calibrate(x)
        expected = (x - y).square().mean() / x.square().mean()
        torch.testing.assert_close(loss(x, y), expected)


TWO_PROCESSES = """
import sys
from pathlib import Path

import torch
from inpaint_model.data import load_pictures
from inpaint_model.inpainter import tiny_model
from inpaint_model.perceptual import PerceptualLoss, discriminator_features
from inpaint_model.training import distributed
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining, InpainterTraining
from safetensors.torch import save_file
from tiny_feature_networks import tiny_projected
from tiny_networks import tiny_networks

data, network, out = map(Path, sys.argv[1:])
world = distributed.start("cpu")
pictures = load_pictures([data], 32)
run = RunFolder(out / "two")
G, D = tiny_networks()
P = tiny_projected(network)
short = {"total_kimg": 0.016, "batch_size": 8}
train_generator(GeneratorTraining(**short), G, D, pictures, run, P=P, world=world)
kept = {"generator/G": G, "generator/P": P}
_, D = tiny_networks()
model, P = tiny_model(), tiny_projected(network, seed=1)
options = InpainterTraining(**short, lambda_projected=0.1, discriminator_kimg=0.0, ramp_kimg=0.0)
perceptual = PerceptualLoss(discriminator_features(tiny_networks(seed=3)[1]))
train_inpainter(options, model, D, perceptual, RunFolder(out / "fill"), P=P, world=world)
kept |= {"inpainter/model": model, "inpainter/P": P}
tensors = {f"{k}/{n}": x.contiguous() for k, m in kept.items() for n, x in m.state_dict().items()}
save_file(tensors, out / f"{world.rank}.safetensors")
distributed.stop(world)
"""
COMMAND = (sys.executable, "-m", "inpaint_model.cli", "train", "generator")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    from PIL import Image

    folder = tmp_path / "data"
    folder.mkdir()
    for name, image in zip(pictures().names, pictures().pixels, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / name)
    return folder


def arguments(data: Path, out: Path, kimg: float) -> list[str]:
    text = (
        f"--data {data} --out {out} --preset tiny --device cpu --threads 1 --batch-size 8 "
        f"--total-kimg {kimg} --tick-kimg 0.008 --snapshot-kimg 0.008 --ada-target 0"
    )
    return text.split()


def reached_kimg(run: Path) -> float:
    with safe_open(run / "state.safetensors", framework="pt") as file:
        return float(json.loads(file.metadata()["numbers"])["cur_nimg"]) / 1000


class TestCommand:
    @TORCHSCRIPT
    @pytest.mark.parametrize("projected", [False, True])
    def test_killed_at_any_moment_it_goes_on(
        self, projected: bool, data: Path, network: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "killed"
        extra = ["--feature-networks", str(network)] if projected else []
        process = subprocess.Popen(
            [*COMMAND, *arguments(data, out, 400), *extra], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 120
        while not (out / "state.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)  # somewhere in the middle of a step or of a snapshot
        process.send_signal(signal.SIGKILL)
        process.wait()
        reached = reached_kimg(out)
        assert 0 < reached < 400
        total = reached + 0.032
        assert main(["train", "generator", *arguments(data, out, total), *extra]) == 0
        whole = tmp_path / "whole"
        assert main(["train", "generator", *arguments(data, whole, total), *extra]) == 0
        assert same_tensors(out / "state.safetensors", whole / "state.safetensors")

    def test_sigterm_saves_and_it_goes_on(self, data: Path, tmp_path: Path) -> None:
        """With neither line nor snapshot due for long: what is saved is where it was."""
        out = tmp_path / "stopped"
        rare = ["--tick-kimg", "1000", "--snapshot-kimg", "1000"]
        process = subprocess.Popen(
            [*COMMAND, *arguments(data, out, 400), *rare], stdout=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 120
        while not (out / "stats.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.05)  # the first step always makes a line
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert "stopped, with everything saved" in process.communicate(timeout=60)[0]
        assert process.returncode == 0
        reached = reached_kimg(out)
        assert 0 < reached < 400
        assert read_bundle(out / "bundle").card.trained_kimg == reached
        total = reached + 0.032
        assert main(["train", "generator", *arguments(data, out, total)]) == 0
        whole = tmp_path / "whole"
        assert main(["train", "generator", *arguments(data, whole, total)]) == 0
        assert same_tensors(out / "state.safetensors", whole / "state.safetensors")

    def test_minutes_end_it_whatever_is_left_to_do(self, data: Path, tmp_path: Path) -> None:
        command = [*arguments(data, tmp_path / "run", 400), "--max-minutes", "1e-6"]
        assert main(["train", "generator", *command]) == 0
        assert reached_kimg(tmp_path / "run") == 0  # loading takes longer than this
        assert read_bundle(tmp_path / "run" / "bundle").kind == "generator"

    def test_two_processes_equal_one(self, data: Path, tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        assert main(["train", "generator", *arguments(data, one, 0.032)]) == 0
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        torchrun += ["--nproc-per-node", "2", "-m", *COMMAND[2:]]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run(
            [*torchrun, *arguments(data, two, 0.032)], check=True, env=environment, timeout=300
        )
        first, second = (load_file(p / "state.safetensors") for p in (one, two))
        # Sums are taken in another order, and Adam without momentum makes a full step of a
        # gradient however small: single weights differ, the network as a whole does not.
        names = [name for name in first if name.startswith("G_ema/")]
        whole, parts = (torch.cat([t[n].flatten().float() for n in names]) for t in (first, second))
        assert (whole - parts).norm() / whole.norm() < 1e-3
        one_step = torch.cat([v.flatten() for v in tiny_networks()[0].state_dict().values()])
        assert (whole - one_step).norm() / whole.norm() > 1e-3  # it did train

    @TORCHSCRIPT
    def test_processes_stay_equal_against_projected_discriminators(
        self, data: Path, network: Path, tmp_path: Path
    ) -> None:
        """Each normalizes by its own share's statistics, so two do not do what one does; but all
        have the same weights at every moment."""
        script = tmp_path / "train.py"
        script.write_text(TWO_PROCESSES)
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        torchrun += ["--nproc-per-node", "2", str(script), str(data), str(network), str(tmp_path)]
        paths = [str(Path(__file__).parents[1] / "support"), *sys.path]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
        subprocess.run(torchrun, check=True, env=environment, timeout=300)
        trained, other = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
        differ = {name for name, value in trained.items() if not torch.equal(value, other[name])}
        assert differ == {"generator/G/mapping.w_avg"}  # an estimate from a process's own codes
        start = tiny_projected(network)
        for kind in ("generator", "inpainter"):
            for name, value in start.heads.named_parameters():
                assert not torch.equal(trained[f"{kind}/P/heads.{name}"], value)
        G = dict(tiny_networks()[0].named_parameters())
        name = "synthesis.b32.conv1.weight"
        assert not torch.equal(trained[f"generator/G/{name}"], G[name])

    @TORCHSCRIPT
    def test_heads_go_on_from_a_bundle(
        self, data: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        extra = ["--feature-networks", str(network)]
        assert main(["train", "generator", *arguments(data, first, 0.016), *extra]) == 0
        assert "new ones are trained" not in capsys.readouterr().out
        assert read_bundle(first / "bundle").discriminator is None
        extra += ["--from", str(first / "bundle")]
        assert main(["train", "generator", *arguments(data, second, 0.016), *extra]) == 0
        assert "new ones are trained" not in capsys.readouterr().out
        assert same_tensors(first / "bundle" / HEADS, second / "bundle" / HEADS)  # nothing to do
        extra += ["--with-discriminator"]
        third = tmp_path / "third"
        assert main(["train", "generator", *arguments(data, third, 0.024), *extra]) == 0
        assert read_bundle(third / "bundle").discriminator is not None
        assert not same_tensors(first / "bundle" / HEADS, third / "bundle" / HEADS)

        extra[1] = str(tiny_feature_network(tmp_path / "other.pt", seed=1))
        fourth = tmp_path / "fourth"
        assert main(["train", "generator", *arguments(data, fourth, 0.016), *extra]) == 0
        printed = capsys.readouterr().out
        assert f"no heads that fit lie in {first / 'bundle'}: new ones are trained" in printed

    @TORCHSCRIPT
    def test_inpainter_against_projected_discriminators(
        self, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Around a generator that was trained against heads alone: there is no discriminator."""
        heads = tiny_projected(network, seed=4)
        bundle = save_bundle(tmp_path / "g", tiny_networks()[0], Card("g"), projected=heads).folder
        features = save_script(nn.Conv2d(3, 4, 3), tmp_path / "features.pt")
        base = ["train", "inpainter", "--generator", str(bundle), "--preset", "tiny"]
        base += ["--device", "cpu", "--total-kimg", "0.008", "--out", str(tmp_path / "run")]

        def complaint(*more: str) -> str:
            assert main([*base, *more]) == 2
            error = capsys.readouterr().err
            assert error.count("\n") == 1
            return error

        alone = ["--lambda-adversarial", "0"]
        fill = [*alone, "--lambda-projected", "0.1"]
        networks = ["--feature-networks", str(network)]
        compared = ["--features", str(features)]
        assert "holds no StyleGAN2 discriminator" in complaint()
        assert "give --features or --vgg16" in complaint(*fill, *networks)
        assert "belong together" in complaint(*fill, *compared)
        assert "belong together" in complaint(*alone, *networks, *compared)
        assert not (tmp_path / "run").exists()  # nothing was begun
        capsys.readouterr()

        assert main([*base, *fill, *networks, *compared]) == 0
        assert "new ones are trained" not in capsys.readouterr().out  # those of the generator
        info = read_bundle(tmp_path / "run" / "bundle")
        assert info.discriminator is None
        again = tiny_projected(network)
        assert load_projected(info.folder, again)
        mixing = heads.projections.get_buffer("0.across_channels0")
        assert torch.equal(again.projections.get_buffer("0.across_channels0"), mixing)

        more = [*fill, *networks, *compared, "--init", str(info.folder), "--total-kimg", "0.016"]
        assert main([*base, *more, "--out", str(tmp_path / "more")]) == 0
        assert "new ones are trained" not in capsys.readouterr().out

    @TORCHSCRIPT
    def test_inpainter_from_the_command_line(self, tmp_path: Path) -> None:
        G, D = tiny_networks()
        info = save_bundle(tmp_path / "g", G, Card("g"), discriminator=D)
        edit = Direction("age", "own", (0,), 1.0, -2.0, 2.0, generator_sha256=info.generator_sha256)
        add_directions(tmp_path / "g", [(edit, torch.ones(G.config.w_dim))])
        base = ["train", "inpainter", "--generator", str(tmp_path / "g"), "--preset", "tiny"]
        base += ["--device", "cpu", "--total-kimg", "0.016"]
        assert main([*base, "--out", str(tmp_path / "first")]) == 0
        again = [*base, "--init", str(tmp_path / "first" / "bundle"), "--total-kimg", "0.032"]
        assert main([*again, "--out", str(tmp_path / "second")]) == 0
        second = read_bundle(tmp_path / "second" / "bundle")
        assert second.card.trained_kimg == 0.032
        assert second.directions == (edit,)  # the generator's
        assert load_vectors(second)["age"].tolist() == [1.0] * G.config.w_dim

        other = save_bundle(tmp_path / "h", tiny_networks(seed=4)[0], Card("h"), discriminator=D)
        save_script(nn.Conv2d(3, 4, 3), tmp_path / "features.pt")
        onto = [
            *again,
            "--generator",
            str(other.folder),
            "--features",
            str(tmp_path / "features.pt"),
        ]
        onto += ["--bf16", "--perceptual-side", "16", "--out", str(tmp_path / "third")]
        assert main(onto) == 0
        third = read_bundle(tmp_path / "third" / "bundle")
        assert third.generator_sha256 == other.generator_sha256  # --init brings all but that

        later = replace(edit, name="found while it trains")
        add_directions(second.folder, [(later, torch.ones(G.config.w_dim))])
        assert main([*again, "--out", str(tmp_path / "second"), "--total-kimg", "0.048"]) == 0
        assert read_bundle(second.folder).directions == (edit, later)

    def test_several_sources_replaced_and_weighted(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        more, copies, weights = tmp_path / "more", tmp_path / "copies", tmp_path / "weights.csv"
        for folder, names in ((more, ["b0.png", "b1.png"]), (copies, ["0.png", "x.png"])):
            folder.mkdir()
            for name in names:
                (folder / name).write_bytes((data / "7.png").read_bytes())
        weights.write_text("file,weight\nb*,3\n")
        tables = [tmp_path / "first.csv", tmp_path / "second.csv"]
        tables[0].write_text("file,crop_px\n" + "".join(f"{i}.png,256\n" for i in range(24)))
        tables[1].write_text("file,crop_px\n1.png,100\nb0.png,100\nb1.png,300\n")
        command = arguments(data, tmp_path / "run", 0.016)
        command += ["--data", str(more), "--replace", str(copies), "--weights", str(weights)]
        command += ["--manifest", *map(str, tables), "--min-crop", "256"]

        parser = argparse.ArgumentParser()
        add_data_arguments(parser, required=True, use="to learn from")
        loaded, drawn = load_data(parser.parse_known_args(command)[0], 32)
        assert len(loaded) == 26
        assert torch.equal(loaded.pixels[0], loaded.pixels[loaded.names.index("7.png")])
        assert drawn is not None
        often = dict(zip(loaded.names, drawn.tolist(), strict=True))
        assert {name: weight for name, weight in often.items() if weight != 1} == {
            "1.png": 0, "b0.png": 0, "b1.png": 3
        }  # fmt: skip

        assert main(["train", "generator", *command]) == 0
        printed = capsys.readouterr().out
        assert "1 of them are replaced" in printed
        assert "2 of them have another weight than 1" in printed
        assert "24 of them have crop_px of 256 or more" in printed
        (line,) = (tmp_path / "run" / "options.json").read_text("utf-8").splitlines()
        assert json.loads(line)["data"] == [str(data), str(more)]
        assert json.loads(line)["weights"] == str(weights)

    def test_dry_run_touches_nothing(
        self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "run"
        assert main(["train", "generator", *arguments(data, out, 1), "--dry-run"]) == 0
        assert json.loads(capsys.readouterr().out)["total_kimg"] == 1
        assert not out.exists()

    @TORCHSCRIPT
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (["--feature-networks", __file__], "test_training.py is not a TorchScript file"),
            (["--feature-networks", "/nowhere"], "nowhere"),
            (["--feature-networks", "{three}"], "need 4 square maps"),
            (["--feature-networks", "{four}", "--batch-size", "1"], "batch of two or more"),
            (["--with-discriminator"], "give those as well"),
            (["--data", "/nowhere"], "nowhere"),
            (["--preset", "huge"], "unknown preset 'huge'; known are paper-256"),
            (["--from", "/nowhere"], "nowhere"),
            (["--reduce", "3"], "power of two"),
            (["--min-crop", "200"], "--min-crop needs --manifest"),
            (["--replace", "/nowhere"], "nowhere"),
        ],
    )
    def test_bad_input_is_one_sentence(
        self,
        data: Path,
        network: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        change: list[str],
        message: str,
    ) -> None:
        three = tiny_feature_network(tmp_path / "three.pt", channels=(4, 4, 4))
        change = [word.format(three=three, four=network) for word in change]
        assert main(["train", "generator", *arguments(data, tmp_path / "r", 1), *change]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
