"""Generators of several classes: their training, its command, and what comes of it."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import torch
from inpaint_model.baselines.archs import make_model
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.weights import load_discriminator, load_generator
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.sampler import Sampler
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.presets import preset
from inpaint_model.training.autoencoding import VariationalEncoder
from inpaint_model.training.distributed import DistributedContext
from inpaint_model.training.generator_loop import train_generator
from inpaint_model.training.generator_phases import GeneratorDraws, mixed_styles
from inpaint_model.training.inpainter_loop import train_inpainter
from inpaint_model.training.perceptual_loss import PerceptualLoss, discriminator_features
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import GeneratorTraining
from PIL import Image
from short_trainings import FILL, SHORT, TORCHSCRIPT, images, rand, same_tensors
from tiny_feature_networks import tiny_projected
from torch import Tensor

BRIGHTNESS = (40, 215)  # of the two classes' images


def conditional_networks(c_dim: int = 2, seed: int = 0) -> tuple[Generator, Discriminator]:
    """The tiny preset's, with classes."""
    sizes = preset("tiny")
    cmap_dim = sizes.discriminator.channels[0]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        G = Generator(replace(sizes.generator, c_dim=c_dim))
        return G, Discriminator(replace(sizes.discriminator, c_dim=c_dim, cmap_dim=cmap_dim))


def two_classes(count: int = 24, R: int = 32) -> ImageSet:
    """Alternating dark and bright images."""
    rng = torch.Generator().manual_seed(1)
    classes = torch.arange(count) % 2
    level = torch.tensor(BRIGHTNESS)[classes][:, None, None, None]
    pixels = level + torch.randint(-30, 30, (count, 3, R, R), generator=rng)
    names = tuple(f"{i:02}.png" for i in range(count))
    return ImageSet(names, pixels.to(torch.uint8), classes=classes, class_count=2)


def labeled_zip(path: Path, count: int = 24) -> Path:
    """The same images as NVIDIA's tools write them."""
    data = two_classes(count)
    assert data.classes is not None
    with zipfile.ZipFile(path, "w") as file:
        for name, image in zip(data.names, data.pixels, strict=True):
            encoded = BytesIO()
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(encoded, "png")
            file.writestr(name, encoded.getvalue())
        labels = [list(pair) for pair in zip(data.names, data.classes.tolist(), strict=True)]
        file.writestr("dataset.json", json.dumps({"labels": labels}))
    return path


def train(folder: Path, options: GeneratorTraining, kind: str = "D", seed: int = 0) -> RunFolder:
    run, (G, D) = RunFolder(folder), conditional_networks(seed=seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        E = VariationalEncoder(G.config.z_dim) if "E" in kind else None
    train_generator(options, G, D, two_classes(), run, E=E)
    return run


def mean_by_class(G: Generator, count: int = 16) -> list[float]:
    """How bright images of each class are, of the same latents."""
    z = rand(count, G.config.z_dim)
    labels = torch.eye(G.config.c_dim)
    with torch.no_grad():
        return [float(G(z, c.expand(count, -1)).mean()) for c in labels]


def test_labels_are_drawn_as_often_as_the_images() -> None:
    """By the weights, from a generator of their own, each process its share of one batch."""
    options = replace(SHORT, batch_size=64)
    G, _ = conditional_networks()
    weights = torch.tensor([3.0, 1.0] * 12)
    data, cpu = two_classes(), torch.device("cpu")

    def drawn(world: DistributedContext, nimg: int) -> Tensor:
        sampler = Sampler(24, 0, weights)
        draws = GeneratorDraws(options, G, data, sampler, 0.9, None, world, cpu)
        return draws.fakes(nimg, "G")["labels"]

    steps = torch.cat([drawn(DistributedContext(), 64 * step) for step in range(40)])
    assert steps.sum(dim=1).unique().tolist() == [1]
    assert steps[:, 0].mean().item() == pytest.approx(0.75, abs=0.03)
    parts = [drawn(DistributedContext(rank, 2), 0) for rank in range(2)]
    assert torch.equal(torch.stack(parts, dim=1).flatten(0, 1), drawn(DistributedContext(), 0))


def test_both_latents_of_an_image_have_its_class() -> None:
    G, _ = conditional_networks()
    z, labels = rand(3, 2, G.config.z_dim), torch.eye(2)[[0, 1, 1]]
    first = torch.zeros(3, G.config.num_ws) > 0
    first[:, :2] = True
    ws = mixed_styles(G, z, first, labels)
    for n in range(3):
        for style, latent in ((0, 0), (3, 1)):
            w = G.mapping.map(z[n, latent][None], labels[n][None])[0]
            torch.testing.assert_close(ws[n, style], w)


def test_the_discriminators_logit_is_a_projection_on_its_class() -> None:
    """Miyato and Koyama 2018, with the mapped label of unit mean square, as StyleGAN2-ADA has it.

    `importing/test_nvidia.py` compares the whole network with another implementation.
    """
    _, D = conditional_networks()
    images, labels = rand(4, 3, 32, 32), torch.eye(2)[[0, 1, 0, 1]]
    features = D.b4(D.features(images)[-1])
    x = labels @ D.mapping.embed.weight.T / math.sqrt(2) + D.mapping.embed.bias
    x = x / x.square().mean(dim=1, keepdim=True).sqrt()
    for i in range(8):
        weight, bias = (D.mapping.get_parameter(f"fc{i}.{name}") for name in ("weight", "bias"))
        x = x @ weight.T * 0.01 / math.sqrt(x.shape[1]) + bias * 0.01
        x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)
    expected = (features * x).sum(dim=1, keepdim=True) / math.sqrt(x.shape[1])
    torch.testing.assert_close(D(images, labels), expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"give labels c=\[N, 2\]"):
        D(images)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["D", "DE"])
