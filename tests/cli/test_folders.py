"""Folders as they come: hidden files, records beside masks, bad files, second runs, links."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from inpaint_cli.batch import _folder_names
from PIL import Image

Command = Callable[..., "subprocess.CompletedProcess[str]"]
FILL = ["fill", "images", "--mask", "masks", "--out", "out", "-n", "1", "--smooth", "never"]


def image(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(shade)
    Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(path)


def mask(path: Path, left: int = 10) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.zeros((40, 50), np.uint8)
    pixels[10:20, left : left + 10] = 255
    Image.fromarray(pixels).save(path)


def pair(folder: Path, name: str) -> None:
    image(folder / "images" / f"{name}.png")
    mask(folder / "masks" / f"{name}.png")


def run(inpaint: Command, *more: str) -> dict[str, Any]:
    ended = inpaint(*FILL, "--json", *more)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    result: dict[str, Any] = json.loads(ended.stdout)
    return result


def test_what_is_no_image_is_passed_over(inpaint: Command, tmp_path: Path) -> None:
    pair(tmp_path, "a")
    for name in ("._a.png", ".hidden.png", "Thumbs.db", "notes.txt"):
        (tmp_path / "images" / name).write_bytes(b"\0\5\x16\7")
    for name in ("a.json", "a.txt", "._a.png"):
        (tmp_path / "masks" / name).write_text("{}")
    assert [Path(one["image"]).name for one in run(inpaint)["images"]] == ["a.png"]


def test_a_bad_file_never_stops_the_others(inpaint: Command, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        pair(tmp_path, name)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("a file where a folder should be")
    (tmp_path / "images" / "b.png").unlink()
    (tmp_path / "images" / "b.png").symlink_to("nowhere.png")
    Image.new("CMYK", (50, 40)).save(
        tmp_path / "images" / "c.jpg", icc_profile=b"no profile at all"
    )
    (tmp_path / "images" / "c.png").unlink()
    Image.new("L", (50, 40)).save(tmp_path / "masks" / "d.png")
    ended = inpaint(*FILL, "--json")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    lines = ended.stderr.splitlines()
    assert [line.split(": ")[1][-5:] for line in lines] == ["a.png", "b.png", "c.jpg", "d.png"]
    assert "does not exist" in lines[1]
    assert "profile is damaged and is ignored" in lines[2]
    assert "empty" in lines[3]
    result = json.loads(ended.stdout)
    assert [Path(one["image"]).name for one in result["images"]] == ["c.jpg", "e.png"]
    assert result["failed"] == 3


def test_a_second_run_makes_anew_what_has_changed(inpaint: Command, tmp_path: Path) -> None:
    for name in ("a", "b"):
        pair(tmp_path, name)
    run(inpaint, "-n", "2")
    made = tmp_path / "out" / "a" / "candidate-00.png"
    first, kept = made.read_bytes(), (tmp_path / "out/b/candidate-00.png").stat().st_mtime_ns
    before = made.stat().st_mtime_ns
    run(inpaint, "-n", "2")
    assert made.stat().st_mtime_ns == before, "nothing has changed"

    mask(tmp_path / "masks" / "a.png", left=30)
    run(inpaint, "-n", "2")
    second = made.read_bytes()
    assert second != first
    image(tmp_path / "images" / "a.png", shade=1)
    run(inpaint, "-n", "2")
    assert made.read_bytes() != second
    assert (tmp_path / "out/b/candidate-00.png").stat().st_mtime_ns == kept

    run(inpaint)  # fewer candidates: the others of the earlier run go
    assert not (tmp_path / "out" / "a" / "candidate-01.png").exists()
    made.unlink()
    run(inpaint)
    assert made.exists(), "a result that was removed is made again"
    own = tmp_path / "out" / "a" / "mine.png"
    shutil.copy(made, own)
    run(inpaint, "--seed", "5")
    assert own.exists(), "what others put there stays"


def test_links_are_followed_and_folders_reported(inpaint: Command, tmp_path: Path) -> None:
    pair(tmp_path, "a")
    (tmp_path / "elsewhere").mkdir()
    for kind in ("images", "masks"):
        (tmp_path / kind / "a.png").rename(tmp_path / "elsewhere" / f"{kind}.png")
        (tmp_path / kind / "a.png").symlink_to(tmp_path / "elsewhere" / f"{kind}.png")
    (tmp_path / "images" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "images")
    ended = inpaint("fill", "link", *FILL[2:])
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["out/a"]
    (line,) = ended.stderr.splitlines()
    assert "link/more is a folder and is passed over" in line


def test_names_that_are_alike_do_not_overwrite_each_other(inpaint: Command, tmp_path: Path) -> None:
    names = ["a.png", "a.jpg", "B.png", "b.png", "e\N{COMBINING ACUTE ACCENT}.png", "肖像.png"]
    for number, name in enumerate(names):
        image(tmp_path / "images" / name, shade=number)
    for name in ("a", "B", "b", "\N{LATIN SMALL LETTER E WITH ACUTE}", "肖像"):
        mask(tmp_path / "masks" / f"{name}.png")
    result = run(inpaint)["images"]
    sheets = [Path(one["sheet"]).parent.name.casefold() for one in result]
    assert len(set(sheets)) == len(names)
    assert {Path(one["image"]).name for one in result} == set(names)


@pytest.mark.parametrize(
    ("names", "folders"),
    [
        (["a.png", "b.png"], ["a", "b"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["A.png", "a.png"], ["A.png", "a.png-2"]),
        (["a.jpg", "a.jpg.png", "a.png"], ["a.jpg", "a.jpg-2", "a.png"]),
        (["\u00e9.png", "e\u0301.png"], ["\u00e9.png", "e\u0301.png-2"]),
    ],
)
def test_folders_of_images(names: list[str], folders: list[str]) -> None:
    assert _folder_names([Path(name) for name in names]) == folders


def test_several_masks_for_one_image_are_refused(inpaint: Command, tmp_path: Path) -> None:
    pair(tmp_path, "a")
    (tmp_path / "masks" / "a.png").rename(tmp_path / "masks" / "a.tif")
    mask(tmp_path / "masks" / "a.webp")
    ended = inpaint(*FILL)
    assert ended.returncode == 2
    assert "several masks for a.png: a.tif, a.webp" in ended.stderr
