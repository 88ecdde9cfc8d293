"""Results of other methods: what they are given, and how their files are scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.data.dataset import load_images
from inpaint_model.evaluation.mask_sets import mask_set
from inpaint_model.evaluation.methods import MeanColor
from inpaint_model.evaluation.other_methods import export, read_masks, read_results, stems
from inpaint_model.inference.tiny import tiny_model
from PIL import Image

R = 32
Rows = dict[tuple[str, int, str], dict[str, float]]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 4, 3), np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).resize((R, R)).save(folder / f"face{number}.png")
    return folder


def command(*arguments: object) -> int:
    return main(["evaluate", *(str(argument) for argument in arguments)])


def rows(out: Path) -> Rows:
    report = json.loads((out / "report.json").read_text("utf-8"))
    return {(row["set"], row["seed"], row["method"]): row["numbers"] for row in report["rows"]}


def run_mean_color(exported: Path, results: Path) -> None:
    """Act as another method, which only sees the exported files."""
    for folder in (exported / "masks").iterdir():
        (results / folder.name).mkdir(parents=True)
        for path in folder.iterdir():
            image = np.asarray(Image.open(exported / "images" / path.name))
            hole = np.asarray(Image.open(path).convert("L")) >= 128
            filled = MeanColor().fill(image, hole, 0).composite
            Image.fromarray(filled).save(results / folder.name / path.name)


@pytest.mark.slow
def test_exported_holes_filled_elsewhere_score_as_the_same_method_here(
    images: Path, tmp_path: Path
) -> None:
    same = ["--images", images, "--resolution", R, "--sets", "easy,half", "--seeds", 2]
    out, results = tmp_path / "out", tmp_path / "results"
    assert command(*same, "--out", out, "--export", tmp_path / "exported") == 0
    assert not (out / "report.json").exists()
    run_mean_color(tmp_path / "exported", results)
    assert command(*same, "--out", out, "--fills", f"other={results}") == 0
    found = rows(out)
    assert {key[2] for key in found} == {"other", "mean color", "Telea", "Navier-Stokes"}
    for name in ("easy", "half"):
        for seed in (0, 1):
            other, ours = found[name, seed, "other"], found[name, seed, "mean color"]
            assert {key: other[key] for key in ours} == ours
            assert other["psnr_known"] == 99  # the highest: its files have the known pixels
    page = (out / "report.html").read_text("utf-8")
    assert "other" in page
    assert "best baseline (other)" not in page


@pytest.mark.slow
def test_own_masks_and_results_beside_a_model(images: Path, tmp_path: Path) -> None:
    """A model, another method that changes known pixels, and masks of any size."""
    save_bundle(tmp_path / "bundle", tiny_model(resolution=R), Card("tiny"))
    masks, results = tmp_path / "masks", tmp_path / "results"
    masks.mkdir()
    results.mkdir()
    for number, path in enumerate(sorted(images.iterdir())):
        mask = Image.new("L", (2 * R, 2 * R))
        mask.paste(255, (0, 0, R, 2 * R) if number else (0, 0, 2 * R, 2 * R))
        mask.save(masks / path.name)
        Image.new("RGB", (R, R), (10, 20, 30)).save(results / f"{path.stem}.jpg", quality=100)
    out = tmp_path / "out"
    status = command(
        tmp_path / "bundle", "--images", images, "--masks", masks, "--out", out, "--seeds", 1,
        "--fills", f"flat={results}", "--no-baselines", "--diversity", 0,
    )  # fmt: skip
    assert status == 0
    found = rows(out)
    assert set(found) == {("own", 0, name) for name in ("model", "samples", "flat")}
    flat = found["own", 0, "flat"]
    assert flat["known_changed"] == 0  # known pixels are the image's, whatever the method did
    assert flat["psnr_known"] < 30
    about = json.loads((out / "report.json").read_text("utf-8"))["masks"][0]
    assert about["mean_hole_ratio"] == pytest.approx((1 + 3 / 2) / 4)
    assert "own: masks from files" in (out / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fills", "results"], "give NAME=DIR"),
        (["--fills", "=results"], "give NAME=DIR"),
        (["--fills", "Telea=results"], "the name Telea is taken"),
        (["--fills", "a=results", "a=results"], "the name a is taken"),
        (["--fills", "a=results"], "no image"),
        (["--fills", "a=missing"], "missing"),
        (["--masks", "faces"], "the mask of face1 has no hole"),
        (["--masks", "one"], "no mask for 3 of 4 images, the first of which is face1"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    message: str,
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("results", "one"):
        (tmp_path / folder).mkdir()
    Image.new("L", (R, R), 255).save(tmp_path / "one" / "face0.png")
    Image.new("L", (R, R), 255).save(images / "face0.png")
    for number in (1, 2, 3):
        Image.new("L", (R, R), 90).save(images / f"face{number}.png")
    common = ["--images", images, "--resolution", R, "--out", "out", "--sets", "easy"]
    assert command(*common, "--seeds", 1, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_generator_fills_nothing(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_bundle(tmp_path / "bundle", tiny_model(resolution=R).generator, Card("tiny"))
    options = ["--images", images, "--out", tmp_path / "out", "--export", tmp_path / "exported"]
    assert command(tmp_path / "bundle", *options) == 2
    assert "is a generator, which fills no holes" in capsys.readouterr().err


def test_results_follow_the_names_of_the_images(images: Path, tmp_path: Path) -> None:
    """Also if the other method's folder is sorted in another way."""
    found = load_images(images, R)
    masks = mask_set("half", 0, len(found), R, tmp_path)
    folder = tmp_path / "results" / "half-0"
    folder.mkdir(parents=True)
    for number, stem in enumerate(stems(found.names)):
        suffix = ("png", "bmp", "webp", "tif")[number]
        Image.new("RGB", (R, R), (number, 0, 0)).save(folder / f"{stem}.{suffix}", lossless=True)
    method = read_results(
        f"other={tmp_path / 'results'}", found.pixels, found.names, masks, single=False
    )
    for number in range(len(found)):
        image = found.pixels[number].permute(1, 2, 0).numpy()
        hole = masks.holes[number, 0].numpy()
        filled = method.fill(image, hole, 0)
        assert (filled.composite[hole] == (number, 0, 0)).all()
        assert (filled.composite[~hole] == image[~hole]).all()


@given(st.lists(st.sampled_from(["a", "b", "a/b", "c/a", "c/b"]), min_size=1, unique=True))
def test_stems_are_unique(folders: list[str]) -> None:
    found = stems([f"{name}.png" for name in folders])
    assert len(set(found)) == len(folders)
    assert not any("/" in stem for stem in found)


def test_exported_masks_are_read_back(images: Path, tmp_path: Path) -> None:
    found = load_images(images, R)
    masks = mask_set("hard", 3, len(found), R, tmp_path)
    export(found.pixels, found.names, [masks], tmp_path / "exported")
    again = read_masks(str(tmp_path / "exported/masks/hard-3"), found.names, R)
    assert torch.equal(again.holes, masks.holes)
    assert again.sha256 == masks.sha256
