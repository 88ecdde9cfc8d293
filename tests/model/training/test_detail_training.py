"""Training of the detail network: its examples, what it learns, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.bundle.manifest import BundleError, Card, read_bundle
from inpaint_model.bundle.weights import load_detail
from inpaint_model.bundle.writer import add_detail, save_bundle
from inpaint_model.cli.main import main
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.sampler import Sampler
from inpaint_model.inference.inpainter import load_bundle
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.detail_network import DetailConfig, DetailNetwork
from inpaint_model.training.detail.examples import (
    DetailInputs,
    as_filled,
    edge_preserving,
    specks,
)
from inpaint_model.training.detail.loop import train_detail
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import DetailTraining
from PIL import Image
from short_trainings import images, reached_kimg, same_tensors
from tiny_feature_networks import tiny_feature_network, tiny_projected

SMALL = DetailConfig(widths=(16, 16), blocks=1)
SHORT = DetailTraining(total_kimg=0.032, batch_size=4, crop=32, snapshot_kimg=0.016, ema_kimg=0.01)


def stripes(count: int = 8, side: int = 64) -> ImageSet:
    """Return images of fine lines, which are lost at half the size, over soft colors."""
    rng = torch.Generator().manual_seed(0)
    soft = F.interpolate(torch.rand(count, 3, 4, 4, generator=rng), (side, side), mode="bicubic")
    lines = torch.tensor([0.25, -0.25]).repeat(side // 2)
    pixels = (((soft + lines).clamp(0, 1)) * 255).round().to(torch.uint8)
    return ImageSet(tuple(f"{k}.png" for k in range(count)), pixels)


def test_examples_follow_from_the_seed_and_the_place() -> None:
    shown = images(24, 64)
    inputs = DetailInputs(shown, Sampler(len(shown), 1), 32, seed=1)
    one, again, later = inputs(8, 4), inputs(8, 4), inputs(12, 4)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.document, later.document)
    assert [x.shape for x in one] == [(4, 3, 32, 32), (4, 1, 32, 32), (4, 3, 16, 16)]
    assert float(one.document.abs().max()) <= 1
    assert set(one.hole.unique().tolist()) <= {0.0, 1.0}


def test_fills_are_flatter_than_documents_but_keep_their_colors() -> None:
    document = stripes(16).batch(torch.arange(16))
    fill = as_filled(document, torch.Generator().manual_seed(1))
    low = F.avg_pool2d(document, 2)
    assert fill.shape == (16, 3, 32, 32)
    assert float((F.avg_pool2d(fill, 8) - F.avg_pool2d(low, 8)).abs().mean()) < 0.05


def test_edges_stay_and_texture_goes() -> None:
    x = torch.arange(32.0)
    edge = torch.where(x < 16, -0.5, 0.5).expand(1, 1, 32, 32)
    texture = 0.02 * torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    flat = edge_preserving(edge + texture, torch.tensor(0.1).reshape(1, 1, 1, 1))
    inside = flat[..., 4:12]
    assert float(inside.std()) < 0.4 * float(texture.std())
    assert float((flat[..., 16] - flat[..., 15]).mean()) > 0.8


def test_specks_are_gray_and_only_in_places() -> None:
    drawn = specks(torch.Size((8, 3, 64, 64)), torch.Generator().manual_seed(0))
    chroma = (drawn - drawn.mean(1, keepdim=True)).std()
    assert float(chroma) < 0.3 * float(drawn.std())
    assert 0.05 < float((drawn.abs().amax(1) > 0).float().mean()) < 0.4


@pytest.mark.slow
def test_it_learns_detail_that_the_surroundings_show(tmp_path: Path) -> None:
    options = DetailTraining(total_kimg=1.2, batch_size=8, crop=32, snapshot_kimg=1.2, lr=0.003)
    shown = stripes()
    network = train_detail(options, SMALL, shown, RunFolder(tmp_path))
    inputs = DetailInputs(shown, Sampler(len(shown), 0), 32, 0)
    with torch.no_grad():
        document, hole, fill = inputs(100_000, 32)
        plain = F.interpolate(fill, scale_factor=2.0, mode="bicubic")
        errors = [
            float((hole * (made - document).abs()).sum())
            for made in (plain, network(fill, document, hole))
        ]
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.slow
def test_a_stopped_training_continues_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    network_file = tiny_feature_network(tmp_path / "n.pt")
    seen: list[float] = []
    for run, lengths in (("once", [0.032]), ("twice", [0.016, 0.032])):
        for kimg in lengths:
            options = DetailTraining(**(vars(SHORT) | {"total_kimg": kimg}))
            train_detail(
                options,
                SMALL,
                images(24, 64),
                RunFolder(tmp_path / run),
                P=tiny_projected(network_file),
                on_snapshot=lambda _, __, at: seen.append(at),
            )
        assert reached_kimg(tmp_path / run) == 0.032
    assert same_tensors(*(tmp_path / run / "state.safetensors" for run in ("once", "twice")))
    assert seen == [0.016, 0.032] * 2
    records = (tmp_path / "once" / "stats.jsonl").read_text().splitlines()
    assert {"loss_pixels", "loss_features", "loss_heads"} <= json.loads(records[-1]).keys()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return save_bundle(tmp_path / "bundle", tiny_model(), Card("test"), dtype="fp16").folder


def test_a_bundle_keeps_a_detail_network_beside_its_weights(bundle: Path) -> None:
    before = read_bundle(bundle)
    assert load_detail(before) is None
    assert load_bundle(bundle).detail is None
    network = DetailNetwork(SMALL)
    torch.nn.init.normal_(network.head.weight)
    after = add_detail(bundle, network)
    assert after.weights_sha256 == before.weights_sha256, "older fills can still be opened"
    read = load_detail(after)
    assert read is not None
    assert read.config == SMALL
    for name, value in network.state_dict().items():
        assert torch.allclose(read.state_dict()[name], value, atol=1e-2)
    assert load_bundle(bundle).detail is not None


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "has no detail.safetensors"),
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "is damaged"),
        (lambda path: path.write_bytes(b"{}"), "is damaged"),
    ],
)
def test_a_damaged_detail_network_is_named(bundle: Path, damage: object, reason: str) -> None:
    info = add_detail(bundle, DetailNetwork(SMALL))
    assert callable(damage)
    damage(bundle / "detail.safetensors")
    with pytest.raises(BundleError, match=reason):
        load_detail(info)


def test_sizes_that_do_not_match_are_named(bundle: Path) -> None:
    add_detail(bundle, DetailNetwork(SMALL))
    path = bundle / "model.yaml"
    path.write_text(path.read_text().replace("- 16\n  - 16", "- 16\n  - 24"))
    with pytest.raises(BundleError, match="has shape"):
        load_detail(read_bundle(bundle))


@pytest.mark.slow
def test_the_command_adds_the_network_and_draws_sheets(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "images"
    data.mkdir()
    for k, pixels in enumerate(stripes().pixels):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(data / f"{k}.png")
    command = ["train", "detail", "--bundle", str(bundle), "--data", str(data), "--side", "64"]
    command += ["--out", str(tmp_path / "run"), "--crop", "32", "--batch-size", "4"]
    command += ["--total-kimg", "0.008", "--snapshot-kimg", "0.004", "--device", "cpu"]
    command += ["--feature-networks", str(tiny_feature_network(tmp_path / "n.pt"))]
    assert main([*command, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["crop"] == 32
    assert main(command) == 0
    assert "can now add detail" in capsys.readouterr().out
    assert load_bundle(bundle).detail is not None
    with Image.open(tmp_path / "run" / "detail000000.png") as sheet:
        assert sheet.width == sheet.height, "four images, four columns"
    again = [*command, "--out", str(tmp_path / "more"), "--total-kimg", "0", "--init", str(bundle)]
    before = load_detail(read_bundle(bundle))
    assert main(again) == 0
    after = load_detail(read_bundle(bundle))
    assert before is not None
    assert after is not None
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.state_dict().values(), after.state_dict().values(), strict=True)
    )
    assert main([*command, "--crop", "96"]) == 2
    assert "give --side 96 or more" in capsys.readouterr().err
