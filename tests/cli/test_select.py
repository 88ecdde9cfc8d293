"""`inpaint select` against a real daemon."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from inpaint_client.example import PORTRAIT
from PIL import Image

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_mask_of_a_part_is_written_and_can_be_filled(inpaint: Command, tmp_path: Path) -> None:
    ended = inpaint("select", PORTRAIT, "--part", "mouth", "--out", "mouth.png", "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["mask"] == "mouth.png"
    assert told["parts"] == ["mouth"]
    ((number, side),) = [(face["number"], face["frame"][2]) for face in told["faces"]]
    assert number == 1
    with Image.open(PORTRAIT) as image, Image.open(tmp_path / "mouth.png") as mask:
        assert mask.mode == "L"
        assert mask.size == image.size
        assert side == pytest.approx(image.width, rel=0.1)
        covered = np.asarray(mask) > 127
    rows, columns = np.nonzero(covered)
    assert 0.6 < rows.mean() / len(covered) < 0.85  # the lower half of an aligned face
    assert 0.4 < columns.mean() / len(covered) < 0.6
    filled = inpaint("fill", PORTRAIT, "--mask", "mouth.png", "--out", "filled", "-n", "1")
    assert filled.returncode == 0, filled.stderr


@pytest.mark.parametrize("side", [1537, 2101, 3073])
def test_several_parts_are_joined_and_a_large_image_gets_a_mask_of_its_size(
    inpaint: Command, tmp_path: Path, side: int
) -> None:
    with Image.open(PORTRAIT) as image:
        large = image.convert("RGB").resize((side, side))
    large.save(tmp_path / "large.png")
    areas = []
    for parts in ("hair", "hair,eyes"):
        ended = inpaint("select", "large.png", "--part", parts, "--face", "1", "--out", "mask.png")
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == "mask.png\n"
        with Image.open(tmp_path / "mask.png") as mask:
            assert mask.size == large.size
            covered = np.asarray(mask) > 127
            areas.append(int(covered.sum()))
    assert areas[1] > areas[0] > 0
    rows, columns = np.nonzero(covered)  # the hair and the eyes of a face that fills the image
    assert 0.2 < rows.mean() / side < 0.6
    assert 0.4 < columns.mean() / side < 0.6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--part", "nose"], "'nose' must be a list of hair, skin"),
        (["--part", "hair", "--out", "mask.jpg"], "'mask.jpg' must end with .png"),
        (["--part", "hair", "--face", "0"], "'0' is not a whole number from 1"),
        (["--part", "hair", "--face", "2"], "shows 1 face; --face 2 is too high"),
    ],
)
def test_bad_arguments_are_refused(inpaint: Command, arguments: list[str], message: str) -> None:
    ended = inpaint("select", PORTRAIT, "--out", "mask.png", *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr


def test_an_image_without_faces_has_no_parts_but_a_background(
    inpaint: Command, tmp_path: Path
) -> None:
    Image.new("RGB", (90, 60), "gray").save(tmp_path / "gray.png")
    ended = inpaint("select", "gray.png", "--part", "eyes", "--out", "mask.png")
    assert ended.returncode == 2
    assert ended.stderr == "inpaint: no face was found in gray.png\n"
    assert not (tmp_path / "mask.png").exists()
    ended = inpaint("select", "gray.png", "--part", "background", "--out", "mask.png")
    assert ended.returncode == 0, ended.stderr


def test_hair_has_room_to_be_filled_unless_none_is_wanted(inpaint: Command, tmp_path: Path) -> None:
    areas = []
    for room in ((), ("--room", "0"), ("--room", "0.05")):
        ended = inpaint("select", PORTRAIT, "--part", "hair", *room, "--out", "hair.png")
        assert ended.returncode == 0, ended.stderr
        with Image.open(tmp_path / "hair.png") as mask:
            areas.append(int((np.asarray(mask) > 127).sum()))
    assert areas[1] < areas[0] < areas[2]
    refused = inpaint("select", PORTRAIT, "--part", "hair", "--room", "0.5", "--out", "hair.png")
    assert refused.returncode == 2
    assert "0.5 is not between 0 and 0.2" in refused.stderr
