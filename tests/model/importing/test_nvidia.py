from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slow_stylegan2 as slow
import torch
from checkpoint_files import write_nvidia
from foreign_networks import Sizes, nvidia_discriminator, nvidia_generator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_model.importing import CheckpointError, import_checkpoint

TINY = Sizes()
LABELED = Sizes(c_dim=3, z_dim=10)


def close(output: torch.Tensor, expected: torch.Tensor) -> bool:
    expected = expected.to(output.dtype)
    return bool((output - expected).norm() <= 1e-5 * expected.norm())


def latents(sizes: Sizes, count: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    source = torch.Generator().manual_seed(5)
    z = torch.randn(count, sizes.z_dim, generator=source)
    c = torch.eye(sizes.c_dim)[torch.arange(count) % sizes.c_dim] if sizes.c_dim else None
    return z, c


@pytest.mark.parametrize("sizes", [TINY, LABELED], ids=["plain", "labels"])
@pytest.mark.parametrize("conv_clamp", [None, 1.5], ids=["fp32", "clamped"])
@pytest.mark.parametrize("old", [False, True], ids=["new", "old"])
def test_both_networks_compute_what_the_file_describes(
    tmp_path: Path, sizes: Sizes, conv_clamp: float | None, old: bool
) -> None:
    g, d = nvidia_generator(sizes), nvidia_discriminator(sizes)
    path = write_nvidia(
        tmp_path / "x.pkl",
        g,
        d,
        conv_clamp=conv_clamp,
        num_fp16_res=4 if conv_clamp else 0,
        old=old,
        protocol=3 if old else 4,
    )
    checkpoint = import_checkpoint(path)
    z, c = latents(sizes, 4)
    ws = checkpoint.generator.mapping(z, c)
    labels = [None] * 4 if c is None else list(c)
    w = [slow.nvidia_map(g, *pair, sizes.lr_multiplier) for pair in zip(z, labels, strict=True)]
    assert close(ws[:, 0], torch.stack(w))
    images = torch.stack([slow.nvidia_synthesize(g, x, 32, clamp=conv_clamp) for x in ws])
    assert close(checkpoint.generator.synthesis(ws), images)
    silent = slow.nvidia_synthesize(g, ws[0], 32, noise=False, clamp=conv_clamp)
    assert close(checkpoint.generator.synthesis(ws[:1], noise_mode="none")[0], silent)
    assert checkpoint.discriminator is not None
    logits = slow.nvidia_discriminate(d, images, c, conv_clamp)
    assert close(checkpoint.discriminator(images.float(), c), logits)


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_channel_table_and_resolution(tmp_path: Path, data: st.DataObject) -> None:
    resolution = data.draw(st.sampled_from([32, 64, 128]))
    count = resolution.bit_length() - 2
    widths = st.integers(1, 9)
    sizes = Sizes(
        resolution=resolution,
        channels=tuple(data.draw(st.lists(widths, min_size=count, max_size=count))),
        z_dim=data.draw(widths),
        w_dim=data.draw(widths),
        c_dim=data.draw(st.integers(0, 2)),
        layers=data.draw(st.integers(1, 9)),
        lr_multiplier=data.draw(st.sampled_from([0.01, 0.1, 1.0])),
    )
    g = nvidia_generator(sizes)
    path = write_nvidia(tmp_path / "x.pkl", g, lr_multiplier=sizes.lr_multiplier)
    generator = import_checkpoint(path).generator
    z, c = latents(sizes, 1)
    w = slow.nvidia_map(g, z[0], None if c is None else c[0], sizes.lr_multiplier)
    ws = generator.mapping(z, c)
    assert close(ws[0, 0], w)
    assert close(generator.synthesis(ws)[0], slow.nvidia_synthesize(g, ws[0], resolution))


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [512, 1024])
def test_large_resolutions(tmp_path: Path, resolution: int) -> None:
    sizes = Sizes(resolution=resolution, channels=(3,) * (resolution.bit_length() - 2))
    g = nvidia_generator(sizes)
    generator = import_checkpoint(write_nvidia(tmp_path / "x.pkl", g)).generator
    ws = generator.mapping(latents(sizes, 1)[0])
    assert generator.config.num_ws == {512: 16, 1024: 18}[resolution]
    assert close(generator.synthesis(ws)[0], slow.nvidia_synthesize(g, ws[0], resolution))


def test_truncation_draws_towards_the_stored_mean(tmp_path: Path) -> None:
    g = nvidia_generator(TINY)
    mapping = import_checkpoint(write_nvidia(tmp_path / "x.pkl", g)).generator.mapping
    z, _ = latents(TINY, 3)
    expected = g["mapping.w_avg"] + 0.7 * (mapping(z) - g["mapping.w_avg"])
    assert close(mapping(z, truncation_psi=0.7), expected)
    assert close(mapping(z, truncation_psi=0.0)[0, 0], g["mapping.w_avg"])


def test_the_averaged_generator_is_taken(tmp_path: Path) -> None:
    averaged, raw = nvidia_generator(TINY, seed=1), nvidia_generator(TINY, seed=2)
    checkpoint = import_checkpoint(write_nvidia(tmp_path / "x.pkl", averaged, raw_generator=raw))
    const = checkpoint.generator.synthesis.block(4).const
    assert torch.equal(const, averaged["synthesis.b4.const"])
    assert checkpoint.discriminator is None
    assert checkpoint.source.notes == ()


