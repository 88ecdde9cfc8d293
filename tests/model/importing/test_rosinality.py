from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import slow_stylegan2 as slow
import torch
from checkpoint_files import state_dict, write_torch
from foreign_networks import Sizes, Tensors, rosinality_discriminator, rosinality_generator
from inpaint_model.importing import CheckpointError, import_checkpoint

TINY = Sizes()


def close(output: torch.Tensor, expected: torch.Tensor) -> bool:
    expected = expected.to(output.dtype)
    return bool((output - expected).norm() <= 1e-5 * expected.norm())


def latents(sizes: Sizes, count: int = 4) -> torch.Tensor:
    return torch.randn(count, sizes.w_dim, generator=torch.Generator().manual_seed(5))


def training_checkpoint(g: Tensors, d: Tensors) -> dict[str, object]:
    """What train.py saves: optimizers, options as an argparse.Namespace, and no mean latent."""
    adam = {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(4)}},
        "param_groups": [{"lr": 0.002, "betas": (0.0, 0.99), "params": [0], "amsgrad": False}],
    }
    return {
        "g": state_dict(rosinality_generator(TINY, seed=9)),
        "d": state_dict(d),
        "g_ema": state_dict(g),
        "g_optim": adam,
        "d_optim": adam,
        "args": argparse.Namespace(size=32, lr=0.002, path="faces", augment=False, ckpt=None),
        "ada_aug_p": 0.0,
    }


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("resolution", [32, 256])
def test_converted_files(tmp_path: Path, legacy: bool, resolution: int) -> None:
    sizes = Sizes(resolution, (8, 8, 6, 4, 3, 3, 2)[: resolution.bit_length() - 2])
    g, d = rosinality_generator(sizes), rosinality_discriminator(sizes)
    w_avg = torch.linspace(-1, 1, sizes.w_dim)
    value = {"g_ema": state_dict(g), "d": state_dict(d), "latent_avg": w_avg}
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value, legacy=legacy))
    ws = checkpoint.generator.mapping(latents(sizes))
    assert close(ws[:, 0], torch.stack([slow.rosinality_map(g, z) for z in latents(sizes)]))
    images = torch.stack([slow.rosinality_synthesize(g, x, resolution) for x in ws])
    assert close(checkpoint.generator.synthesis(ws), images)
    assert checkpoint.discriminator is not None
    assert close(checkpoint.discriminator(images.float()), slow.rosinality_discriminate(d, images))
    assert torch.equal(checkpoint.generator.mapping.w_avg, w_avg)
    assert checkpoint.source.notes == ()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_training_checkpoints(tmp_path: Path, legacy: bool) -> None:
    g, d = rosinality_generator(TINY), rosinality_discriminator(TINY)
    path = write_torch(tmp_path / "x.pt", training_checkpoint(g, d), legacy=legacy)
    checkpoint = import_checkpoint(path)
    ws = checkpoint.generator.mapping(latents(TINY, 1))
    assert close(checkpoint.generator.synthesis(ws)[0], slow.rosinality_synthesize(g, ws[0], 32))
    assert checkpoint.discriminator is not None
    assert "10,000 samples" in checkpoint.source.notes[0]


def test_the_estimated_mean_is_the_mean_of_w(tmp_path: Path) -> None:
    g = rosinality_generator(TINY)
    path = write_torch(tmp_path / "x.pt", {"g_ema": state_dict(g)})
    first, second = (import_checkpoint(path).generator.mapping for _ in range(2))
    assert torch.equal(first.w_avg, second.w_avg)  # a fixed seed
    z = torch.randn(10_000, TINY.w_dim, generator=torch.Generator().manual_seed(77))
    w = first(z)[:, 0]
    error = (first.w_avg - w.mean(0)) / (w.std(0) / 10_000**0.5)
    assert float(error.abs().max()) < 6  # standard errors of a mean of as many samples


