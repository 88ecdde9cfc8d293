"""Images and masks of other programs: ImageMagick and libtiff's tools (`foreign/make.sh`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from inpaint_cli.images import read_document
from inpaint_cli.masks import read_mask
from PIL import Image

FOREIGN = Path(__file__).parent / "foreign"
IMAGES = sorted(
    path.name
    for path in FOREIGN.iterdir()
    if path.suffix in {".png", ".jpg", ".tif", ".webp"} and not path.name.startswith("mask")
)
FEW_COLORS = {"palette.tif", "palette.png", "lab.tif"}
WHITE = {1: 255.0, 2: 65535.0, 4: 1.0}  # by the size of a sample


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_what_it_was_made_of(name: str) -> None:
    source = np.asarray(Image.open(FOREIGN / "source.png")) / 255
    read = read_document(FOREIGN / name)
    pixels = read.pixels / WHITE[read.pixels.dtype.itemsize]
    assert read.notes == ()
    assert pixels.shape[:2] == source.shape[:2]
    error = np.abs(pixels[..., :3] - source).mean()
    assert error < (0.03 if name in FEW_COLORS else 0.006)
    if name == "transparent.tif":
        assert np.allclose(pixels[..., 3], 0.5, atol=0.01)


@pytest.mark.parametrize("name", ["mask-g4.tif", "mask.png", "mask-rle.tif"])
def test_a_mask_is_the_rectangle_that_was_drawn(name: str) -> None:
    coverage = read_mask(FOREIGN / name, 24, 16, "fill").coverage
    drawn = np.zeros((16, 24), np.uint8)
    drawn[4:11, 6:15] = 255
    assert (coverage == drawn).all()