def test_continued_equals_uninterrupted(kind: str, tmp_path: Path) -> None:
    options = replace(SHORT, total_kimg=0.032, pl_interval=2, r1_interval=2, snapshot_kimg=9.0)
    options = replace(options, vae_weight=1.0 if "E" in kind else 0.0)
    whole = train(tmp_path / "whole", options, kind)
    train(tmp_path / "parts", replace(options, total_kimg=0.016), kind)
    parts = train(tmp_path / "parts", options, kind, seed=5)  # the state overrides these
    assert same_tensors(whole.state_path, parts.state_path)
    info = read_bundle(whole.bundle_path)
    assert info.generator_config.c_dim == 2
    D = load_discriminator(info)
    assert D is not None
    assert D.config.c_dim == 2
    before, after = conditional_networks()[0].mapping, load_generator(info).mapping
    assert not torch.equal(before.embed.weight, after.embed.weight)


@pytest.mark.slow
def test_classes_can_be_distinguished(tmp_path: Path) -> None:
    """From networks that do not know them, in fifty steps."""
    dark, bright = mean_by_class(conditional_networks()[0])
    assert abs(bright - dark) < 0.1
    options = replace(
        SHORT, total_kimg=0.4, tick_kimg=0.4, snapshot_kimg=9.0, pl_weight=0.0, ada_target=0.0
    )
    options = replace(options, style_mixing_prob=0.0, lr=0.01, ema_kimg=0.05)
    run = train(tmp_path / "run", options)
    dark, bright = mean_by_class(load_generator(read_bundle(run.bundle_path)))
    assert bright - dark > 0.5  # of 1.37 between the images


@TORCHSCRIPT
def test_what_does_not_fit_is_one_sentence(network: Path, tmp_path: Path) -> None:
    run, (G, D) = RunFolder(tmp_path / "run"), conditional_networks()
    with pytest.raises(ValueError, match="2 classes and the images none"):
        train_generator(SHORT, G, D, images(), run)
    with pytest.raises(ValueError, match="ignore labels"):
        train_generator(SHORT, G, None, two_classes(), run, P=tiny_projected(network))
    with pytest.raises(ValueError, match="discriminator has 3 classes and the generator 2"):
        train_generator(SHORT, G, conditional_networks(3)[1], two_classes(), run)


class TestInpainter:
    def model(self) -> tuple[InpaintingModel, Discriminator]:
        """Around a generator of two classes."""
        G, D = conditional_networks()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = make_model(replace(tiny_model().config, generator=G.config), G)
        model.estimate_w_statistics()
        return model, D

    @pytest.mark.slow
    def test_its_discriminator_sees_the_classes(self, tmp_path: Path) -> None:
        """Those of generated images, and of photographs."""
        model, D = self.model()
        seen: list[Tensor] = []
        D.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
        perceptual = PerceptualLoss(discriminator_features(conditional_networks(seed=3)[1]))
        options = replace(FILL, total_kimg=0.016, real_fraction=1.0, r1_interval=2)
        options = replace(options, d_warmup_kimg=0.0, ramp_kimg=0.0)
        before = D.mapping.embed.weight.detach().clone()
        run = RunFolder(tmp_path / "run")
        data = two_classes()
        train_inpainter(options, model, D, perceptual, run, images=data)
        assert not torch.equal(D.mapping.embed.weight, before)
        # At first without weight: D twice, R1. Then the fills, and D twice.
        fakes, whole, smoothed, composites, later_fakes, later_whole = seen
        index, _ = Sampler(len(data), options.seed).draw(0, 8)
        assert torch.equal(fakes[8:], data.labels(index))
        assert torch.equal(whole, data.labels(index))
        assert torch.equal(smoothed, whole)
        index, _ = Sampler(len(data), options.seed).draw(8, 8)
        assert torch.equal(composites[8:], data.labels(index))
        assert torch.equal(later_fakes, composites)
        assert torch.equal(later_whole, data.labels(index))
        assert read_bundle(run.bundle_path).generator_config.c_dim == 2

    def test_photographs_without_classes_are_refused(self, tmp_path: Path) -> None:
        model, D = self.model()
        options, folder = replace(FILL, real_fraction=0.5), RunFolder(tmp_path)
        perceptual = PerceptualLoss(discriminator_features(D))
        with pytest.raises(ValueError, match="2 classes and the real images none"):
            train_inpainter(options, model, D, perceptual, folder, images=images())


