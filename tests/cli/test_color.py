"""Profiles: to the wire and back, exactly enough for every depth."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inpaint_cli.color import (
    ColorSpace,
    Srgb,
    document_pixels,
    space_of,
    wire_pixels,
)
from inpaint_cli.images import Document
from inpaint_cli.profiles import IccSpace
from inpaint_model.document.color import quantize
from PIL import Image, ImageCms

RNG = np.random.default_rng(0)


def s15(value: float) -> int:
    return round(value * 65536)


def written(space: bytes, version: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A profile of a display with XYZ in between, by hand from the ICC specification."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(67 + 11),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        **tags,
    }
    table, data = b"", b""
    offset = 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, offset + len(data), len(content))
        data += content
    head = bytearray(128)
    head[8:12], head[12:16], head[16:20], head[20:24] = version, b"mntr", space, b"XYZ "
    head[36:40] = b"acsp"
    struct.pack_into(">3i", head, 68, *map(s15, (0.9642, 1.0, 0.8249)))
    whole = bytes(head) + struct.pack(">I", len(tags)) + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *map(s15, values))


Triple = tuple[float, float, float]


def profile(red: Triple, green: Triple, blue: Triple, curve: bytes) -> bytes:
    """Three primaries and a curve."""
    tags = {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue)}
    return written(b"RGB ", b"\2\x10\0\0", {**tags, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def gray_profile(curve: bytes) -> bytes:
    return written(b"GRAY", b"\2\x10\0\0", {b"kTRC": curve})


def table_profile(red: Triple, green: Triple, blue: Triple, gamma: float) -> bytes:
    """Return the same space as a profile with two tables instead of a matrix."""
    encoded = 32768 / 65535  # 1.0 of XYZ in 16 bits
    matrix = np.array([red, green, blue]).T
    ramp = np.linspace(0, 1, 1024)
    corners = np.array([(r, g, b) for r in (0, 1) for g in (0, 1) for b in (0, 1)], float)
    linear = (0.0, 1.0)
    to_xyz = lut16(np.eye(3), ramp**gamma, corners @ matrix.T * encoded, linear)
    doubled = np.minimum(ramp / encoded, 1)
    from_xyz = lut16(np.linalg.inv(matrix), doubled, corners, ramp ** (1 / gamma))
    return written(b"RGB ", b"\2\x10\0\0", {b"A2B0": to_xyz, b"B2A0": from_xyz})


def lut16(matrix: Any, curve_in: Any, corners: Any, curve_out: Any) -> bytes:
    """A matrix, a curve for all channels, a table of 2 x 2 x 2 colors, another curve."""

    def words(values: Any) -> bytes:
        rounded: np.ndarray = np.rint(np.clip(values, 0, 1) * 65535).astype(">u2")
        return rounded.tobytes()

    head = struct.pack(">4s4x4B9i", b"mft2", 3, 3, 2, 0, *(s15(v) for v in np.ravel(matrix)))
    head += struct.pack(">2H", len(curve_in), len(curve_out))
    return head + words([curve_in] * 3) + words(corners) + words([curve_out] * 3)


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


P3 = (0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841)
ADOBE_CURVE = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
PROFILES = {
    "display-p3": profile(*P3, PARAMETRIC),
    "adobe-rgb": profile(*WIDE, ADOBE_CURVE),
    "sampled-curves": profile(*WIDE, TABLE),
    "tables": table_profile(*WIDE, 1.8),
}


def inside_srgb(space: ColorSpace, channels: int, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Pixels of a document [40, 50, channels] that sRGB can hold."""
    colors = RNG.uniform(0.05, 0.95, (40, 50, channels)).astype(np.float32)
    return quantize(space.from_srgb(colors), np.dtype(dtype))


@pytest.mark.parametrize("name", ["display-p3", "adobe-rgb", "sampled-curves"])
def test_eight_bits_agree_with_pillows_littlecms(name: str) -> None:
    """Not for tables: in 8 bits littleCMS puts a coarser one in their place."""
    icc = PROFILES[name]
    pixels = inside_srgb(IccSpace(icc, 3), 3, np.uint8)
    document = Document(pixels, icc)
    ours = wire_pixels(document, space_of(document))
    theirs = ImageCms.profileToProfile(
        Image.fromarray(pixels), ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
    )  # fmt: skip
    assert np.abs(ours.astype(int) - np.asarray(theirs)).max() <= 1


@pytest.mark.parametrize(
    ("dtype", "close"), [("uint8", 2), ("uint16", 40), ("float32", 5e-4)], ids=str
)
@pytest.mark.parametrize("icc", PROFILES.values(), ids=PROFILES.keys())
def test_there_and_back(icc: bytes, dtype: str, close: float) -> None:
    space = IccSpace(icc, 3)
    colors = inside_srgb(space, 3, dtype)
    pixels = np.concatenate([colors, colors[..., :1]], axis=2)  # with alpha
    document = Document(pixels, icc)
    sent = wire_pixels(document, space_of(document))
    back = document_pixels(sent, document, space_of(document))
    assert (sent.dtype, back.dtype) == (pixels.dtype, pixels.dtype)
    assert np.abs(sent[..., :3].astype(float) - colors).max() > 10 * close
    assert np.abs(back.astype(float) - pixels).max() <= close
    assert (sent[..., 3] == pixels[..., 3]).all()
    assert (back[..., 3] == pixels[..., 3]).all()


