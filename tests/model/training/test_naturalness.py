"""Fitting what judges the naturalness of fills: the pairs, what is learned, and the bundle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from inpaint_model.bundle.manifest import BundleError, Card, read_bundle
from inpaint_model.bundle.weights import NATURALNESS, load_naturalness
from inpaint_model.bundle.writer import add_naturalness, save_bundle
from inpaint_model.cli.main import main
from inpaint_model.data.sampler import Sampler
from inpaint_model.inference.inpainter import load_bundle
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.naturalness_head import NaturalnessHead
from inpaint_model.networks.recognition_network import FEATURES
from inpaint_model.training.naturalness import Pairs, fit, pairs_of
from PIL import Image
from short_trainings import images
from torch import Tensor


def synthetic(count: int, seed: int = 0) -> Pairs:
    """Return features of which the first 100 are higher in images, and the others only vary."""
    rng = torch.Generator().manual_seed(seed)
    shown, filled = torch.randn(2, count, FEATURES, generator=rng)
    shown[:, :100] += 0.7
    return Pairs(10 * shown + 3, 10 * filled + 3)  # features need no scale of their own


def test_it_learns_what_differs() -> None:
    fitted = fit(synthetic(400))
    assert fitted.right > 0.8
    assert float(fitted.head.weight[:100].mean()) > 10 * float(
        fitted.head.weight[100:].abs().mean()
    )
    unseen = synthetic(400, seed=1)
    natural = fitted.head(unseen.fills)
    assert float(natural.mean()) == pytest.approx(0.5, abs=0.1)
    assert float(natural.std()) == pytest.approx(0.29, abs=0.08)  # as evenly spread shares
    assert float((fitted.head(unseen.images) > natural).float().mean()) > 0.8


def test_what_does_not_vary_does_no_harm() -> None:
    pairs = synthetic(50)
    for features in pairs:
        features[:, 100:] = 5.0
    assert fit(pairs).right > 0.7


def test_too_few_images_are_refused() -> None:
    with pytest.raises(ValueError, match="9 images are too few; give at least 10"):
        fit(synthetic(9))


def test_pairs_follow_from_the_seed_and_differ_only_in_the_hole() -> None:
    shown = images(6, 64)

    def copied(image: Tensor, hole: Tensor, seed: int) -> Tensor:
        assert set(hole.unique().tolist()) <= {0, 1}
        return image

    def black(image: Tensor, hole: Tensor, seed: int) -> Tensor:
        return torch.full_like(image, -1)

    same = pairs_of(shown, Sampler(6, 0), 2, 0, copied)
    torch.testing.assert_close(same.images, same.fills, atol=0.02, rtol=0.02)
    other = pairs_of(shown, Sampler(6, 0), 2, 0, black)
    assert torch.equal(same.images, other.images)
    assert not torch.allclose(other.images, other.fills, atol=0.02)


def faces(folder: Path) -> Path:
    folder.mkdir()
    for k, pixels in enumerate(images(8, 64).pixels):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(folder / f"{k}.png")
    return folder


@pytest.mark.slow
def test_the_command_adds_it_and_leaves_the_weights_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle"
    before = save_bundle(bundle, tiny_model(resolution=64), Card("test"))
    command = ["train", "naturalness", "--bundle", str(bundle), "--images", "10"]
    command += ["--data", str(faces(tmp_path / "faces")), "--device", "cpu"]
    assert main([*command, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 10
    assert main(command) == 0
    assert "now judges how natural its fills look" in capsys.readouterr().out
    after = read_bundle(bundle)
    assert after.weights_sha256 == before.weights_sha256  # earlier fills can still be edited
    assert after.naturalness is not None
    assert 0 <= after.naturalness <= 1
    head = load_naturalness(after)
    assert head is not None
    features = torch.zeros(1, FEATURES)
    assert load_bundle(bundle).assessor.naturalness(features) == pytest.approx(
        float(head(features))
    )


def test_other_alignments_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = save_bundle(tmp_path / "bundle", tiny_model(), Card("cats", alignment="cats")).folder
    command = ["train", "naturalness", "--bundle", str(bundle), "--data", str(tmp_path)]
    assert main(command) == 2
    assert "only of faces in the alignment 'ffhq'" in capsys.readouterr().err


def test_a_bundle_without_it_judges_nothing_and_a_missing_file_is_reported(tmp_path: Path) -> None:
    saved = save_bundle(tmp_path / "bundle", tiny_model(), Card("test"))
    assert load_naturalness(saved) is None
    added = add_naturalness(saved.folder, NaturalnessHead(), 0.9)
    assert added.naturalness == 0.9
    (saved.folder / NATURALNESS).unlink()
    with pytest.raises(BundleError, match=f"has no {NATURALNESS}"):
        load_naturalness(added)
