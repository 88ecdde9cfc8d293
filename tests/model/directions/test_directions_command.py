"""`inpaint-model directions` on a generator whose hair follows one known direction."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hair_generator import hair_model
from inpaint_model import load_bundle
from inpaint_model.bundle.direction_store import add_directions, load_vectors
from inpaint_model.bundle.manifest import BundleError, Card, read_bundle
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.cli.main import main
from inpaint_model.directions.context import known_attributes
from inpaint_model.inference.inpainter import UnknownDirectionError
from inpaint_model.inference.tiny import tiny_model
from PIL import Image

HAIR = "hair_lightness"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the generator alone, with the direction of its hair, checked."""
    folder = tmp_path_factory.mktemp("fitted") / "hair"
    save_bundle(folder, hair_model()[0].generator, Card("hair"))
    svm = ["--attributes", HAIR, "--samples", "600", "--extremes", "0.1"]
    assert main(["directions", "svm", str(folder), *svm]) == 0
    assert not read_bundle(folder).directions[0].offered  # not checked yet
    check = ["--out", str(folder.parent / "check"), "--samples", "100", "--count", "8"]
    assert main(["directions", "check", str(folder), *check]) == 0
    return folder


@pytest.fixture
def bundle(fitted: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(fitted, tmp_path / "hair"))


@pytest.mark.slow
def test_the_known_direction_is_found_measured_and_offered(fitted: Path) -> None:
    info = read_bundle(fitted)
    (direction,) = info.directions
    truth = hair_model()[1]
    vector = load_vectors(info)[HAIR]
    w = np.asarray(vector @ truth)
    assert w > 0.5  # codes of 16 numbers that depend on each other
    assert direction.offered, direction
    assert direction.generator_sha256 == info.generator_sha256
    assert direction.effects["spearman"] >= 0.9
    assert direction.effects["per_unit"] == pytest.approx(1, abs=0.35)
    assert direction.minimum <= -1
    assert direction.maximum >= 1
    assert re.search(r"linear SVM on 0.1 of 600 samples.*held-out samples", direction.source)


def test_the_report_and_its_grid(fitted: Path) -> None:
    report = json.loads((fitted.parent / "check" / "directions.json").read_text())
    (entry,) = report["directions"]
    assert (entry["name"], entry["offered"], entry["reasons"]) == (HAIR, True, [])
    assert np.all(np.diff(entry["curves"][HAIR]) > 0)
    with Image.open(fitted.parent / "check" / f"{HAIR}.png") as grid:
        assert grid.size == (7 * 34 - 2, 6 * 34 - 2)


@pytest.mark.slow
def test_auto_fits_and_checks_what_varies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "hair"
    save_bundle(folder, hair_model()[0].generator, Card("hair"))
    auto = ["directions", "auto", str(folder), "--out", str(tmp_path / "out"), "--count", "4"]
    auto += ["--fit-samples", "100", "--fit-count", "24", "--refine-count", "4"]
    auto += ["--samples", "50", "--page", str(tmp_path / "edits.md")]
    assert main(auto) == 0
    said = capsys.readouterr().out
    assert "yaw: skipped, the same for every sample" in said
    assert "change of identity: not measured" in said
    hair = next(d for d in read_bundle(folder).directions if d.name == HAIR)
    assert hair.effects["spearman"] >= 0.9
    assert hair.description == "lighter hair"
    assert f"| {HAIR} | " in (tmp_path / "edits.md").read_text()


