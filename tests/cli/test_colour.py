"""Profiles: to the wire and back, against littleCMS."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from inpaint_cli.colour import (
    MatrixSpace,
    Srgb,
    TableSpace,
    document_pixels,
    linear_from_srgb,
    space_of,
    srgb_from_linear,
    wire_pixels,
)
from inpaint_cli.images import Document
from PIL import Image, ImageCms

RNG = np.random.default_rng(0)


def s15(value: float) -> int:
    return round(value * 65536)


def profile(
    red: tuple[float, float, float],
    green: tuple[float, float, float],
    blue: tuple[float, float, float],
    curve: bytes,
) -> bytes:
    """A matrix profile, written by hand from the ICC specification."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(67 + 11),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", *map(s15, (0.9642, 1.0, 0.8249))),
        b"rXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", *map(s15, red)),
        b"gXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", *map(s15, green)),
        b"bXYZ": b"XYZ \0\0\0\0" + struct.pack(">3i", *map(s15, blue)),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, data = b"", b""
    offset = 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, offset + len(data), len(content))
        data += content
    head = bytearray(128)
    head[8:12], head[12:16], head[16:20], head[20:24] = b"\2\x10\0\0", b"mntr", b"RGB ", b"XYZ "
    head[36:40] = b"acsp"
    struct.pack_into(">3i", head, 68, *map(s15, (0.9642, 1.0, 0.8249)))
    whole = bytes(head) + struct.pack(">I", len(tags)) + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


GAMMA_22 = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
TABLE = (
    b"curv\0\0\0\0"
    + struct.pack(">I", 64)
    + struct.pack(">64H", *(round(65535 * (k / 63) ** 1.8) for k in range(64)))
)
PARAMETRIC = b"para\0\0\0\0" + struct.pack(
    ">HH5i", 3, 0, *map(s15, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)
WIDE = (0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)
SRGB = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)


@pytest.mark.parametrize("curve", [GAMMA_22, TABLE, PARAMETRIC], ids=["gamma", "table", "para"])
def test_wide_profiles_agree_with_littlecms(curve: bytes) -> None:
    icc = profile(*WIDE, curve)
    pixels = RNG.integers(100, 150, (40, 50, 3)).astype(np.uint8)  # inside sRGB after conversion
    document = Document(pixels, icc)
    space = space_of(document)
    assert isinstance(space, MatrixSpace)
    ours = wire_pixels(document, space)
    theirs = ImageCms.profileToProfile(
        Image.fromarray(pixels), ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"), renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    assert np.abs(ours.astype(int) - np.asarray(theirs)).max() <= 1
    back = document_pixels(ours, document, space)
    assert np.abs(back.astype(int) - pixels).max() <= 2


def test_16_bits_stay_16_bits() -> None:
    pixels = RNG.integers(26000, 38000, (40, 50, 4)).astype(np.uint16)
    document = Document(pixels, profile(*WIDE, GAMMA_22))
    space = space_of(document)
    back = document_pixels(wire_pixels(document, space), document, space)
    assert np.abs(back.astype(int) - pixels).max() <= 24
    assert (back[..., 3] == pixels[..., 3]).all()


def test_srgb_profiles_change_nothing() -> None:
    for icc in (
        b"",
        profile(*SRGB, PARAMETRIC),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ):
        document = Document(RNG.integers(0, 256, (5, 6, 3)).astype(np.uint8), icc)
        assert isinstance(space_of(document), Srgb)
        assert wire_pixels(document, space_of(document)) is document.pixels


def test_gray_with_alpha_travels_as_rgba() -> None:
    pixels = RNG.integers(0, 65536, (8, 9, 2)).astype(np.uint16)
    document = Document(pixels)
    sent = wire_pixels(document, space_of(document))
    assert sent.shape == (8, 9, 4)
    assert (sent[..., :3] == pixels[..., :1]).all()
    back = document_pixels(sent, document, space_of(document))
    assert np.abs(back.astype(int) - pixels).max() <= 1


def test_broken_profiles_count_as_none() -> None:
    good = profile(*WIDE, GAMMA_22)
    for cut in range(0, len(good), 9):
        document = Document(np.zeros((2, 2, 3), np.uint8), good[:cut] + b"\0" * 4)
        space = space_of(document)
        assert isinstance(space, Srgb | MatrixSpace | TableSpace)


def test_the_curve_and_its_inverse() -> None:
    x = np.linspace(0, 1, 1001, dtype=np.float32)
    np.testing.assert_allclose(linear_from_srgb(srgb_from_linear(x)), x, atol=1e-6)
    assert srgb_from_linear(np.float32([0.5]))[0] == pytest.approx(0.7353569, abs=1e-6)
