"""Training the inpainter: all archs, resume, collapses, projected discriminators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.bundle.manifest import read_bundle
from inpaint_model.bundle.weights import load_model
from inpaint_model.data.masks import hole_ratio
from inpaint_model.data.sampler import Sampler
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.config import ARCHS, TABLE_2, Arch
from inpaint_model.networks.inpainting_model import Encoding
from inpaint_model.training.deadline import Deadline
from inpaint_model.training.diagnostics import measure_dependence, warnings_of
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.edit_loss import edit_loss, moves, octaves, relative_error
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.inpainter_step import (
    Batch,
    Fills,
    coarse_loss,
    codes_loss,
    composite,
    fill_both,
    reconstruction,
    whole_loss,
)
from inpaint_model.training.inputs import InpainterInputs
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.projected.files import load_projected
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import InpainterTraining
from safetensors.torch import load_file
from short_trainings import (
    FILL,
    TORCHSCRIPT,
    images,
    rand,
    reached_kimg,
    records_of,
    same_tensors,
)
from tiny_feature_networks import tiny_projected
from tiny_networks import tiny_networks
from torch import Tensor, nn


class TestInpainter:
    @pytest.mark.slow
    @pytest.mark.parametrize("arch", ARCHS)
    def test_all_archs_train(self, arch: Arch, tmp_path: Path) -> None:
        model, (_, D) = tiny_model(arch=arch), tiny_networks()
        before = {k: v.clone() for k, v in model.state_dict().items()}
        run = RunFolder(tmp_path / "run")
        options = FILL
        if not model.config.abilities.corrected:
            options = replace(FILL, lambda_codes=0.0, lambda_edit=0.0)
        train_inpainter(options, model, D, PerceptualLoss(discriminator_features(D)), run)
        after = load_model(read_bundle(run.bundle_path)).state_dict()
        changed = {k for k in after if not torch.equal(before[k], after[k])}
        assert not any(k.startswith("generator.") for k in changed)
        for part, _ in model.named_children():
            assert part == "generator" or any(k.startswith(f"{part}.") for k in changed)
        measured = {"loss_rg", "loss_rr"}
        if model.config.abilities.diverse:
            measured |= {"diversity"}
        if arch in TABLE_2:
            measured |= {"sensitivity_encoder", "sensitivity_z"}
        assert measured <= set(records_of(run)[-1])

    @pytest.mark.slow
    def test_the_losses_fall(self, tmp_path: Path) -> None:
        """Reconstruction from the image's own code gets better on one fixed task."""
        model, (_, D) = tiny_model(), tiny_networks()
        options = replace(
            FILL, total_kimg=0.6, tick_kimg=0.1, lr=4e-3, lambda_adversarial=0.0, snapshot_kimg=9.0
        )
        run = RunFolder(tmp_path / "run")
        train_inpainter(options, model, D, PerceptualLoss(discriminator_features(D)), run)
        records = records_of(run)
        losses_ = [r["loss_rg"] + r["loss_rr"] for r in records if "loss_rg" in r]
        assert losses_[-1] < 0.8 * losses_[0]

    @pytest.mark.slow
    def test_continued_equals_uninterrupted(self, tmp_path: Path) -> None:
        class Stopped(Deadline):
            """Passes after some steps, between progress reports and snapshots."""

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
            for start, steps in enumerate(stops):
                _, D = tiny_networks()
                perceptual = PerceptualLoss(discriminator_features(tiny_networks(seed=3)[1]))
                train_inpainter(
                    options,
                    tiny_model(),
                    D,
                    perceptual,
                    folder,
                    images=images(),
                    start_nimg=1000 * start,  # the state of the second start overrides it
                    deadline=Stopped(steps),
                )
                assert reached_kimg(folder.path) == (0.024 if steps == 3 else 0.048)
        assert same_tensors(folders[0].state_path, folders[1].state_path)

    @pytest.mark.slow
    def test_drawing_ahead_changes_nothing(self, tmp_path: Path) -> None:
        runs = [RunFolder(tmp_path / str(threads)) for threads in (0, 2)]
        for threads, run in zip((0, 2), runs, strict=True):
            options = replace(FILL, real_fraction=0.5, lambda_adversarial=0.0)
            options = replace(options, input_threads=threads)
            perceptual = PerceptualLoss(discriminator_features(tiny_networks()[1]))
            train_inpainter(options, tiny_model(), None, perceptual, run, images=images())
        assert same_tensors(runs[0].state_path, runs[1].state_path)

    @pytest.mark.slow
    @pytest.mark.parametrize(("fraction", "counts"), [(0.5, {4}), (0.3, {2, 3}), (0.02, {0, 1})])
    def test_as_many_real_images_at_every_step(self, fraction: float, counts: set[int]) -> None:
        """At places that differ; where the batch does not divide, right on average."""
        options = replace(FILL, batch_size=8, real_fraction=fraction)
        config = tiny_model().config.generator
        draw = InpainterInputs(options, config, DistributedContext(), Sampler(24, 0))
        steps = [draw(8 * step) for step in range(300)]
        found = [len(step.real) for step in steps]
        assert set(found) == counts
        assert sum(found) / len(found) == pytest.approx(8 * fraction, abs=0.1)
        assert all(len(step.image) == len(step.mirrored) == len(step.real) for step in steps)
        assert {int(i) for step in steps for i in step.real} == set(range(8))

    def test_a_share_of_the_holes_keeps_features(self) -> None:
        config = tiny_model().config.generator
        batches = {}
        for fraction in (0.0, 0.25, 1.0):
            options = replace(FILL, batch_size=200, kept_fraction=fraction)
            batches[fraction] = InpainterInputs(options, config, DistributedContext())(0)
        usual, some, every = (draws.hole for draws in batches.values())
        changed = (usual != some).flatten(1).any(dim=1).float().mean()
        assert 0.15 < changed < 0.35
        ratio = hole_ratio(every)
        assert ratio.max() < 0.95, "no free-form mask"
        assert torch.equal(batches[0.0].z, batches[1.0].z)

    @pytest.mark.parametrize(
        "options", [replace(FILL, real_fraction=1.5), replace(FILL, kept_fraction=1.5)]
    )
    def test_shares_above_1_are_refused(self, options: InpainterTraining, tmp_path: Path) -> None:
        perceptual = PerceptualLoss(discriminator_features(tiny_networks()[1]))
        with pytest.raises(ValueError, match=r"fraction is 1\.5; give a share from 0 to 1"):
            train_inpainter(options, tiny_model(), None, perceptual, RunFolder(tmp_path))

    def test_new_codes_are_compared_on_known_pixels_only(self) -> None:
        model, (_, D) = tiny_model(), tiny_networks()
        perceptual = PerceptualLoss(discriminator_features(D))
        same = rand(2, 3, 32, 32)
        perceptual.calibrate(same)
        hole = torch.zeros(2, 1, 32, 32)
        hole[..., 8:24] = 1
        w = model.generator.mapping(rand(2, model.config.generator.z_dim))
        batch = Batch(same, same, hole, w, w, torch.zeros(0, dtype=torch.long))
        fills = fill_both(model, batch)
        elsewhere = fills._replace(out_new=torch.where(hole > 0, 5.0, fills.out_new))
        assert (
            reconstruction(batch, fills, perceptual, 1.0)[1]
            == (reconstruction(batch, elsewhere, perceptual, 1.0)[1])
        )
        assert torch.equal(
            torch.where(hole > 0, 0.0, fills.composite_new), torch.where(hole > 0, 0.0, same)
        )

    def test_the_codes_loss_asks_the_codes_and_not_the_skip_encoder(self) -> None:
        """It is L_rr of a model whose skip encoder changes nothing, as an untrained one's."""
        model, (_, D) = tiny_model(), tiny_networks()
        assert model.skip is not None
        model.requires_grad_(True)
        perceptual = PerceptualLoss(discriminator_features(D))
        same = rand(2, 3, 32, 32)
        perceptual.calibrate(same)
        hole = torch.zeros(2, 1, 32, 32)
        hole[..., 8:24] = 1
        w = model.generator.mapping(rand(2, model.config.generator.z_dim)).detach()
        batch = Batch(same, same, hole, w, w, torch.zeros(0, dtype=torch.long))
        fills = fill_both(model, batch)
        untrained = codes_loss(model, batch, fills, perceptual, 1.0)
        assert untrained.item() == pytest.approx(
            reconstruction(batch, fills, perceptual, 1.0)[1].item(), rel=1e-5
        )
        untrained.backward()
        assert all(p.grad is not None and p.grad.any() for p in model.mixer.mlps[0].parameters())
        assert next(model.encoder.parameters()).grad is not None
        assert all(p.grad is None for p in model.skip.parameters())
        nn.init.normal_(model.skip.get_parameter("leave.bias"), std=30.0)
        fills = fill_both(model, batch)
        assert codes_loss(model, batch, fills, perceptual, 1.0).item() == pytest.approx(
            untrained.item()
        )
        assert reconstruction(batch, fills, perceptual, 1.0)[1] != untrained

    def test_the_coarse_loss_sees_tones_in_the_hole_and_no_details(self) -> None:
        image = torch.zeros(1, 3, 32, 32)
        hole = torch.zeros(1, 1, 32, 32)
        hole[:, :, :, 16:] = 1
        codes = torch.zeros(1, 1, 1)
        batch = Batch(image, image, hole, codes, codes, torch.zeros(0, dtype=torch.long))
        checks = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
        checks = checks.expand(1, 3, 32, 32)

        def loss(output: Tensor) -> float:
            filled = composite(output, image, hole)
            nothing = Encoding()
            fills = Fills(output, output, filled, filled, nothing, codes)
            return float(coarse_loss(batch, fills))

        assert loss(checks) == pytest.approx(0, abs=1e-12)  # detail of the mean that is wanted
        assert loss(image + 0.5) == pytest.approx(0.25 / 2)  # half of the cells are in the hole

    def test_the_whole_loss_sees_structure_in_the_hole_and_nothing_outside(self) -> None:
        image = rand(1, 3, 32, 32).clamp(-1, 1)
        hole = torch.zeros(1, 1, 32, 32)
        hole[:, :, :, 16:] = 1
        codes = torch.zeros(1, 1, 1)
        batch = Batch(image, image, hole, codes, codes, torch.zeros(0, dtype=torch.long))
        perceptual = PerceptualLoss(discriminator_features(tiny_networks()[1]))
        perceptual.calibrate(image)

        def loss(output: Tensor) -> float:
            filled = composite(output, image, hole)
            nothing = Encoding()
            fills = Fills(output, output, filled, filled, nothing, codes)
            return float(whole_loss(batch, fills, perceptual))

        mirrored = image.flip(3)
        outside = torch.where(hole > 0, image, mirrored)
        assert loss(outside) == 0  # known pixels of a composite are the image's
        assert loss(torch.where(hole > 0, mirrored, image)) > 0.1 * perceptual(mirrored, image)

    def test_the_edit_loss_is_the_share_of_an_edit_that_is_lost(self) -> None:
        """A skip encoder that replaces the generator's features cancels edits of earlier styles."""
        model = tiny_model()
        assert model.skip is not None
        model.requires_grad_(True)
        image, hole = rand(2, 3, 32, 32).clamp(-1, 1), torch.ones(2, 1, 32, 32)
        encoding = model.encode(image, hole)
        w = model.generator.mapping(rand(4, model.config.generator.z_dim))
        ws, other = w.chunk(2)
        move = moves(ws, other, torch.tensor([[0.0, 1.0, 1.0], [0.1, 0.9, 0.5]]))
        assert edit_loss(model, encoding, ws, move, hole).item() == pytest.approx(0, abs=1e-6)
        nn.init.normal_(model.skip.get_parameter("leave.bias"), std=30.0)
        lost = edit_loss(model, encoding, ws, move, hole)
        assert lost.item() > 0.1
        lost.backward()
        assert model.skip.get_parameter("leave.bias").grad is not None
        assert edit_loss(model, encoding, ws, move, 0 * hole).item() == 0

    def test_a_lost_shape_counts_even_if_the_color_is_kept(self) -> None:
        """Each octave of a change is compared separately, and their sum is the change."""
        color = torch.full((1, 3, 32, 32), 0.8)
        shape = torch.zeros(1, 3, 32, 32)
        shape[..., 12:20, 8:24] = 0.05
        bands = octaves(color + shape, 16)
        assert [band.shape[-1] for band in bands] == [16, 8, 4]
        together = bands[-1]
        for band in reversed(bands[:-1]):
            together = band + F.interpolate(together, scale_factor=2.0)
        assert torch.allclose(together, F.avg_pool2d(color + shape, 2), atol=1e-6)
        assert relative_error(color + shape, color + shape, 16) == 0
        assert relative_error(color, color + shape, 16) > 0.3
        assert relative_error(shape, color + shape, 16) == pytest.approx(1 / 3, abs=0.02)

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
        with pytest.raises(ValueError, match="does not have"):
            train_inpainter(FILL, model, D, perceptual, RunFolder(tmp_path))

    def test_collapses_are_reported(self) -> None:
        model = tiny_model()
        for mlp in model.mixer.mlps:
            nn.init.zeros_(mlp.get_parameter("fc1.weight"))
        w = model.generator.mapping(rand(4, model.config.generator.z_dim))
        hole = torch.ones(4, 1, 32, 32)
        hole[..., :4] = 0
        same = rand(4, 3, 32, 32)
        batch = Batch(same, same, hole, w, w, torch.zeros(0, dtype=torch.long))
        found = warnings_of(measure_dependence(model, batch))
        assert [line.partition(";")[0] for line in found] == [
            "the fill ignores the image",
            "all candidates are alike",
        ]
        assert warnings_of({"sensitivity_encoder": 1, "sensitivity_z": 1, "diversity": 0.5}) == []


