"""The commands in the documentation work."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from gimp_host import Profile
from inpaint_gimp.host.parasites import FILL
from inpaint_gimp.runs.arguments import edit_arguments, fill_arguments, select_arguments
from PIL import Image
from xcf import read_xcf

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "docs" / "guide" / "fill-folder.scm"


@pytest.mark.hosts
def test_the_script_fills_a_folder(user: Profile) -> None:
    photos = user.folder / "photos"
    photos.mkdir()
    for number in range(2):
        pixels = np.full((60, 80, 4), 255, np.uint8)
        pixels[20:40, 30:50] = 0  # erased: this is what will be filled
        pixels[..., 0] -= number
        Image.fromarray(pixels).save(photos / f"{number}.png")
    shutil.copy(SCRIPT, photos)
    command = '(load "fill-folder.scm")'
    assert command in (ROOT / "docs" / "guide" / "gimp.md").read_text("utf-8")
    status, log = user.batch("plug-in-script-fu-eval", command, photos)
    assert status == 0, log
    for number in range(2):
        image = read_xcf(photos / f"{number}.png.xcf")
        layers = [layer for layer in image.layers if FILL in layer.parasites]
        assert len(layers) == 4
        assert (layers[0].x, layers[0].y, *layers[0].pixels.shape) == (30, 20, 20, 20, 4)


def test_the_script_has_five_lines() -> None:
    assert len(SCRIPT.read_text("utf-8").splitlines()) == 5


def test_the_page_names_every_argument() -> None:
    page = (ROOT / "docs" / "guide" / "gimp.md").read_text("utf-8")
    named = set(re.findall(r"^\| `([\w-]+)`", page, re.MULTILINE))
    declared = (*fill_arguments(), *edit_arguments(), *select_arguments())
    assert named == {argument.name for argument in declared}