@pytest.mark.parametrize("styles", [1, 8])
def test_psp_files(tmp_path: Path, styles: int) -> None:
    g = rosinality_generator(TINY)
    w_avg = torch.linspace(-1, 1, TINY.w_dim)
    value = {
        "state_dict": {
            **{f"decoder.{name}": tensor for name, tensor in g.items()},
            "encoder.input_layer.0.weight": torch.zeros(4, 3, 3, 3),
            "encoder.body.0.num_batches_tracked": torch.tensor(7),
        },
        "latent_avg": w_avg.repeat(styles, 1),
        "opts": {"stylegan_size": 32, "start_from_latent_avg": True, "lr": 1e-4},
    }
    checkpoint = import_checkpoint(write_torch(tmp_path / "psp.pt", value))
    ws = checkpoint.generator.mapping(latents(TINY, 1))
    assert close(checkpoint.generator.synthesis(ws)[0], slow.rosinality_synthesize(g, ws[0], 32))
    assert torch.equal(checkpoint.generator.mapping.w_avg, w_avg)
    assert checkpoint.discriminator is None
    assert checkpoint.source.format == "psp"


def test_a_mean_that_differs_from_style_to_style_is_estimated_anew(tmp_path: Path) -> None:
    g = rosinality_generator(TINY)
    value = {"g_ema": state_dict(g), "latent_avg": torch.randn(8, TINY.w_dim)}
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value))
    assert "10,000 samples" in checkpoint.source.notes[0]


def test_early_files_without_noises(tmp_path: Path) -> None:
    g = {n: t for n, t in rosinality_generator(TINY).items() if not n.startswith("noises.")}
    value = {"g_ema": state_dict(g), "latent_avg": torch.zeros(TINY.w_dim)}
    checkpoint = import_checkpoint(write_torch(tmp_path / "x.pt", value))
    ws = checkpoint.generator.mapping(latents(TINY, 1))
    silent = checkpoint.generator.synthesis(ws, noise_mode="none")[0]
    assert close(silent, slow.rosinality_synthesize(g, ws[0], 32))
    assert checkpoint.source.notes == ("it holds no noise; drew one from a fixed seed",)


def test_a_bare_state_dict_and_views_of_larger_storages(tmp_path: Path) -> None:
    g = rosinality_generator(TINY)
    g["style.1.weight"] = torch.stack([g["style.1.weight"]] * 3, dim=2)[:, :, 1]  # strided
    generator = import_checkpoint(write_torch(tmp_path / "x.pt", state_dict(g))).generator
    assert torch.equal(generator.mapping.get_parameter("fc0.weight"), g["style.1.weight"])


def broken(change: str) -> dict[str, object]:
    g = rosinality_generator(TINY)
    value: dict[str, object] = {"g_ema": g, "latent_avg": torch.zeros(12)}
    if change == "kernel":
        g["convs.0.conv.blur.kernel"] = torch.ones(4, 4) / 4
    elif change == "missing":
        del g["to_rgbs.2.bias"]
    elif change == "noise":
        g["noises.noise_3"] = torch.zeros(1, 1, 8, 8)
    elif change == "layout":
        g["conv1.noise.weight"] = torch.zeros(2)
    elif change == "infinite":
        g["conv1.conv.weight"][0, 0, 0, 0, 0] = torch.inf
    elif change == "value":
        value["g_ema"] = {**g, "conv1.noise.weight": [1.0]}
    elif change == "mean":
        value["latent_avg"] = torch.zeros(13)
    elif change == "fork":
        g["convs.0.attention.weight"] = torch.zeros(3)
    elif change == "discriminator":
        value["d"] = {"convs.0.0.weight": torch.zeros(4, 3, 1, 1)}
    return value


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("kernel", "filters with another low-pass"),
        ("missing", "lacks the tensor to_rgbs.2.bias"),
        ("noise", "has the tensor synthesis.b16.conv0.noise_const of its generator in the shape"),
        ("layout", "has the tensor conv1.noise.weight wrong: it has the shape [2]"),
        ("infinite", "has values in the tensor synthesis.b4.conv1.weight that are not finite"),
        ("value", "has 'list' in place of the tensor 'conv1.noise.weight'"),
        ("mean", "has the tensor mapping.w_avg of its generator in the shape [13]"),
        ("fork", "has 'convs.0.attention.weight', which no StyleGAN2 generator has"),
        ("discriminator", "lacks the tensor convs.0.1.bias of its discriminator"),
    ],
)
def test_what_is_not_a_generator_is_refused(tmp_path: Path, change: str, reason: str) -> None:
    path = write_torch(tmp_path / "x.pt", broken(change))
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(path)
    assert str(raised.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(raised.value)
