"""Image files: what is read is what was written, at every depth, with its metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from imagecodecs import cms_profile
from inpaint_cli.images import (
    Document,
    UnusableImageError,
    read_document,
    write_document,
)
from PIL import Image, ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(channels: int, dtype: str, height: int = 13, width: int = 17) -> npt.NDArray[Any]:
    rng = np.random.default_rng(channels)
    if dtype == "float32":
        return rng.random((height, width, channels), np.float32) * 2
    return rng.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, endpoint=True)


DEPTHS = [
    (".png", "uint8"),
    (".png", "uint16"),
    (".tif", "uint8"),
    (".tif", "uint16"),
    (".tif", "float32"),
]


@pytest.mark.parametrize(
    ("extension", "dtype", "channels"),
    [(*depth, channels) for depth in DEPTHS for channels in (1, 2, 3, 4)]
    + [(".webp", "uint8", 3), (".webp", "uint8", 4)],  # WebP has no gray
)
def test_pixels_and_profile_come_back(
    tmp_path: Path, extension: str, dtype: str, channels: int
) -> None:
    path = tmp_path / f"image{extension}"
    icc = SRGB if channels >= 3 else cms_profile("gray", gamma=2.2)
    written = Document(noise(channels, dtype), icc=icc)
    if channels == 4 and extension == ".webp":
        written.pixels[..., 3] |= 1  # the color of transparent pixels is free in WebP
    write_document(path, written)
    read = read_document(path)
    assert read.pixels.dtype == np.dtype(dtype)
    assert read.pixels.tobytes() == written.pixels.tobytes()
    assert read.icc == icc
    assert read.notes == ()


def test_pillow_reads_the_deep_png_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "described"
    path = tmp_path / "deep.png"
    write_document(path, Document(noise(3, "uint16"), SRGB, exif.tobytes()))
    with Image.open(path) as image:
        image.load()
        assert image.info["icc_profile"] == SRGB
        assert image.getexif()[0x010E] == "described"


def test_jpeg_is_read_and_written_with_its_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0110] = "camera"
    path = tmp_path / "photo.jpg"
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (64, 1, 3))
    write_document(path, Document(smooth, SRGB, exif.tobytes()))
    read = read_document(path)
    assert np.abs(read.pixels.astype(int) - smooth).max() <= 3
    assert read.icc == SRGB
    assert b"camera" in read.exif


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "turned.png"
    pixels = noise(3, "uint8")
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    read = read_document(path)
    with Image.open(path) as image:
        from PIL import ImageOps

        expected = np.asarray(ImageOps.exif_transpose(image))
    assert read.pixels.tobytes() == expected.tobytes()
    again = Image.Exif()
    again.load(read.exif)
    assert again[0x0112] == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_is_read(tmp_path: Path, mode: str) -> None:
    extension = "tif" if mode == "CMYK" else "png"
    path = tmp_path / f"image.{extension}"
    base = Image.fromarray(noise(3, "uint8"))
    image = base.convert("L").convert("I;16") if mode == "I;16" else base.convert(mode)
    image.save(path)
    read = read_document(path)
    wanted = {"1": 1, "L": 1, "LA": 2, "P": 3, "RGB": 3, "RGBA": 4, "CMYK": 3, "I;16": 1}[mode]
    assert read.pixels.shape == (13, 17, wanted)
    assert read.pixels.dtype == (np.uint16 if mode == "I;16" else np.uint8)


def test_other_tiffs(tmp_path: Path) -> None:
    pixels = noise(3, "uint16")
    path = tmp_path / "planar.tif"
    tifffile.imwrite(
        path, np.moveaxis(pixels, 2, 0), photometric="rgb", planarconfig="separate",
        compression="lzw",
    )  # fmt: skip
    assert (read_document(path).pixels == pixels).all()
    gray = noise(1, "uint16")[..., 0]
    tifffile.imwrite(path, gray, photometric="miniswhite")
    assert (read_document(path).pixels[..., 0] == 65535 - gray).all()


def refused(function: Any, *words: str) -> None:
    with pytest.raises(UnusableImageError) as raised:
        function()
    assert "\n" not in str(raised.value)
    for word in words:
        assert word in str(raised.value)


def test_what_cannot_be_used(tmp_path: Path) -> None:
    refused(lambda: read_document(tmp_path / "none.png"), "none.png", "does not exist")
    (tmp_path / "text.png").write_text("hello")
    refused(lambda: read_document(tmp_path / "text.png"), "text.png", "cannot be read")
    whole = io.BytesIO()
    Image.fromarray(noise(3, "uint8")).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:200])
    refused(lambda: read_document(tmp_path / "cut.png"), "cut.png", "cannot be read")
    Image.fromarray(noise(3, "uint8")).save(tmp_path / "animation.gif")
    refused(lambda: read_document(tmp_path / "animation.gif"), "animation.gif")
    deep = Document(noise(3, "uint16"))
    refused(lambda: write_document(tmp_path / "deep.jpg", deep), "JPEG", "--format tiff")
    clear = Document(noise(4, "uint8"))
    refused(lambda: write_document(tmp_path / "clear.jpg", clear), "JPEG", "transparency")
    refused(lambda: write_document(tmp_path / "no" / "folder.png", clear), "cannot be written")


@pytest.mark.parametrize("position", range(0, 300, 7))
def test_a_damaged_deep_png_never_crashes(tmp_path: Path, position: int) -> None:
    path = tmp_path / "damaged.png"
    write_document(path, Document(noise(3, "uint16", 5, 5), SRGB))
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 0x55
    path.write_bytes(data)
    try:
        assert read_document(path).pixels.shape[2] in (1, 2, 3, 4)
    except UnusableImageError:
        return
