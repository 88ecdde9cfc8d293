"""Files that the published classes wrote, and what these classes compute: no reading of ours."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.bundle.manifest import Card, read_bundle
from inpaint_model.bundle.weights import load_discriminator
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.importing import CheckpointError, import_checkpoint
from inpaint_model.networks.discriminator import Discriminator

PUBLISHED = Path(__file__).parent / "published"
TOLERANCE = 1e-5  # norm of the difference over norm of the reference


def outputs(name: str) -> dict[str, torch.Tensor]:
    with np.load(PUBLISHED / f"{name}.npz", allow_pickle=False) as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in arrays}


def error(output: torch.Tensor, expected: torch.Tensor) -> float:
    return float((output.detach() - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", ["clamped", "clamped-labels"])
def test_networks_trained_in_half_precision(name: str) -> None:
    checkpoint, out = import_checkpoint(PUBLISHED / f"{name}.pkl"), outputs(name)
    labels = out["c"] if out["c"].shape[1] else None
    generator, discriminator = checkpoint.generator, checkpoint.discriminator
    assert error(generator.mapping(out["z"], labels, truncation_psi=0.7), out["ws"]) < TOLERANCE
    assert error(generator.synthesis(out["ws"], noise_mode="const"), out["image"]) < TOLERANCE
    assert discriminator is not None
    assert error(discriminator(out["image"], labels), out["logits"]) < TOLERANCE
    assert discriminator.config.mbstd_group_size == 2
    assert checkpoint.source.precision == "stored in float32, computed in fp16 from 8 px up"

    # The skips matter: with a clamp on them, as bundles of format 1 have it, it is another network.
    other = Discriminator(dataclasses.replace(discriminator.config, clamp_skip=True))
    other.load_state_dict(discriminator.state_dict())
    assert error(other(out["image"], labels), out["logits"]) > 0.1


@pytest.mark.parametrize(("clamp_skip", "number"), [(False, 2), (True, 1)])
def test_bundles_keep_what_the_skips_are(tmp_path: Path, clamp_skip: bool, number: int) -> None:
    checkpoint, out = import_checkpoint(PUBLISHED / "clamped.pkl"), outputs("clamped")
    assert checkpoint.discriminator is not None
    config = dataclasses.replace(checkpoint.discriminator.config, clamp_skip=clamp_skip)
    discriminator = Discriminator(config)
    discriminator.load_state_dict(checkpoint.discriminator.state_dict())
    card = Card("faces")
    info = save_bundle(tmp_path / "b", checkpoint.generator, card, discriminator=discriminator)
    text = (tmp_path / "b/model.yaml").read_text("utf-8")
    assert f"format: {number}\n" in text
    assert ("clamp_skip" in text) == (number == 2)  # a key that readers of format 1 do not know
    read = load_discriminator(info)
    assert read is not None
    assert read.config == config
    with torch.no_grad():
        assert error(read(out["image"]), discriminator(out["image"])) < TOLERANCE


def test_bundles_without_clamps_stay_of_format_1(tmp_path: Path) -> None:
    checkpoint = import_checkpoint(PUBLISHED / "clamped.pkl")
    assert checkpoint.discriminator is not None
    config = dataclasses.replace(checkpoint.discriminator.config, conv_clamp=None)
    card, D = Card("faces"), Discriminator(config)
    info = save_bundle(tmp_path / "b", checkpoint.generator, card, discriminator=D)
    assert "format: 1\n" in (tmp_path / "b/model.yaml").read_text("utf-8")
    assert info.discriminator == read_bundle(tmp_path / "b").discriminator == config


@pytest.mark.parametrize("name", ["stylegan3-t", "stylegan3-r"])
def test_alias_free_generators_are_refused(name: str) -> None:
    with pytest.raises(CheckpointError) as raised:
        import_checkpoint(PUBLISHED / f"{name}.pkl")
    assert str(raised.value).endswith(
        ": holds a StyleGAN3 generator (alias-free); only StyleGAN2 can be used"
    )
