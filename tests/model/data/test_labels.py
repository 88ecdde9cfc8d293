"""Classes of images, from dataset.json."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from inpaint_model.data import labels
from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.labels import Classes, read_classes

NAMES = ("train/a.png", "train/b.png", "val/c.png")
WHOLE = {"labels": [["train/a.png", 2], ["train/b.png", 0], ["val/c.png", None]]}


def folder(path: Path, document: Any, place: str = "", names: tuple[str, ...] = NAMES) -> Path:
    """Files that only have names, and a dataset.json in the folder `place`."""
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    text = document if isinstance(document, str) else json.dumps(document)
    (path / place / "dataset.json").write_text(text, "utf-8")
    return path


def zipped(path: Path) -> Path:
    archive = path.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as file:
        for member in path.rglob("*.*"):
            file.write(member, member.relative_to(path).as_posix())
    return archive


def test_folders_and_zips_say_the_same(tmp_path: Path) -> None:
    """One class more than the largest number, also where only some images are taken."""
    there = folder(tmp_path / "faces", WHOLE)
    for source in (there, zipped(there), f"{there}:train", f"{zipped(there)}:train"):
        classes = read_classes([source])
        assert classes == Classes({"train/a.png": 2, "train/b.png": 0}, 3)


def test_names_are_relative_to_the_files_own_folder(tmp_path: Path) -> None:
    """That of the prefix counts before the root's."""
    there = folder(tmp_path / "faces", WHOLE)
    folder(there, {"labels": [["a.png", 1], ["b.png", 1]]}, "train")
    for source in (f"{there}:train", f"{zipped(there)}:train/"):
        assert read_classes(source).by_name == {"train/a.png": 1, "train/b.png": 1}
    assert read_classes(there).count == 3


def test_several_sources_share_their_numbers(tmp_path: Path) -> None:
    first = folder(tmp_path / "first", {"labels": [["a.png", 0]]}, names=("a.png",))
    other = folder(tmp_path / "other", {"labels": [["sub\\b.png", 4]]}, names=("sub/b.png",))
    assert read_classes([first, str(other)]) == Classes({"a.png": 0, "sub/b.png": 4}, 5)


def test_images_get_their_classes(tmp_path: Path) -> None:
    classes = read_classes(folder(tmp_path / "faces", WHOLE))
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    images = classes.given_to(ImageSet(NAMES[:2], pixels))
    assert images.labels(torch.tensor([1, 0, 0])).tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert ImageSet(NAMES[:2], pixels).labels(torch.tensor([1])).shape == (1, 0)
    with pytest.raises(
        ValueError, match=r"no class to val/c.png \(nor to 0 others\); add the classes"
    ):
        classes.given_to(ImageSet(NAMES[1:], pixels))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "cannot be read"),
        ("{", "cannot be read"),
        ('{"labels": ' + "[" * 100_000, "cannot be read"),
        ('{"labels": [["train/a.png", ' + "9" * 5000 + "]]}", "cannot be read"),
        ("[]", "has no labels; put a dataset.json with .* next to the images"),
        ({}, "has no labels"),
        ({"labels": None}, "has no labels"),
        ({"labels": []}, "no class to any image"),
        ({"labels": [["train/a.png", None]]}, "no class to any image"),
        ({"labels": {"train/a.png": 0}}, "give pairs of an image's name and its class"),
        ({"labels": ["train/a.png"]}, 'has the invalid label "train/a.png"; give pairs'),
        ({"labels": [["train/a.png", 0, 1]]}, "give pairs"),
        ({"labels": [[0, "train/a.png"]]}, "give pairs"),
        ({"labels": [["train/a.png", -1]]}, "a whole number from 0 to 8191"),
        ({"labels": [["train/a.png", 8192]]}, "a whole number from 0 to 8191"),
        ({"labels": [["train/a.png", True]]}, "give pairs"),
        ({"labels": [["train/a.png", 1.0]]}, "give pairs"),
        ({"labels": [["train/a.png", [0.5, 0.5]]]}, "give pairs"),
        ({"labels": [["x" * 10_000]]}, r'\["x+ \.\.\.; give pairs'),
        ({"labels": [["train/a.png", 0], ["train/a.png", 1]]}, "two classes to train/a.png"),
    ],
)
def test_hostile_files_are_one_sentence(tmp_path: Path, document: Any, message: str) -> None:
    there = folder(tmp_path / "faces", document)
    for source in (there, zipped(there)):
        with pytest.raises(ValueError, match=message) as caught:
            read_classes(source)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_without_a_file_or_with_a_huge_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = folder(tmp_path / "faces", WHOLE)
    monkeypatch.setattr(labels, "MAX_BYTES", 20)
    for source in (there, zipped(there)):
        with pytest.raises(ValueError, match="it has 73 bytes, more than 20"):
            read_classes(source)
    (there / "dataset.json").unlink()
    with pytest.raises(ValueError, match="has no labels"):
        read_classes(there)
    with pytest.raises(ValueError, match="does not exist"):
        read_classes(tmp_path / "nowhere")