@pytest.mark.slow
class TestProjectedInpainter:
    pytestmark = TORCHSCRIPT

    def train(
        self,
        network: Path,
        folder: Path,
        adversarial: float,
        projected: float,
        kimg: float,
        **changes: Any,
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
            images=images(),
        )
        return run

    @pytest.mark.parametrize(("adversarial", "projected"), [(0.0, 0.1), (0.08, 0.1)])
    def test_continued_equals_uninterrupted(
        self, adversarial: float, projected: float, network: Path, tmp_path: Path
    ) -> None:
        """By heads alone, and with the paper's discriminator, which `TestInpainter` tests alone."""
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

    @pytest.mark.parametrize(("adversarial", "projected"), [(0.0, 0.1), (0.1, 0.0), (0.0, 0.0)])
    def test_the_model_rests_while_its_adversary_learns_alone(
        self, network: Path, tmp_path: Path, adversarial: float, projected: float
    ) -> None:
        """Otherwise the losses of reconstruction would blur a finished model."""
        start = dict(tiny_model().mixer.named_parameters(prefix="mixer"))
        for kimg, rests in ((0.016, adversarial + projected > 0), (0.024, False)):
            run = self.train(
                network, tmp_path / str(kimg), adversarial, projected, kimg, d_warmup_kimg=0.016
            )
            stored = load_file(run.state_path)
            same = all(torch.equal(stored[f"model/{name}"], x) for name, x in start.items())
            assert same == rests

    def test_the_weight_matters(self, network: Path, tmp_path: Path) -> None:
        states = []
        for weight in (0.1, 10.0):
            folder = tmp_path / f"{weight}"
            run = self.train(network, folder, 0.0, weight, 0.008, d_warmup_kimg=-1.0)
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