class TestCommand:
    def command(self, *more: str | Path) -> list[str]:
        text = "train generator --preset tiny --device cpu --threads 1 --batch-size 8"
        text += " --tick-kimg 0.008 --total-kimg 0.016"
        return [*text.split(), *map(str, more)]

    @pytest.mark.slow
    def test_from_a_zip_to_samples_and_on(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data, first, second = labeled_zip(tmp_path / "a.zip"), tmp_path / "1", tmp_path / "2"
        assert main(self.command("--data", data, "--cond", "--out", first)) == 0
        assert "the images have 2 classes" in capsys.readouterr().out
        (line,) = (first / "options.jsonl").read_text("utf-8").splitlines()
        assert json.loads(line)["generator"]["c_dim"] == 2
        start = ("--from", first / "bundle", "--data", data, "--cond", "--out", second)
        assert main(self.command(*start, "--total-kimg", "0.032")) == 0
        info = read_bundle(second / "bundle")
        assert info.card.trained_kimg == 0.032
        assert info.generator_config.c_dim == 2

        (first / "bundle" / "discriminator.safetensors").unlink()  # a new one has classes too
        document = (first / "bundle" / "model.yaml").read_text("utf-8")
        before, _, rest = document.partition("discriminator:")
        kept = rest.split("\n", 1)[1].splitlines()
        while kept and kept[0].startswith((" ", "-")):
            kept.pop(0)
        (first / "bundle" / "model.yaml").write_text(before + "\n".join(kept), "utf-8")
        start = (*start[:-1], tmp_path / "3")
        assert main(self.command(*start, "--total-kimg", "0.024")) == 0
        found = read_bundle(tmp_path / "3" / "bundle").discriminator
        assert found is not None
        assert (found.c_dim, found.cmap_dim) == (2, found.channels[0])

        def complaint(*more: str | Path) -> str:
            capsys.readouterr()
            assert main(self.command("--out", tmp_path / "x", *more)) == 2
            error = capsys.readouterr().err
            assert error.count("\n") == 1
            return error

        bundle = first / "bundle"
        assert "2 classes: give --cond" in complaint("--from", bundle, "--data", data)
        plain = tmp_path / "plain"
        assert main(self.command("--data", data, "--out", plain, "--total-kimg", "0.008")) == 0
        more = ("--data", data, "--cond")
        assert "without classes: leave out" in complaint("--from", plain / "bundle", *more)
        assert "without classes: leave out" in complaint("--grow-from", plain / "bundle", *more)
        three = tmp_path / "three.zip"
        with zipfile.ZipFile(data) as old, zipfile.ZipFile(three, "w") as new:
            new.writestr("00.png", old.read("00.png"))
            new.writestr("dataset.json", '{"labels": [["00.png", 2]]}')
        more = ("--data", three, "--cond")
        assert "2 classes and the images have 3" in complaint("--from", bundle, *more)
        heads = ("--feature-networks", "lite0.pt")
        assert "give --with-discriminator too" in complaint(*more, *heads)
        with zipfile.ZipFile(data) as old, zipfile.ZipFile(three, "w") as new:
            new.writestr("00.png", old.read("00.png"))
        assert "has no labels" in complaint("--from", bundle, *more)
        assert not (tmp_path / "x").exists()

    @pytest.mark.slow
    def test_an_inpainter_around_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        G, D = conditional_networks()
        bundle = save_bundle(tmp_path / "g", G, Card("g"), discriminator=D).folder
        data, out = labeled_zip(tmp_path / "a.zip"), tmp_path / "fill"
        command = ["train", "inpainter", "--generator", str(bundle), "--preset", "tiny"]
        command += ["--device", "cpu", "--total-kimg", "0.016", "--real-fraction", "0.5"]
        assert main([*command, "--data", str(data), "--out", str(out)]) == 0
        assert read_bundle(out / "bundle").discriminator == D.config

        bare = tmp_path / "bare"
        bare.mkdir()
        with zipfile.ZipFile(data) as file:
            file.extract("00.png", bare)
        capsys.readouterr()
        assert main([*command, "--data", str(bare), "--out", str(out)]) == 2
        error = capsys.readouterr().err
        assert "has no labels; put a dataset.json" in error
        assert error.count("\n") == 1
