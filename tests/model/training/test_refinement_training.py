"""Training of the refinement network: its examples, what it learns, the command, and its bundle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.bundle.manifest import BundleError, Card, read_bundle
from inpaint_model.bundle.weights import load_model, load_refinement
from inpaint_model.bundle.writer import add_refinement, save_bundle
from inpaint_model.cli.main import main
from inpaint_model.data.sampler import Sampler
from inpaint_model.inference.freeze import freeze_for_inference
from inpaint_model.inference.inpainter import load_bundle
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.refinement_network import RefinementConfig, RefinementNetwork, strength
from inpaint_model.training.refinement.examples import FACE, RefinementInputs, selected
from inpaint_model.training.refinement.loop import Judges, train_refinement
from inpaint_model.training.run_folder import RunFolder
from inpaint_model.training.settings import RefinementTraining
from PIL import Image
from short_trainings import images, reached_kimg, same_tensors
from tiny_feature_networks import tiny_feature_network, tiny_projected

EYES = FACE[:2]
SMALL = RefinementConfig(widths=(8, 16), blocks=(1, 1))
CPU = torch.device("cpu")
SHORT = RefinementTraining(
    total_kimg=0.032, batch_size=4, crop=32, snapshot_kimg=0.016, ema_kimg=0.01
)


def inputs(
    places: tuple[tuple[float, float, float], ...] = EYES,
    side: int = 64,
    crop: int = 32,
    seed: int = 1,
) -> RefinementInputs:
    model = freeze_for_inference(tiny_model(resolution=side), CPU, "fp32")
    shown = images(24, side)
    return RefinementInputs(model, shown, Sampler(len(shown), 1), crop, seed, CPU, places)


def test_examples_follow_from_the_seed_and_the_moment() -> None:
    made = inputs()
    one, again, later = made(8, 4), made(8, 4), made(12, 4)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one.image, later.image)
    assert [x.shape for x in one[:3]] == [(4, 3, 32, 32), (4, 1, 32, 32), (4, 3, 32, 32)]
    assert set(one.hole.unique().tolist()) <= {0.0, 1.0}


def test_close_ups_lie_in_the_examples_and_mostly_in_the_hole() -> None:
    shown = inputs()(0, 64)
    assert int(shown.place.min()) >= 0
    assert int(shown.place.max()) <= 32 - 14
    close = shown.close(shown.hole)
    assert close.shape == (64, 1, 32, 32)
    middle = close[..., 8:24, 8:24].mean(dim=(1, 2, 3))
    assert float((middle > 0.45).float().mean()) > 0.7


def test_most_examples_show_the_places() -> None:
    """All images are bright at the height of one place."""
    made = inputs(places=((0.3, 0.6, 0.1),))
    pixels = torch.zeros_like(made.images.pixels)
    pixels[:, :, round(0.6 * 64) - 2 : round(0.6 * 64) + 2, :] = 255
    object.__setattr__(made.images, "pixels", pixels)
    near = made(0, 128)
    bright = near.close(near.image)[:, 0, 12:20].mean(dim=(1, 2)) > -0.5
    anywhere = inputs(places=())
    object.__setattr__(anywhere.images, "pixels", pixels)
    far = anywhere(0, 128)
    other = far.close(far.image)[:, 0, 12:20].mean(dim=(1, 2)) > -0.5
    assert float(bright.float().mean()) > float(other.float().mean()) + 0.2


def test_selections_are_ovals_over_some_of_the_places() -> None:
    generator = torch.Generator().manual_seed(0)
    holes = torch.stack([selected(EYES, 64, generator)[0] for _ in range(200)])
    assert set(holes.unique().tolist()) == {0.0, 1.0}
    left, right = (
        holes[:, 23:38, columns].mean(dim=(1, 2)) for columns in (slice(0, 32), slice(32, 64))
    )
    both, one = (left > 0) & (right > 0), (left > 0) ^ (right > 0)
    assert torch.equal(both | one, torch.ones(200, dtype=torch.bool)), "none is empty"
    assert 0.2 < float(one.float().mean()) < 0.6
    at = (torch.arange(64) + 0.5) / 64
    reach = torch.stack([torch.hypot(at - x, (at - y)[:, None]) / r for x, y, r in EYES])
    assert float(holes[:, reach.amin(dim=0) > 1.5].max()) == 0, "near the places only"
    assert float(holes.mean(dim=(1, 2)).max()) < 0.1
    sizes = holes.sum(dim=(1, 2))[one]
    assert float(sizes.max()) > 3 * float(sizes.min()), "of many sizes"


@pytest.mark.slow
def test_it_learns_to_be_closer_to_the_image(tmp_path: Path) -> None:
    options = RefinementTraining(
        total_kimg=1.2, batch_size=8, crop=32, snapshot_kimg=1.2, lr=0.003, lambda_colors=0.0
    )
    made = inputs()
    network = train_refinement(options, SMALL, made, RunFolder(tmp_path))
    image, hole, fill, where, _ = made(100_000, 32)
    with torch.no_grad():
        refined = network(fill, image * (1 - hole), hole, where)
    errors = [float((hole * (x - image).abs()).sum()) for x in (fill, refined)]
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.slow
def test_a_stopped_training_continues_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    network_file = tiny_feature_network(tmp_path / "n.pt")
    seen: list[float] = []
    for run, lengths in (("once", [0.032]), ("twice", [0.016, 0.032])):
        for kimg in lengths:
            train_refinement(
                RefinementTraining(**(vars(SHORT) | {"total_kimg": kimg})),
                SMALL,
                inputs(),
                RunFolder(tmp_path / run),
                judges=Judges(tiny_projected(network_file), tiny_projected(network_file, seed=1)),
                on_snapshot=lambda _, __, at: seen.append(at),
            )
        assert reached_kimg(tmp_path / run) == 0.032
    assert same_tensors(*(tmp_path / run / "state.safetensors" for run in ("once", "twice")))
    assert seen == [0.016, 0.032] * 2
    records = (tmp_path / "once" / "stats.jsonl").read_text().splitlines()
    wanted = {"loss_pixels", "loss_colors", "loss_features", "loss_heads"}
    assert wanted <= json.loads(records[-1]).keys()


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return save_bundle(tmp_path / "bundle", tiny_model(), Card("test"), dtype="fp16").folder


def drawing_network() -> RefinementNetwork:
    torch.manual_seed(0)
    network = RefinementNetwork(SMALL)
    torch.nn.init.normal_(network.head.weight, std=0.1)
    return network


def test_a_bundle_keeps_a_refinement_network_as_part_of_its_weights(bundle: Path) -> None:
    before = read_bundle(bundle)
    model = load_model(before).state_dict()
    assert load_refinement(before) is None
    network = drawing_network()
    after = add_refinement(bundle, network)
    assert after.weights_sha256 != before.weights_sha256, "its fills are others"
    assert after.generator_sha256 == before.generator_sha256
    read = load_refinement(after)
    assert read is not None
    assert read.config == SMALL
    for name, value in network.state_dict().items():
        assert torch.allclose(read.state_dict()[name], value, atol=1e-2)
    for name, value in load_model(after).state_dict().items():
        assert torch.equal(model[name], value)
    add_refinement(bundle, RefinementNetwork())
    again = load_refinement(read_bundle(bundle))
    assert again is not None
    assert again.config == RefinementConfig()


def test_the_model_of_a_bundle_refines_its_fills_in_the_hole(bundle: Path) -> None:
    rng = np.random.default_rng(0)
    plain = load_bundle(bundle, dtype="fp32")
    R = plain.resolution
    image = rng.integers(0, 256, (R, R, 3), np.uint8)
    hole = np.zeros((R, R), np.uint8)
    hole[R // 4 : R // 2, R // 4 : R // 2] = 255
    add_refinement(bundle, drawing_network())
    refining = load_bundle(bundle, dtype="fp32")
    outputs = []
    for inpainter in (plain, refining):
        encoding = inpainter.encode(image, hole)
        codes = inpainter.sample(encoding, [1, 2])
        outputs.append(inpainter.render(encoding, codes))
        # Two different images at once, as in interactive editing of several holes.
        joined = inpainter.render_each([encoding, inpainter.encode(image, hole)], codes)
        np.testing.assert_allclose(joined, outputs[-1], atol=2e-3)
    inside = hole > 0
    np.testing.assert_array_equal(outputs[0][:, ~inside], outputs[1][:, ~inside])
    assert np.abs(outputs[0] - outputs[1])[:, inside].mean() > 0.01
    fill = refining.fill(image, hole, [1])[0]
    np.testing.assert_array_equal(fill.composite[~inside], image[~inside])


def test_sizes_that_do_not_match_are_named(bundle: Path) -> None:
    add_refinement(bundle, RefinementNetwork(SMALL))
    path = bundle / "model.yaml"
    path.write_text(path.read_text().replace("- 8\n  - 16", "- 8\n  - 24"))
    with pytest.raises(BundleError, match="has shape"):
        load_refinement(read_bundle(bundle))


@pytest.mark.slow
def test_the_command_adds_the_network_and_draws_sheets(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "images"
    data.mkdir()
    for k, pixels in enumerate(images(8, 32).pixels):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(data / f"{k}.png")
    command = ["train", "refinement", "--bundle", str(bundle), "--data", str(data)]
    command += ["--out", str(tmp_path / "run"), "--crop", "32", "--batch-size", "4"]
    command += ["--total-kimg", "0.008", "--snapshot-kimg", "0.004", "--device", "cpu"]
    command += ["--feature-networks", str(tiny_feature_network(tmp_path / "n.pt"))]
    assert main([*command, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["crop"] == 32
    assert main([*command, "--init", str(bundle)]) == 2
    assert "has no refinement network" in capsys.readouterr().err
    assert main(command) == 0
    assert "now refines its fills" in capsys.readouterr().out
    before = load_refinement(read_bundle(bundle))
    with Image.open(tmp_path / "run" / "refinement000000.png") as sheet:
        assert sheet.width == sheet.height, "four examples, four columns"
    again = [*command, "--out", str(tmp_path / "more"), "--total-kimg", "0", "--init", str(bundle)]
    assert main(again) == 0
    after = load_refinement(read_bundle(bundle))
    assert before is not None
    assert after is not None
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.state_dict().values(), after.state_dict().values(), strict=True)
    )
    capsys.readouterr()
    assert main([*command, "--crop", "64", "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["crop"] == 32, "the model's size"


@pytest.mark.parametrize("box", [(0, 0, 5, 9), (20, 3, 32, 32), (0, 0, 32, 32), (7, 7, 8, 8)])
def test_any_hole_is_refined_to_its_last_pixel(bundle: Path, box: tuple[int, ...]) -> None:
    """The network sees only a part of the image, on a CPU."""
    plain = load_bundle(bundle, dtype="fp32")
    add_refinement(bundle, drawing_network())
    refining = load_bundle(bundle, dtype="fp32")
    rng = np.random.default_rng(0)
    image, hole = rng.integers(0, 256, (32, 32, 3), np.uint8), np.zeros((32, 32), np.uint8)
    left, top, right, bottom = box
    hole[top:bottom, left:right] = 1
    encoding = refining.encode(image, hole)
    codes = refining.sample(encoding, [1])
    raw, refined = (each.render(encoding, codes)[0] for each in (plain, refining))
    assert (np.abs(refined - raw).max(axis=2)[hole > 0] > 1e-3).all()
    np.testing.assert_array_equal(refined[hole == 0], raw[hole == 0])


def test_a_hole_away_from_the_places_is_left_alone(bundle: Path) -> None:
    plain = load_bundle(bundle, dtype="fp32")
    network = RefinementNetwork(RefinementConfig((8, 16), (1, 1), places=EYES))
    torch.nn.init.normal_(network.head.weight, std=0.1)
    add_refinement(bundle, network)
    refining, rng = load_bundle(bundle, dtype="fp32"), np.random.default_rng(0)
    image = rng.integers(0, 256, (32, 32, 3), np.uint8)
    for box, changes in (((0, 24, 32, 32), False), ((0, 10, 32, 32), True)):
        hole = np.zeros((32, 32), np.uint8)
        hole[box[1] : box[3], box[0] : box[2]] = 1
        encoding = refining.encode(image, hole)
        codes = refining.sample(encoding, [1])
        raw, refined = (each.render(encoding, codes)[0] for each in (plain, refining))
        where = strength(EYES, 32)[0, 0].numpy()
        assert bool((raw != refined).any()) == changes
        np.testing.assert_array_equal(raw[where == 0], refined[where == 0])


def test_a_fill_does_not_depend_on_the_others_of_its_batch(bundle: Path) -> None:
    add_refinement(bundle, drawing_network())
    refining, rng = load_bundle(bundle, dtype="fp32"), np.random.default_rng(0)
    image, holes = rng.integers(0, 256, (32, 32, 3), np.uint8), np.zeros((2, 32, 32), np.uint8)
    holes[0, 2:6, 2:6], holes[1, 16:30, 10:28] = 1, 1
    encodings = [refining.encode(image, hole) for hole in holes]
    codes = np.concatenate([refining.sample(each, [1]) for each in encodings])
    together = refining.render_each(encodings, codes)
    for k, encoding in enumerate(encodings):
        np.testing.assert_allclose(
            refining.render(encoding, codes[k : k + 1])[0], together[k], atol=1e-5
        )