COLORS = np.array(
    [[[0.2, 0.2, 0.2], [0.8, 0.6, 0.5], [0.3, 0.25, 0.2], [0.4, 0.5, 0.6], [0.75, 0.7, 0.4]]],
    np.float32,
)


@pytest.mark.parametrize(
    ("name", "to_srgb", "from_srgb"),
    [
        ("display-p3",
         [(0.2000, 0.2000, 0.2000), (0.8368, 0.5896, 0.4823), (0.3100, 0.2476, 0.1928),
          (0.3729, 0.5037, 0.6100), (0.7607, 0.6978, 0.3498)],
         [(0.2000, 0.2000, 0.2000), (0.7693, 0.6080, 0.5152), (0.2918, 0.2518, 0.2063),
          (0.4199, 0.4971, 0.5908), (0.7414, 0.7017, 0.4397)]),
        ("adobe-rgb",
         [(0.1864, 0.1864, 0.1864), (0.8685, 0.6056, 0.4990), (0.3135, 0.2412, 0.1836),
          (0.3487, 0.5040, 0.6094), (0.7742, 0.7059, 0.3802)],
         [(0.2123, 0.2123, 0.2123), (0.7445, 0.5944, 0.5007), (0.2923, 0.2581, 0.2145),
          (0.4296, 0.4961, 0.5908), (0.7305, 0.6941, 0.4167)]),
    ],
)  # fmt: skip
def test_matrix_profiles_give_what_they_gave(
    name: str, to_srgb: list[Triple], from_srgb: list[Triple]
) -> None:
    """Against our own matrices and curves, which littleCMS replaced (docs/decisions/0033)."""
    space = IccSpace(PROFILES[name], 3)
    np.testing.assert_allclose(space.to_srgb(COLORS)[0], to_srgb, atol=5e-4)
    np.testing.assert_allclose(space.from_srgb(COLORS)[0], from_srgb, atol=5e-4)


def test_a_table_gives_the_same_result_as_the_matrix() -> None:
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(1.8 * 256)) + b"\0\0"
    table, matrix = IccSpace(PROFILES["tables"], 3), IccSpace(profile(*WIDE, gamma), 3)
    np.testing.assert_allclose(table.to_srgb(COLORS), matrix.to_srgb(COLORS), atol=1e-3)
    np.testing.assert_allclose(table.from_srgb(COLORS), matrix.from_srgb(COLORS), atol=1e-3)


@pytest.mark.parametrize("curve", [GAMMA_22, TABLE], ids=["gamma", "table"])
@pytest.mark.parametrize("channels", [1, 2])
def test_gray_there_and_back(curve: bytes, channels: int) -> None:
    pixels = RNG.integers(4000, 65536, (40, 50, channels)).astype(np.uint16)
    document = Document(pixels, gray_profile(curve))
    space = space_of(document)
    assert isinstance(space, IccSpace)
    sent = wire_pixels(document, space)
    assert sent.shape == (40, 50, 1 if channels == 1 else 4)
    back = document_pixels(sent, document, space)
    assert np.abs(back.astype(int) - pixels).max() <= 24


def test_srgb_profiles_change_nothing() -> None:
    for icc in (
        b"",
        profile(*SRGB, PARAMETRIC),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    ):
        document = Document(RNG.integers(0, 256, (5, 6, 3)).astype(np.uint8), icc)
        assert isinstance(space_of(document), Srgb)
        assert wire_pixels(document, space_of(document)) is document.pixels


def test_gray_with_alpha_is_sent_as_rgba() -> None:
    pixels = RNG.integers(0, 65536, (8, 9, 2)).astype(np.uint16)
    document = Document(pixels)
    sent = wire_pixels(document, space_of(document))
    assert sent.shape == (8, 9, 4)
    assert (sent[..., :3] == pixels[..., :1]).all()
    back = document_pixels(sent, document, space_of(document))
    assert np.abs(back.astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("space", [b"CMYK", b"Lab ", b"XYZ ", b"RGB ", b"GRAY"])
def test_profiles_of_other_images_count_as_none(space: bytes, channels: int) -> None:
    """For example, a gray image with an RGB profile, or an image with a printer's profile."""
    icc = bytearray(PROFILES["tables"] if space != b"GRAY" else gray_profile(GAMMA_22))
    icc[16:20] = space
    document = Document(RNG.random((4, 5, channels), np.float32), bytes(icc))
    fits = (space == b"RGB " and channels >= 3) or (space == b"GRAY" and channels < 3)
    assert isinstance(space_of(document), IccSpace if fits else Srgb)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_profiles_convert_or_count_as_none(data: st.DataObject) -> None:
    icc = bytearray(data.draw(st.sampled_from([*PROFILES.values(), gray_profile(TABLE)])))
    for _ in range(data.draw(st.integers(0, 8))):
        icc[data.draw(st.integers(0, min(len(icc), 700) - 1))] = data.draw(st.integers(0, 255))
    icc = icc[: data.draw(st.integers(0, len(icc)))] if data.draw(st.booleans()) else icc
    channels = data.draw(st.integers(1, 4))
    document = Document(np.full((2, 3, channels), 40, np.uint16), bytes(icc))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        space = space_of(document)
        back = document_pixels(wire_pixels(document, space), document, space)
    assert (back.shape, back.dtype) == (document.pixels.shape, document.pixels.dtype)
