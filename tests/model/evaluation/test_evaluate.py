"""`inpaint-model evaluate` from end to end, with an untrained model and small networks."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.document.arrays import ImageU8
from inpaint_model.evaluation.mask_sets import MASK_SETS, mask_set
from inpaint_model.evaluation.measure import EvaluationContext
from inpaint_model.evaluation.methods import (
    BASELINES,
    Identity,
    MeanColor,
    Model,
    Samples,
    candidate_seed,
    draw_all,
    fill_all,
)
from inpaint_model.evaluation.metrics import feature_networks
from inpaint_model.evaluation.metrics.mesh_pairs import MIRROR
from inpaint_model.evaluation.scores import Row, over_seeds
from inpaint_model.inference.tiny import tiny_inpainter, tiny_model
from PIL import Image
from scipy import ndimage
from torch import Tensor, nn

RESOLUTION = 32


def portraits(count: int) -> ImageU8:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(
        rng.normal(size=(count, RESOLUTION, RESOLUTION, 3)), (0, 2, 2, 0)
    )
    return (smooth * 500 + 128).clip(0, 255).astype(np.uint8)


class Stage(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, x.square()], dim=1)


class Inception768(nn.Module):
    """The calls of the 768-d file, with a few features."""

    def __init__(self) -> None:
        super().__init__()
        self.s1, self.s2, self.m = Stage(), Stage(), Stage()

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.interpolate(x.float(), [8, 8], mode="bilinear")
        features: Tensor = self.s1((small - 128) / 128)
        return features.flatten(1)


class Mesh(nn.Module):
    """The calls of the landmark network: a face that follows the image's brightness."""

    def __init__(self) -> None:
        super().__init__()
        points = np.random.default_rng(0).normal(size=(468, 3)) * 30
        points = (points + points[MIRROR] * (-1, 1, 1)) / 2 + 96
        self.points = nn.Parameter(torch.from_numpy(points.astype(np.float32)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        assert x.shape[1:] == (3, 192, 192)
        noise = nn.functional.interpolate(x, [18, 26], mode="bilinear").flatten(2).transpose(1, 2)
        return (self.points + 5 * noise).flatten(1), x.mean(dim=[1, 2, 3]), x.flatten(1)


class Vgg(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x, nn.functional.avg_pool2d(x, 2)]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, pixels in enumerate(portraits(24)):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture
def judges(tmp_path: Path) -> Path:
    folder = tmp_path / "judges"
    folder.mkdir()
    torch.jit.script(Inception768()).save(str(folder / feature_networks.INCEPTION_768))
    torch.jit.script(Vgg()).save(str(folder / feature_networks.VGG_TAPS))
    return folder


@pytest.fixture
def landmarks(tmp_path: Path) -> Path:
    folder = tmp_path / "landmarks"
    folder.mkdir()
    torch.jit.script(Mesh()).save(str(folder / feature_networks.MESH))
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "bundle", tiny_model(resolution=RESOLUTION), Card("tiny"))
    return tmp_path / "bundle"


def written(folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def command(*arguments: object) -> int:
    return main(["evaluate", *(str(argument) for argument in arguments)])


# --- the command --------------------------------------------------------------------------------

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # the stand-ins


@pytest.mark.slow
def test_originals_come_from_several_sources(images: Path, tmp_path: Path) -> None:
    """Images split over two folders, some of them damaged but replaced, give the same results."""
    parts = [tmp_path / "first", tmp_path / "second"]
    (tmp_path / "copies").mkdir()
    for number, path in enumerate(sorted(images.iterdir())):
        parts[number % 2].mkdir(exist_ok=True)
        if number < 3:
            Image.new("RGB", (32, 32)).save(parts[number % 2] / path.name)
            (tmp_path / "copies" / path.name).write_bytes(path.read_bytes())
        else:
            (parts[number % 2] / path.name).write_bytes(path.read_bytes())
    common = ["--sets", "easy", "--seeds", 1, "--resolution", 32]
    assert command("--images", images, "--out", tmp_path / "a", *common) == 0
    several = ["--images", *parts, "--replace", tmp_path / "copies"]
    assert command(*several, "--out", tmp_path / "b", *common) == 0
    one, other = (json.loads((tmp_path / n / "report.json").read_text("utf-8")) for n in "ab")
    assert one["rows"] == other["rows"]
    assert other["about"]["images"].startswith("24 of first, second with copies from copies at")


@pytest.mark.slow
def test_everything_is_measured_written_and_shown(
    bundle: Path, images: Path, judges: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    status = command(
        bundle, "--images", images, "--out", out, "--metrics-dir", judges, "--seeds", 2,
        "--sets", "easy,tenths,whole", "--diversity", 2,
    )  # fmt: skip
    assert status == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    rows = {(row["set"], row["seed"], row["method"]): row for row in report["rows"]}
    filled = {"model", "samples", "Telea", "Navier-Stokes", "mean color"}
    assert {key[2] for key in rows if key[:2] == ("easy", 1)} == filled
    assert {key[2] for key in rows if key[0] == "whole"} == {"model", "samples"}
    model = rows["easy", 0, "model"]
    low, high = model["intervals"]["kid768_x1000"]
    assert low <= model["numbers"]["kid768_x1000"] <= high
    assert model["numbers"]["known_changed"] == 0
    assert model["numbers"]["diversity_relative"] > 0
    assert {"fid768", "vgg", "psnr", "ssim", "psnr_known", "u_ids768_cv"} <= set(model["numbers"])
    assert {"precision768", "recall768"} <= set(model["numbers"])
    # the generator's own images do not depend on the masks
    assert rows["easy", 0, "samples"]["numbers"] == rows["whole", 0, "samples"]["numbers"]
    original, split_half = report["anchors"]
    assert original["numbers"]["kid768_x1000"] == pytest.approx(0, abs=1e-6)
    assert original["numbers"]["fid768"] == pytest.approx(0, abs=1e-6)
    assert (
        split_half["intervals"]["kid768_x1000"][0]
        <= 0
        <= split_half["intervals"]["kid768_x1000"][1]
    )
    assert {entry["set"] for entry in report["against_baselines"]} == {"easy", "tenths"}
    printed = capsys.readouterr().out
    assert "KID768 x1000" in printed
    assert "Telea" in printed
    page = (out / "report.html").read_text("utf-8")
    assert page.count("<h3>The worst</h3>") == 3
    # needs no other file, but links to one
    assert re.findall(r'(?:src|href)="(?!data:)([^"]*)', page) == ["samples.png"]
    assert 'alt="samples"' in page
    assert "| Navier-Stokes |" in (out / "table.md").read_text("utf-8")


@pytest.mark.slow
def test_codes_can_be_fitted_first(
    bundle: Path, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fills differ although the cache is shared, and the report says so."""
    common = ["--images", images, "--cache", tmp_path / "cache", "--no-baselines"]
    common += ["--sets", "easy", "--seeds", 1, "--limit", 4, "--diversity", 0]
    reports = {}
    for steps in (0, 3):
        out = tmp_path / str(steps)
        assert command(bundle, *common, "--fit-codes", steps, "--out", out) == 0
        reports[steps] = json.loads((out / "report.json").read_text("utf-8"))
    assert "codes" not in reports[0]["about"]
    assert reports[3]["about"]["codes"] == "fitted to the known pixels in 3 steps"
    plain, fitted = (reports[steps]["rows"][0]["numbers"]["psnr"] for steps in (0, 3))
    assert plain != fitted
    other = tmp_path / "comodgan"
    save_bundle(other, tiny_model(resolution=RESOLUTION, arch="comodgan"), Card("tiny"))
    capsys.readouterr()
    assert command(other, *common, "--fit-codes", 3, "--out", tmp_path / "other") == 2
    assert "cannot be fitted: leave out --fit-codes" in capsys.readouterr().err


@pytest.mark.slow
def test_a_second_run_measures_nothing_again(
    bundle: Path, images: Path, judges: Path, landmarks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = (
        bundle, "--images", images, "--out", out, "--metrics-dir", judges, landmarks,
        "--seeds", 1, "--sets", "hard", "--diversity", 0,
    )  # fmt: skip
    assert command(*arguments) == 0
    first = (out / "report.json").read_text("utf-8")
    kept = written(out / "cache")
    assert len(kept) > 3
    assert command(*arguments) == 0
    assert (out / "report.json").read_text("utf-8") == first
    assert written(out / "cache") == kept  # a new measurement would write a file


@pytest.mark.slow
def test_without_networks_and_bundle_baselines_are_still_measured(
    images: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert command("--images", images, "--out", out, "--resolution", 16, "--sets", "easy") == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert {row["method"] for row in report["rows"]} == {"Telea", "Navier-Stokes", "mean color"}
    assert report["rows"][0]["numbers"]["psnr"] > 10
    assert len(report["masks"]) == 3


@pytest.mark.slow
def test_a_generator_is_evaluated_on_its_samples(
    images: Path, judges: Path, tmp_path: Path
) -> None:
    save_bundle(tmp_path / "bundle", tiny_model(resolution=RESOLUTION).generator, Card("tiny"))
    out = tmp_path / "out"
    assert (
        command(tmp_path / "bundle", "--images", images, "--out", out, "--metrics-dir", judges) == 0
    )
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert {row["method"] for row in report["rows"]} == {"samples"}
    assert report["rows"][0]["numbers"]["kid768_x1000"] > 1
    with Image.open(out / "samples.png") as sheet:
        assert sheet.size == (8 * (RESOLUTION + 2) - 2,) * 2


@pytest.mark.slow
def test_faces_are_compared_with_those_of_the_originals(
    bundle: Path, images: Path, judges: Path, landmarks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status = command(
        bundle, "--images", images, "--out", out, "--metrics-dir", judges, landmarks,
        "--seeds", 1, "--sets", "hard", "--diversity", 0, "--samples", 30,
    )  # fmt: skip
    assert status == 0
    report = json.loads((out / "report.json").read_text("utf-8"))
    assert report["about"]["samples"].startswith("30 ")
    digest = hashlib.sha256((landmarks / feature_networks.MESH).read_bytes()).hexdigest()
    assert report["about"][f"judge {feature_networks.MESH}"] == f"sha256 {digest}"
    rows = {row["method"]: row["numbers"] for row in report["rows"]}
    original = report["anchors"][0]["numbers"]
    for numbers in (original, *rows.values()):
        assert 0 < numbers["asymmetry"] <= numbers["asymmetry_p95"]
    # Eyes are compared in samples and originals only: it takes long.
    assert [name for name, numbers in rows.items() if "eyes" in numbers] == ["samples"]
    assert 0 < original["eyes"] <= original["eyes_p95"]
    assert (original["precision768"], original["recall768"]) == (1, 1)
    assert "detected" not in original  # there is no detector's file
    for name in ("table.md", "report.html"):
        assert "asymmetry %" in (out / name).read_text("utf-8")


def test_more_samples_than_originals_are_drawn_from_the_same_seeds(
    images: Path, judges: Path, tmp_path: Path
) -> None:
    generator = tiny_model(resolution=RESOLUTION).generator
    samples = Samples(generator, "tiny")
    few, many = draw_all(samples, 0, 3), draw_all(samples, 0, 5)
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(draw_all(samples, 1, 3), few)
    flat = Samples(generator, "tiny", truncation_psi=0)
    assert not np.array_equal(draw_all(flat, 0, 3), few)
    assert np.array_equal(draw_all(flat.untruncated(), 0, 3), few)
    originals = torch.from_numpy(portraits(4)).permute(0, 3, 1, 2).contiguous()
    context = EvaluationContext(
        originals, feature_networks.load_evaluation_networks([judges]), tmp_path / "cache"
    )
    for count in (3, 5, 5):
        assert len(context.samples(samples, 0, count).features["768"]) == count
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--sets", "easy,impossible"], "impossible"),
        (["--seeds", "0"], "--seeds"),
        (["--metrics-dir", "."], "none of the metric networks"),
        (["--limit", "1"], "--limit"),
        (["--samples", "9"], "--samples needs a bundle"),
        (["--samples", "1"], "--samples must be at least 2"),
    ],
)
def test_bad_usage_is_one_clear_line(
    arguments: list[str], reason: str, images: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert command("--images", images, "--out", "out", *arguments) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_the_command_names_the_sets_that_there_are() -> None:
    from inpaint_model.cli.evaluate import SETS

    assert tuple(MASK_SETS) == SETS


# --- its parts ----------------------------------------------------------------------------------


def test_masks_are_drawn_once_and_stored_with_a_hash(tmp_path: Path) -> None:
    drawn = mask_set("easy", 0, 10, 32, tmp_path)
    stored = mask_set("easy", 0, 10, 32, tmp_path)
    assert torch.equal(drawn.holes, stored.holes)
    assert drawn.sha256 == stored.sha256
    assert drawn.sha256 != mask_set("easy", 1, 10, 32, tmp_path).sha256
    with pytest.raises(ValueError, match="10 masks of 32 px, not 9"):
        mask_set("easy", 0, 9, 32, tmp_path)
    with np.load(tmp_path / "easy-0.npz") as file:
        content = dict(file)
    content["bits"][0] ^= 1
    np.savez(tmp_path / "easy-0.npz", **content)
    with pytest.raises(ValueError, match="damaged"):
        mask_set("easy", 0, 10, 32, tmp_path)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("easy", 0, 0.4), ("hard", 0.4, 1), ("all", 0, 1), ("half", 0.4999, 0.5001), ("skin", 0, 0.9)],
)
def test_hole_ratios_of_the_sets(name: str, low: float, high: float, tmp_path: Path) -> None:
    ratio = mask_set(name, 3, 20, 64, tmp_path).holes.float().mean(dim=(1, 2, 3))
    assert low < ratio.min() <= ratio.max() < high


def test_the_stratified_set_has_each_tenth_equally_often(tmp_path: Path) -> None:
    ratio = mask_set("tenths", 0, 40, 64, tmp_path).holes.float().mean(dim=(1, 2, 3))
    assert (ratio * 10).long().tolist() == [i % 10 for i in range(40)]


@pytest.mark.parametrize("method", [*BASELINES, Identity()], ids=lambda method: method.name)
def test_baselines_fill_the_hole_and_nothing_else(method: Identity) -> None:
    image = portraits(1)[0]
    hole = np.zeros((RESOLUTION, RESOLUTION), bool)
    hole[8:20, 10:30] = True
    filled = method.fill(image, hole, 0).composite
    assert np.array_equal(filled[~hole], image[~hole])
    assert filled.dtype == np.uint8
    if not isinstance(method, Identity):
        assert not np.array_equal(filled[hole], image[hole])
        everything = method.fill(image, np.ones_like(hole), 0).composite
        assert everything.min() == everything.max() == 128


def test_mean_color_is_the_mean_of_the_known_pixels() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[0] = 100
    hole = np.zeros((4, 4), bool)
    hole[1:3] = True
    assert MeanColor().fill(image, hole, 0).composite[1, 0].tolist() == [50, 50, 50]


def test_every_image_and_candidate_has_its_own_seed() -> None:
    seeds = {candidate_seed(s, n, k) for s in range(3) for n in range(20) for k in range(4)}
    assert len(seeds) == 240
    inpainter = tiny_inpainter(resolution=RESOLUTION)
    images = torch.from_numpy(portraits(2)).permute(0, 3, 1, 2)
    holes = torch.ones(2, 1, RESOLUTION, RESOLUTION, dtype=torch.bool)
    fills = [f.composite for f in fill_all(Model(inpainter), images, holes, 5)]
    alone = inpainter.fill(
        portraits(2)[1], holes[1, 0].numpy().astype(np.uint8), [candidate_seed(5, 1)]
    )
    assert np.array_equal(fills[1], alone[0].composite)


def test_measurements_depend_on_images_method_masks_and_networks(tmp_path: Path) -> None:
    images = torch.from_numpy(portraits(4)).permute(0, 3, 1, 2).contiguous()
    masks = mask_set("easy", 0, 4, RESOLUTION, tmp_path)
    context = EvaluationContext(images, feature_networks.EvaluationNetworks(), tmp_path / "cache")

    def files() -> int:
        return len(list((tmp_path / "cache").glob("*.npz")))

    first = context.measure(MeanColor(), masks)
    assert files() == 1
    assert context.measure(MeanColor(), masks).values.keys() == first.values.keys()
    assert files() == 1
    context.measure(Identity(), masks)
    context.measure(MeanColor(), replace(masks, sha256="other"))
    EvaluationContext(
        images.flip(3), feature_networks.EvaluationNetworks(), tmp_path / "cache"
    ).measure(MeanColor(), masks)
    EvaluationContext(
        images, feature_networks.EvaluationNetworks({"file": "other"}), tmp_path / "cache"
    ).measure(MeanColor(), masks)
    assert files() == 5


def test_the_summary_is_the_mean_with_the_widest_interval() -> None:
    rows = [
        Row("easy", 0, "model", {"a": 1.0, "b": 5.0}, {"a": (0.5, 2.0)}),
        Row("easy", 1, "model", {"a": 3.0}, {"a": (1.0, 4.0)}),
        Row("hard", 0, "model", {"a": 7.0}),
    ]
    easy, hard = over_seeds(rows)
    assert (easy.numbers, easy.intervals) == ({"a": 2.0, "b": 5.0}, {"a": (0.5, 4.0)})
    assert hard.numbers == {"a": 7.0}
