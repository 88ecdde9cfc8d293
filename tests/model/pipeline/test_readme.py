"""The README's example, run as it stands, with the model that ships."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from inpaint_client.example import MASK, PORTRAIT
from PIL import Image
from shared_files import SHARED

ROOT = Path(__file__).resolve().parents[3]


def run_example(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Run the example in a folder with `photo.jpg` and `mask.png`; return what it wrote."""
    readme = ROOT / "README.md"
    [example] = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), re.DOTALL)
    lines = [line for line in example.splitlines() if line and "import" not in line]
    assert len(lines) == 6
    monkeypatch.chdir(folder)
    exec(compile(example, str(readme), "exec"), {})  # noqa: S102 (our own page)
    return sorted(folder.glob("fill-*.png"))


def check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = np.asarray(Image.open(folder / "photo.jpg"))
    outside = np.asarray(Image.open(folder / "mask.png").convert("L")) == 0
    fills = [np.asarray(Image.open(path)) for path in run_example(folder, monkeypatch)]
    assert len(fills) == 4
    assert len({fill.tobytes() for fill in fills}) == 4
    for fill in fills:
        assert (fill.shape, fill.dtype) == (photo.shape, photo.dtype)
        assert (fill[outside] == photo[outside]).all()
        assert (fill[~outside] != photo[~outside]).any()


@pytest.mark.slow
def test_an_image_larger_than_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.open(PORTRAIT).convert("RGB")
    mask = Image.open(MASK)
    size = (image.width * 3 // 2, image.height * 3 // 2)
    image.resize(size).save(tmp_path / "photo.jpg")
    mask.resize(size).save(tmp_path / "mask.png")
    check(tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.shared("photos")
def test_a_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photograph = Image.open(sorted((SHARED / "photos").glob("*.jpg"))[0]).convert("RGB")
    photograph.save(tmp_path / "photo.jpg")
    mask = np.zeros((photograph.height, photograph.width), np.uint8)
    mask[mask.shape[0] // 3 : mask.shape[0] // 2, mask.shape[1] // 3 : mask.shape[1] * 2 // 3] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    check(tmp_path, monkeypatch)