def test_without_an_averaged_generator_the_raw_one_is_taken_with_a_note(tmp_path: Path) -> None:
    path = write_nvidia(tmp_path / "x.pkl", nvidia_generator(TINY), generator_key="G")
    assert "no averaged generator" in import_checkpoint(path).source.notes[0]


def test_minibatch_groups_are_those_of_the_file(tmp_path: Path) -> None:
    g, d = nvidia_generator(TINY), nvidia_discriminator(TINY, mbstd_channels=2)
    images = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    for group_size in (2, 3, None):
        path = write_nvidia(tmp_path / "x.pkl", g, d, group_size=group_size)
        discriminator = import_checkpoint(path).discriminator
        assert discriminator is not None
        logits = slow.nvidia_discriminate(d, images, group_size=group_size or 6)
        assert close(discriminator(images), logits)


def test_weights_in_half_precision_become_float32(tmp_path: Path) -> None:
    g = {name: tensor.half() for name, tensor in nvidia_generator(TINY).items()}
    generator = import_checkpoint(write_nvidia(tmp_path / "x.pkl", g)).generator
    assert {t.dtype for t in generator.state_dict().values()} == {torch.float32}
    ws = generator.mapping(latents(TINY, 1)[0])
    assert close(generator.synthesis(ws)[0], slow.nvidia_synthesize(g, ws[0], 32))


def test_networks_are_frozen(tmp_path: Path) -> None:
    generator = import_checkpoint(
        write_nvidia(tmp_path / "x.pkl", nvidia_generator(TINY))
    ).generator
    assert not generator.training
    assert not any(parameter.requires_grad for parameter in generator.parameters())


def test_the_embedded_source_never_runs(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    source = f"open({str(trap)!r}, 'w')\nraise SystemExit('ran')\n"
    path = write_nvidia(tmp_path / "x.pkl", nvidia_generator(TINY), module_src=source)
    import_checkpoint(path)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Sizes(64, (8, 8, 6, 4, 4)), "has a generator of 32 px but a discriminator of 64 px"),
        (LABELED, "has a generator of 0 classes but a discriminator of 3"),
    ],
)
def test_networks_must_belong_together(tmp_path: Path, other: Sizes, reason: str) -> None:
    g, d = nvidia_generator(TINY), nvidia_discriminator(other)
    with pytest.raises(CheckpointError, match=reason):
        import_checkpoint(write_nvidia(tmp_path / "x.pkl", g, d))


@pytest.mark.parametrize("clamp", [10**400, float("nan"), float("inf"), -1.0, "256", True, [256]])
def test_impossible_clamps(tmp_path: Path, clamp: Any) -> None:
    path = write_nvidia(tmp_path / "x.pkl", nvidia_generator(TINY), conv_clamp=clamp)
    with pytest.raises(CheckpointError, match="clamps its layers differently"):
        import_checkpoint(path)


def test_a_missing_mean_is_estimated(tmp_path: Path) -> None:
    g = nvidia_generator(TINY)
    del g["mapping.w_avg"]
    checkpoint = import_checkpoint(write_nvidia(tmp_path / "x.pkl", g))
    assert "estimated one" in checkpoint.source.notes[0]
    assert float(checkpoint.generator.mapping.w_avg.abs().sum()) > 0


def broken(change: str) -> dict[str, torch.Tensor]:
    g = nvidia_generator(TINY)
    if change == "missing":
        del g["synthesis.b8.conv0.bias"]
    elif change == "extra":
        g["synthesis.b8.conv0.extra"] = torch.zeros(1)
    elif change == "shape":
        g["synthesis.b16.conv1.weight"] = torch.zeros(6, 7, 3, 3)
    elif change == "nan":
        g["synthesis.b32.torgb.bias"] = torch.tensor([0.0, float("nan"), 0.0])
    elif change == "integers":
        g["mapping.fc0.bias"] = torch.zeros(12, dtype=torch.int64)
    elif change == "gray":
        g["synthesis.b32.torgb.weight"] = torch.zeros(1, 4, 1, 1)
    elif change == "small":
        g = {name: t for name, t in g.items() if not name.startswith("synthesis.b32")}
    elif change == "wide":
        g["synthesis.b4.conv1.affine.weight"] = torch.zeros(1, 1).expand(8, 9000)
    elif change == "empty":
        g["mapping.fc0.weight"] = torch.zeros(12, 0)
    return g


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("missing", "lacks the tensor synthesis.b8.conv0.bias"),
        ("extra", "has 'synthesis.b8.conv0.extra', which no StyleGAN2 generator has"),
        ("shape", "has the tensor synthesis.b16.conv1.weight of its generator in the shape"),
        ("nan", "has values in the tensor synthesis.b32.to_rgb.bias that are not finite"),
        ("integers", "has the tensor mapping.fc0.bias as torch.int64"),
        ("gray", "makes images of 1 channels"),
        ("small", "holds no StyleGAN2 generator of 32 to 1024 px"),
        ("wide", "has a layer of width 9000"),
        ("empty", "has a layer of width 0"),
    ],
)
def test_what_is_not_a_generator_is_refused(tmp_path: Path, change: str, reason: str) -> None:
    path = write_nvidia(tmp_path / "x.pkl", broken(change))
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(path)
    assert str(raised.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(raised.value)