@pytest.mark.slow
def test_a_direction_goes_to_the_inpainter_around_the_same_generator(
    bundle: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "inpainter"
    save_bundle(whole, hair_model()[0], Card("hair"))
    assert main(["directions", "import", str(whole), str(bundle)]) == 0
    inpainter = load_bundle(whole)
    assert [d.name for d in inpainter.directions] == [HAIR]
    codes = np.zeros((1, inpainter.num_ws, inpainter.w_dim), np.float32)
    step = inpainter.edit(codes, {HAIR: 2.0})[0, 0]
    unit = inpainter.directions[0].unit
    np.testing.assert_allclose(step, 2 * unit * load_vectors(read_bundle(bundle))[HAIR], rtol=1e-5)
    check = ["--images", str(_photographs(tmp_path)), "--out", str(tmp_path / "out")]
    check += ["--page", str(tmp_path / "edits.md")]
    assert main(["directions", "check", str(whole), *check, "--samples", "50", "--count", "4"]) == 0
    entry = json.loads((tmp_path / "out" / "directions.json").read_text())["directions"][0]
    assert 0 < entry["images_seen"] <= 4
    assert entry["retention"] is not None
    assert entry["offered"] == (f"![{HAIR}]" in (tmp_path / "edits.md").read_text())


def _photographs(folder: Path) -> Path:
    target = folder / "photographs"
    target.mkdir()
    rng = np.random.default_rng(0)
    for k in range(4):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(target / f"{k}.png")
    return target


def test_another_generator_is_refused(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    save_bundle(other, tiny_model(1), Card("other"))
    before = (other / "model.yaml").read_bytes()
    assert main(["directions", "import", str(other), str(bundle)]) == 2
    assert "belong to another generator" in capsys.readouterr().err
    assert (other / "model.yaml").read_bytes() == before

    shutil.copy(bundle / "directions.safetensors", other)  # by hand, bypassing the check
    document = yaml.safe_load((other / "model.yaml").read_text())
    document["directions"] = yaml.safe_load((bundle / "model.yaml").read_text())["directions"]
    (other / "model.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(BundleError, match="'hair_lightness' belongs to another generator"):
        load_bundle(other)


def test_a_file_is_taken_only_as_foreign(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, w_dim = tmp_path / "smile.npy", read_bundle(bundle).generator_config.w_dim
    np.save(path, np.ones((1, w_dim)))
    assert main(["directions", "import", str(bundle), str(path)]) == 2
    assert "does not say which generator" in capsys.readouterr().err
    arguments = ["--foreign", "--name", "wink", "--layers", "structure", "--samples", "100"]
    assert main(["directions", "import", str(bundle), str(path), *arguments]) == 0
    wink = read_bundle(bundle).directions[1]
    assert (wink.name, wink.foreign, wink.offered, wink.layers) == ("wink", True, False, (0, 1, 2))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["sefa", "pca"])
def test_components_are_offered_once_a_person_names_them(bundle: Path, way: str) -> None:
    arguments = ["--count", "2", "--samples", "200", "--layers", "0-3"]
    assert main(["directions", way, str(bundle), *arguments]) == 0
    names = [d.name for d in read_bundle(bundle).directions]
    assert names == [HAIR, f"{way} 0-3 component 0", f"{way} 0-3 component 1"]
    rename = ["--rename", names[1], "mood", "--remove", names[2]]
    assert main(["directions", "list", str(bundle), *rename]) == 0
    info = read_bundle(bundle)
    assert [(d.name, d.offered) for d in info.directions] == [(HAIR, True), ("mood", True)]
    assert load_vectors(info).keys() == {HAIR, "mood"}


@pytest.mark.slow
def test_marks_of_a_person_become_a_direction(bundle: Path, tmp_path: Path) -> None:
    page, marks = tmp_path / "page.html", tmp_path / "beard.json"
    count = ["--count", "24", "--samples", "500"]
    label = ["directions", "label", str(bundle), "light <hair>"]
    assert main([*label, "--page", str(page), *count]) == 0
    text = page.read_text()
    seeds = [int(seed) for seed in re.findall(r'data-seed="(\d+)"', text)]
    assert seeds == list(range(24))
    assert text.count("data:image/png;base64,") == 24
    assert "light &lt;hair&gt;" in text
    assert "http" not in text
    about = json.loads(re.search(r"const about = (.*);\n", text).group(1))  # type: ignore[union-attr]
    generator, truth = hair_model()[0].generator, hair_model()[1]
    from inpaint_model.directions.samples import codes

    values = codes(generator, 24, 0) @ truth
    light = (values > values.median()).tolist()
    about["more"] = [seed for seed in seeds if light[seed]]
    about["less"] = [seed for seed in seeds if not light[seed]]
    marks.write_text(json.dumps(about))
    assert main([*label, "--marks", str(marks), "--samples", "500"]) == 0
    found = read_bundle(bundle).directions[1]
    vector = load_vectors(read_bundle(bundle))["light <hair>"]
    assert float((codes(generator, 200, 50) + found.unit * vector - codes(generator, 200, 50))
                 .mean(dim=0) @ truth) > 0  # fmt: skip
    assert found.offered == (found.effects["accuracy"] >= 0.75)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "not a valid marks file"),
        ("[" * 5000, "not a valid marks file"),
        ('{"format": 2}', "not of format 1"),
        ('{"format": 1, "more": [1]}', "'less' is missing"),
        ('{"format": 1, "more": [1], "less": [1]}', "two separate lists"),
        ('{"format": 1, "more": [-1], "less": [1]}', "two separate lists"),
        (
            '{"format": 1, "more": [], "less": [], "name": "x", "generator_sha256": "0",'
            ' "truncation_psi": 1}',
            "samples of another generator",
        ),
    ],
)
def test_other_files_are_no_marks(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, reason: str
) -> None:
    path = tmp_path / "marks.json"
    path.write_text(content)
    assert main(["directions", "label", str(bundle), "x", "--marks", str(path)]) == 2
    assert reason in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # making the stand-in
