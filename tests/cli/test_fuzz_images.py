"""Mutated images and masks: refused in a sentence or read, within a limit of memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from imagecodecs import cms_profile
from PIL import Image, ImageCms

MUTANTS = int(os.environ.get("FUZZ_IMAGES", "200"))
LIMIT = 3072  # MiB of addresses; the libraries themselves take more than half a GiB
SCRIPT = Path(__file__).parents[1] / "support" / "mutated_images.py"


def good_files(folder: Path) -> None:
    folder.mkdir()
    y, x = np.mgrid[:24, :32]
    pixels = np.stack([x * 7, y * 9, (x + y) * 4, 255 - x * 3], axis=2).astype(np.uint8)
    rgb, exif, icc = Image.fromarray(pixels[..., :3]), Image.Exif(), cms_profile("adobergb")
    exif[0x010E], exif[0x0112] = "described", 6
    exif.get_ifd(0x8769)[0x9003] = "2020:02:03 04:05:06"
    more: dict[str, Any] = {"exif": exif, "icc_profile": icc}
    rgb.save(folder / "rgb.png", dpi=(300, 300), **more)
    rgb.save(folder / "rgb.jpg", comment=b"note", xmp=b"<x/>", **more)
    rgb.save(folder / "rgb.webp", lossless=True, **more)
    rgb.save(folder / "rgb.tif", **more)
    rgb.convert("CMYK").save(folder / "cmyk.jpg", icc_profile=icc)
    rgb.convert("P").save(folder / "palette.png", transparency=3)
    rgb.convert("1").save(folder / "bits.tif")
    Image.fromarray(pixels).save(folder / "rgba.png")
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(rgb, srgb, lab, outputMode="LAB")
    assert image is not None
    image.save(folder / "lab.tif")
    deep = pixels.astype(np.uint16) * 257
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(folder / "deep.tif", deep, photometric="rgb", extrasamples=["unassalpha"],
                     compression="zlib")  # fmt: skip
    tifffile.imwrite(folder / "float.tif", pixels[..., 0] / np.float32(255))
    mask = np.zeros((24, 32), np.uint8)
    mask[5:15, 8:20] = 1
    Image.fromarray(mask).save(folder / "mask.png")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory as Linux does")
def test_mutants_are_refused_or_read_within_bounds(tmp_path: Path) -> None:
    good_files(tmp_path / "good")
    command = [sys.executable, str(SCRIPT), str(tmp_path / "good"), str(MUTANTS), "7", str(LIMIT)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    bad = [line for line in ended.stdout.splitlines() if line.startswith("BAD")]
    assert not bad, "\n".join(bad[:20])
    assert f"{MUTANTS} mutants" in ended.stdout
    assert "Traceback" not in ended.stderr
    print(ended.stdout)
