"""Training by reconstruction: the rate by hand, learning, resuming, growing."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from inpaint_model.bundle.manifest import read_bundle
from inpaint_model.bundle.weights import load_generator
from inpaint_model.cli.main import main
from inpaint_model.data.dataset import ImageSet
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.training.autoencoding import (
    VariationalEncoder,
    find_encoder,
    kl_divergence,
    reconstruct,
    save_encoder,
)
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining
from PIL import Image
from safetensors.torch import load_file
from tiny_networks import tiny_networks
from torch import Tensor

ALONE = GeneratorTraining(
    total_kimg=0.32,
    batch_size=8,
    lr=0.005,
    pl_weight=0,
    tick_kimg=0.08,
    snapshot_kimg=1,
    vae_weight=1,
    reconstruction_only_kimg=1,
    random_noise=False,
    ema_kimg=0.02,
)


def two_colors(count: int = 16, R: int = 32) -> ImageSet:
    """Light and dark images, which a code of one bit describes completely."""
    pixels = torch.full((count, 3, R, R), 40, dtype=torch.uint8)
    pixels[::2] = 215
    return ImageSet(tuple(f"{i}.png" for i in range(count)), pixels)


def networks() -> tuple[Generator, Discriminator, VariationalEncoder]:
    G, D = tiny_networks()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return G, D, VariationalEncoder(G.config.z_dim)


def code_of(E: VariationalEncoder, images: Tensor) -> Tensor:
    mean: Tensor = E(images)[0]
    return mean


class TestRate:
    def test_the_prior_costs_nothing(self) -> None:
        assert torch.equal(kl_divergence(torch.zeros(3, 5), torch.zeros(3, 5)), torch.zeros(3))

    def test_against_the_divergence_of_torch(self) -> None:
        rng = torch.Generator().manual_seed(0)
        mean, log_variance = torch.randn(2, 6, 9, generator=rng)
        normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
        wanted = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0))
        assert torch.allclose(kl_divergence(mean, log_variance), wanted.sum(dim=1), atol=1e-5)


class TestEncoder:
    def test_larger_images_are_reduced(self) -> None:
        E = VariationalEncoder(z_dim=12)
        small = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
        assert torch.allclose(code_of(E, large), code_of(E, small), atol=1e-5)
        assert code_of(E, small).shape == (2, 12)

    def test_saved_next_to_the_bundle(self, tmp_path: Path) -> None:
        E, other = VariationalEncoder(z_dim=12), VariationalEncoder(z_dim=12)
        assert not find_encoder(other, tmp_path / "bundle")
        save_encoder(E, tmp_path)
        assert find_encoder(other, tmp_path / "bundle")
        images = torch.randn(2, 3, 32, 32)
        assert torch.equal(code_of(E, images), code_of(other, images))


class TestTraining:
    @pytest.mark.slow
    def test_codes_tell_images_apart(self, tmp_path: Path) -> None:
        G, D, E = networks()
        images = two_colors()
        G_ema = train_generator(ALONE, G, D, images, RunFolder(tmp_path), E=E)
        batch = images.batch(torch.arange(16))
        draw = torch.randn(16, G.config.z_dim, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            result = reconstruct(E, G_ema, batch, draw)
        nothing_known = batch.var()  # what the best constant image would leave
        assert float(result.distance) < 0.5 * float(nothing_known)
        assert float(result.rate) > math.log(2)
        assert list(tmp_path.glob("reconstructions*.png"))

    @pytest.mark.slow
    def test_continued_equals_uninterrupted(self, tmp_path: Path) -> None:
        # All three phases: reconstruction alone, with the discriminator, with adversarial training.
        options = replace(
            ALONE,
            total_kimg=0.064,
            reconstruction_only_kimg=0.016,
            d_warmup_kimg=0.016,
            tick_kimg=0.008,
            snapshot_kimg=0.016,
        )
        whole, parts = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "parts")
        G, D, E = networks()
        train_generator(options, G, D, two_colors(), whole, E=E)
        for kimg in (0.032, 0.064):
            G, D, E = networks()
            train_generator(replace(options, total_kimg=kimg), G, D, two_colors(), parts, E=E)
        first, second = load_file(whole.state_path), load_file(parts.state_path)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)

    @pytest.mark.slow
    def test_the_discriminator_rests_during_the_warm_start(self, tmp_path: Path) -> None:
        G, D, E = networks()
        before = {name: value.clone() for name, value in D.state_dict().items()}
        options = replace(ALONE, total_kimg=0.016)
        train_generator(options, G, D, two_colors(), RunFolder(tmp_path), E=E)
        assert all(torch.equal(value, before[name]) for name, value in D.state_dict().items())

    def test_needs_its_encoder(self, tmp_path: Path) -> None:
        G, D, _ = networks()
        with pytest.raises(ValueError, match="needs an encoder"):
            train_generator(ALONE, G, D, two_colors(), RunFolder(tmp_path))

    def test_a_warm_start_without_reconstruction_would_learn_nothing(self, tmp_path: Path) -> None:
        G, D, E = networks()
        options = replace(ALONE, vae_weight=0)
        with pytest.raises(ValueError, match="needs vae_weight"):
            train_generator(options, G, D, two_colors(), RunFolder(tmp_path), E=E)

    def test_looking_changes_nothing(self) -> None:
        G, _, E = networks()
        images, draw = two_colors().batch(torch.arange(4)), torch.zeros(4, G.config.z_dim)
        before = G.mapping.w_avg.clone()
        reconstruct(E, G.eval(), images, draw)
        assert torch.equal(G.mapping.w_avg, before)
        reconstruct(E, G.train(), images, draw)
        assert not torch.equal(G.mapping.w_avg, before)


@pytest.mark.slow
def test_from_the_command_line_and_on_at_twice_the_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for index in range(8):
        Image.new("RGB", (32, 32), (30 * index,) * 3).save(data / f"{index}.png")
    common = ["train", "generator", "--data", str(data), "--device", "cpu"]
    common += ["--preset", "compact-128"]
    common += ["--vae-weight", "1", "--total-kimg", "0.016", "--batch-size", "8"]
    half, full = tmp_path / "half", tmp_path / "full"
    assert (
        main([*common, "--reduce", "4", "--reconstruction-only-kimg", "1", "--out", str(half)]) == 0
    )
    common[common.index("0.016")] = "0.032"
    grow = ["--reduce", "2", "--grow-from", str(half / "bundle")]
    assert main([*common, *grow, "--out", str(full)]) == 0
    grown = load_generator(read_bundle(full / "bundle"))
    assert grown.config.resolution == 64
    assert "no encoder" not in capsys.readouterr().out


def test_features_without_reconstruction_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "generator", "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main([*arguments, "--features", "vgg.pt"]) == 2
    assert "--vae-weight as well" in capsys.readouterr().err