def test_what_a_network_scores_can_be_fitted_to(bundle: Path, tmp_path: Path) -> None:
    class Crown(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.mean(dim=(1, 2, 3)), x[:, 0, 2, 16]], dim=1)

    path = tmp_path / "crown.pt"
    torch.jit.script(Crown()).save(str(path))
    fit = ["--attributes", "crown", "--samples", "300", "--extremes", "0.1"]
    assert main(["directions", "svm", str(bundle), "--scorer", f"crown={path}:1", *fit]) == 0
    crown = read_bundle(bundle).directions[1]
    assert (crown.name, crown.group) == ("crown", "custom")
    smile, other = known_attributes(read_bundle(bundle), [f"smile={path}", f"crown={path}"], [])[
        -2:
    ]
    assert (smile.group, smile.includes) == (
        "expression",
        ("mouth_opening", "lip_fullness", "nose_width"),
    )
    assert (other.group, other.description) == ("custom", "more crown")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["svm", "--attributes", "wings"], "no attribute ['wings']"),
        (["svm", "--layers", "40"], "this generator has the styles 0 to 7"),
        (["svm", "--layers", "left"], "give structure, features"),
        (["svm", "--extremes", "0.7"], "--extremes"),
        (["svm", "--scorer", "beard"], "give NAME=FILE"),
        (["svm", "--scorer", "beard=nowhere.pt"], "is not a file"),
        (["svm", "--validation-scorer", "beard=nowhere.pt"], "is not a file"),
        (["check", "beard", "--out", "nowhere"], "no direction 'beard'; there are: hair_lightness"),
        (["auto", "--out", "x", "--images", "a", "--fit-images", "a"], "fit and check must use"),
        (["list", "--remove", "beard"], "no direction 'beard'"),
    ],
)
def test_bad_usage_is_one_line(
    fitted: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    action, *options = arguments
    assert main(["directions", action, str(fitted), *options]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "directions.safetensors").unlink(), "has no directions.safe"),
        (lambda folder: (folder / "directions.safetensors").write_bytes(b"?"), "is damaged"),
        (
            lambda folder: (folder / "model.yaml").write_text(
                (folder / "model.yaml").read_text().replace("name: hair_l", "name: l")
            ),
            "no vector for the direction 'lightness'",
        ),
    ],
)
def test_a_damaged_store_is_one_sentence(bundle: Path, damage, reason: str) -> None:  # type: ignore[no-untyped-def]
    damage(bundle)
    with pytest.raises(BundleError, match=reason):
        load_vectors(read_bundle(bundle))


def test_a_unit_that_is_no_number_is_refused(bundle: Path) -> None:
    text = (bundle / "model.yaml").read_text()
    (bundle / "model.yaml").write_text(re.sub(r"unit: .*", "unit: .inf", text))
    wrong = r"`directions\[0\]\.unit` must be a finite number, not inf"
    with pytest.raises(BundleError, match=wrong):
        read_bundle(bundle)


def test_what_is_not_offered_cannot_be_asked_for(tmp_path: Path, bundle: Path) -> None:
    whole = tmp_path / "inpainter"
    save_bundle(whole, hair_model()[0], Card("hair"))
    main(["directions", "import", str(whole), str(bundle)])
    text = (whole / "model.yaml").read_text()
    (whole / "model.yaml").write_text(text.replace("offered: true", "offered: false"))
    inpainter = load_bundle(whole)
    assert inpainter.directions == ()
    codes = np.zeros((1, inpainter.num_ws, inpainter.w_dim), np.float32)
    with pytest.raises(UnknownDirectionError, match="this model has: none"):
        inpainter.edit(codes, {HAIR: 1.0})


@pytest.mark.parametrize(
    "part",
    [
        ["auto", "--out", "out"],
        ["svm"],
        ["sefa"],
        ["pca"],
        ["import", "other.npy", "--foreign"],
        ["label", "smile", "--page", "page.html"],
        ["check", "--out", "out"],
        ["list"],
    ],
    ids=lambda part: part[0],
)
def test_a_model_whose_codes_are_not_the_generators_has_no_directions(
    part: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "comodgan"
    save_bundle(folder, tiny_model(arch="comodgan"), Card("comodgan"))
    assert main(["directions", part[0], str(folder), *part[1:]]) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{folder} is a CoModGAN model, whose codes are not the generator's" in line


def test_directions_of_the_generator_are_not_added_to_such_a_model(
    bundle: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "comodgan"
    save_bundle(folder, tiny_model(arch="comodgan"), Card("comodgan"))
    info = read_bundle(bundle)
    with pytest.raises(BundleError, match="codes are not the generator's"):
        add_directions(folder, [(info.directions[0], load_vectors(info)[HAIR])])
    assert not read_bundle(folder).directions
