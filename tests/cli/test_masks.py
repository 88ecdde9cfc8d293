"""Masks as programs write them: taken for what they plainly mean, else refused with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_cli.images import UnusableImageError
from inpaint_cli.masks import read_mask
from PIL import Image, ImageDraw

SIDE = 64


def ellipse(low: float = 0, high: float = 255) -> npt.NDArray[np.uint8]:
    image = Image.new("L", (SIDE, SIDE), int(low))
    ImageDraw.Draw(image).ellipse((20, 15, 45, 50), int(high))
    return np.asarray(image)


HOLE = ellipse() > 0


def is_the_ellipse(path: Path, **how: Any) -> tuple[str, ...]:
    mask = read_mask(path, SIDE, SIDE, **how)
    assert (mask.coverage == HOLE * np.uint8(255)).all()
    return mask.notes


def painted(*color: int) -> Image.Image:
    """Paint on black, or on transparency if the color has alpha."""
    image = Image.new("RGB" if len(color) == 3 else "RGBA", (SIDE, SIDE))
    ImageDraw.Draw(image).ellipse((20, 15, 45, 50), color)
    return image


def palette(colors: list[int], index: int = 1) -> Image.Image:
    image = Image.new("P", (SIDE, SIDE))
    image.putpalette(colors)
    ImageDraw.Draw(image).ellipse((20, 15, 45, 50), index)
    return image


@pytest.mark.parametrize(
    ("image", "note"),
    [
        (Image.fromarray(ellipse()), ""),
        (Image.fromarray(ellipse(high=1)), "no white"),
        (Image.fromarray(ellipse(high=100)), "no white"),
        (Image.fromarray(ellipse()).convert("1"), ""),
        (Image.fromarray(ellipse()).convert("RGB"), ""),
        (Image.fromarray(ellipse()).convert("LA"), ""),
        (painted(255, 0, 0), ""),
        (painted(0, 0, 255), ""),
        (painted(128, 0, 0), "no white"),
        (painted(255, 255, 255, 255), ""),
        (painted(0, 0, 0, 255), "painted areas are filled"),
        (painted(255, 0, 255, 255), ""),
        (palette([0, 0, 0, 255, 255, 255]), ""),
        (palette([0, 0, 0, 128, 0, 0]), "no white"),
        (palette([0, 0, 0, 1, 1, 1]), "no white"),
        (palette([0] * 6), ""),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else value,
)
def test_what_was_plainly_meant(tmp_path: Path, image: Image.Image, note: str) -> None:
    path = tmp_path / "mask.png"
    image.save(path)
    notes = is_the_ellipse(path)
    assert [note in one for one in notes] == ([True] if note else [])


def test_transparency_of_a_palette(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    palette([9, 9, 9, 255, 255, 255]).save(path, transparency=0)
    is_the_ellipse(path)


@pytest.mark.parametrize("white", [1, 255, 4095, 65535])
def test_masks_of_16_bits(tmp_path: Path, white: int) -> None:
    deep = HOLE.astype(np.uint16) * np.uint16(white)
    (tmp_path / "mask.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(tmp_path / "mask.tif", deep)
    for name in ("mask.png", "mask.tif"):
        is_the_ellipse(tmp_path / name)


@pytest.mark.parametrize("white", [0.5, 1.0, 255.0])
def test_masks_of_floats(tmp_path: Path, white: float) -> None:
    values = HOLE.astype(np.float32) * np.float32(white)
    values[0, 0] = np.nan
    tifffile.imwrite(tmp_path / "mask.tif", values)
    is_the_ellipse(tmp_path / "mask.tif")


def test_the_noise_of_a_jpeg_is_no_hole(tmp_path: Path) -> None:
    path = tmp_path / "mask.jpg"
    Image.fromarray(ellipse()).save(path, quality=60)
    coverage = read_mask(path, SIDE, SIDE).coverage
    near = np.asarray(Image.fromarray(HOLE).resize((SIDE, SIDE))) > 0
    assert not coverage[:8].any()
    assert coverage[25:40, 28:38].min() == 255
    assert np.abs(int((coverage > 127).sum()) - int(near.sum())) < 80


def test_white_times_alpha_and_soft_edges(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0] = 255, 255, 255, 255
    pixels[0, 1, 3] = 100
    pixels[1, 0] = 128, 128, 128, 255
    Image.fromarray(pixels).save(path)
    assert read_mask(path, 3, 2).coverage.tolist() == [[255, 100, 255], [128, 0, 0]]
    path.write_bytes(imagecodecs.png_encode(np.array([[0, 257, 65535]], np.uint16)))
    assert read_mask(path, 3, 1).coverage.tolist() == [[0, 1, 255]]


def photograph() -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[:SIDE, :SIDE]
    planes = [np.sin(x / 9), np.cos(y / 7), np.sin((x + y) / 11)]
    return (np.stack(planes, axis=2) * 120 + 127).astype(np.uint8)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((SIDE, SIDE), np.uint8), ["empty", "areas to fill white"]),
        (np.full((SIDE, SIDE), 255, np.uint8), ["covers the entire image"]),
        (np.full((SIDE, SIDE), 1, np.uint8), ["covers the entire image"]),
        (255 - ellipse(), ["white along all its edges", "--white keep", "--white fill"]),
        (photograph(), ["appears to be a photograph"]),
        (ellipse(0, 1) + ellipse(0, 1) * (np.arange(SIDE) > 32), ["numbers 1, 2", "classes"]),
        (np.zeros((SIDE, SIDE, 4), np.uint8), ["empty"]),
    ],
)
def test_ambiguous_masks_are_refused(
    tmp_path: Path, pixels: npt.NDArray[np.uint8], words: list[str]
) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    with pytest.raises(UnusableImageError) as raised:
        read_mask(path, SIDE, SIDE)
    for word in ("mask.png", *words):
        assert word in str(raised.value)


def test_white_can_mean_keep(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(255 - ellipse()).save(path)
    is_the_ellipse(path, white="keep")
    assert (read_mask(path, SIDE, SIDE, "fill").coverage == 255 - ellipse()).all()
    Image.fromarray(np.full((SIDE, SIDE), 255, np.uint8)).save(path)
    with pytest.raises(UnusableImageError, match="areas to fill black"):
        read_mask(path, SIDE, SIDE, "keep")


def test_another_size_is_refused(tmp_path: Path) -> None:
    Image.new("L", (5, 4), 255).save(tmp_path / "mask.png")
    with pytest.raises(UnusableImageError, match="5 x 4 px, but the image is 4 x 4"):
        read_mask(tmp_path / "mask.png", 4, 4)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_gray_mask_is_scaled_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.integers(0, 255), min_size=12, max_size=12))
    pixels = np.array([0, *values[1:]], np.uint8).reshape(3, 4)
    pixels[2, 3] = data.draw(st.integers(21, 255))
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    coverage = read_mask(tmp_path / "mask.png", 4, 3, "fill").coverage
    assert np.abs(coverage - pixels / pixels.max() * 255).max() <= 0.5 + 1e-4
