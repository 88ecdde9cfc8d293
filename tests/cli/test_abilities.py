"""`inpaint` with models that make one candidate, or whose candidates cannot be edited."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from daemons import DaemonProcess
from inpaint_model.bundle.manifest import Card
from inpaint_model.bundle.writer import save_bundle
from inpaint_model.inference.tiny import tiny_model
from PIL import Image

Command = Callable[..., "subprocess.CompletedProcess[str]"]
REFUSED = 4


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    """A daemon with pSp, its default, and CoModGAN."""
    folder = tmp_path_factory.mktemp("abilities")
    save_bundle(folder / "psp", tiny_model(arch="psp"), Card("psp", title="pSp"))
    save_bundle(folder / "comodgan", tiny_model(arch="comodgan"), Card("comodgan"))
    models = ("--model", str(folder / "psp"), "--model", str(folder / "comodgan"))
    with DaemonProcess(folder, *models) as process:
        process.runtime()
        yield process


@pytest.fixture
def fill(tmp_path: Path) -> list[str]:
    """The command that fills an image."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8)
    mask = np.zeros((60, 70), np.uint8)
    mask[20:40, 30:50] = 255
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).save(tmp_path / "images" / "p.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    more = ["--mask", "mask.png", "--out", "out", "--smooth", "never", "--json"]
    return ["fill", "images/p.png", *more]


def test_a_fill_asks_for_one_candidate_by_itself(inpaint: Command, fill: list[str]) -> None:
    ended = inpaint(*fill)
    assert ended.returncode == 0, ended.stderr
    (candidate,) = json.loads(ended.stdout)["candidates"]
    edited = inpaint("edit", candidate["files"]["recipe"], "--out", "again")
    assert edited.returncode == 0, edited.stderr


def test_a_folder_asks_for_one_candidate_by_itself(inpaint: Command, fill: list[str]) -> None:
    ended = inpaint("fill", "images", *fill[2:])
    assert ended.returncode == 0, ended.stderr
    (image,) = json.loads(ended.stdout)["images"]
    assert len(image["candidates"]) == 1


def test_a_number_of_candidates_is_refused_in_one_line(inpaint: Command, fill: list[str]) -> None:
    ended = inpaint(*fill, "-n", "2")
    assert ended.returncode == REFUSED
    (line,) = ended.stderr.splitlines()
    assert "The model “pSp” makes one fill for each selection. Request one candidate" in line
    assert inpaint(*fill, "-n", "1").returncode == 0


def test_edits_and_mixing_are_refused_in_one_line(inpaint: Command, fill: list[str]) -> None:
    ended = inpaint(*fill, "--model", "comodgan")
    assert ended.returncode == 0, ended.stderr
    recipes = [each["files"]["recipe"] for each in json.loads(ended.stdout)["candidates"]]
    assert len(recipes) == 4
    edit = ["edit", recipes[0], "--image", "images/p.png", "--mask", "mask.png", "--out", "again"]
    for words in (
        [*fill, "--model", "comodgan", "--edit", "smile=1"],
        [*fill, "--model", "comodgan", "--variant", "smile=1"],
        [*edit, "--edit", "smile=1"],
        [*edit, "--style-recipe", recipes[1]],
        [*edit, "--style-image", "images/p.png"],
    ):
        refused = inpaint(*words)
        assert refused.returncode == REFUSED
        (line,) = refused.stderr.splitlines()
        assert "Fills of the model “comodgan” cannot be edited or mixed." in line
    assert inpaint(*edit).returncode == 0


def test_info_tells_what_models_cannot_do(inpaint: Command) -> None:
    _, psp, comodgan = inpaint("info").stdout.split("\nmodel ")
    assert "  one candidate for each selection\n" in psp
    assert "one candidate" not in comodgan
    assert "  neither edits nor mixing" in comodgan
    models = json.loads(inpaint("info", "--json").stdout)["models"]
    assert [(each["single_candidate"], each["no_edits"]) for each in models] == [
        (True, False),
        (False, True),
    ]
