"""Between a document's colours and the wire's: sRGB primaries, on the sRGB curve or linear.

Profiles that are three primaries and three curves (nearly all that cameras and editors embed) are
calculated in float32, so that 16 bits stay 16 bits. Others (tables) go through littleCMS in 8 bits;
only the fill passes through it, never a known pixel.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from .images import Document

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[Any]

# sRGB's primaries adapted to D50, as every ICC profile of it has them (IEC 61966-2-1, ICC v4).
XYZ_FROM_SRGB = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # Rec. 709


class ColourSpace(Protocol):
    """Display values [H, W, 1 or 3] in 0..1 of a document's space, to sRGB's and back."""

    def to_srgb(self, values: Floats) -> Floats: ...

    def from_srgb(self, values: Floats) -> Floats: ...


class Srgb:
    """Nothing to convert."""

    def to_srgb(self, values: Floats) -> Floats:
        return values

    def from_srgb(self, values: Floats) -> Floats:
        return values


class MatrixSpace:
    """Curves to linear light, and a matrix to sRGB's primaries."""

    def __init__(self, primaries: npt.NDArray[np.float64] | None, curves: list[Floats]) -> None:
        self._primaries = primaries  # [3, 3] XYZ (D50) of R, G, B; None: gray
        self._curves = curves  # samples of linear light at equal steps of 0..1, rising

    @cached_property
    def _to_srgb(self) -> npt.NDArray[np.float64]:
        assert self._primaries is not None
        return np.linalg.inv(XYZ_FROM_SRGB) @ self._primaries

    def to_srgb(self, values: Floats) -> Floats:
        steps = np.linspace(0, 1, len(self._curves[0]))
        linear = _by_channel(values, lambda v, k: np.interp(v, steps, self._curves[k]))
        if self._primaries is not None:
            linear = (linear @ self._to_srgb.T).astype(np.float32)
        return srgb_from_linear(linear.clip(0, 1))

    def from_srgb(self, values: Floats) -> Floats:
        linear = linear_from_srgb(values)
        if self._primaries is not None:
            linear = (linear @ np.linalg.inv(self._to_srgb).T).astype(np.float32)
        steps = np.linspace(0, 1, len(self._curves[0]))
        return _by_channel(linear.clip(0, 1), lambda v, k: np.interp(v, self._curves[k], steps))


class TableSpace:
    """Any other RGB profile, through littleCMS in 8 bits."""

    def __init__(self, icc: bytes) -> None:
        self._profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        self._srgb = ImageCms.createProfile("sRGB")

    def to_srgb(self, values: Floats) -> Floats:
        return self._converted(values, self._profile, self._srgb)

    def from_srgb(self, values: Floats) -> Floats:
        return self._converted(values, self._srgb, self._profile)

    @staticmethod
    def _converted(values: Floats, source: Any, target: Any) -> Floats:
        image = Image.fromarray(np.rint(values.clip(0, 1) * 255).astype(np.uint8))
        converted = ImageCms.profileToProfile(image, source, target)
        assert converted is not None
        return np.asarray(converted).astype(np.float32) / np.float32(255)


def space_of(document: Document) -> ColourSpace:
    """The colour space that a document's profile names; sRGB without one."""
    if not document.icc:
        return Srgb()
    try:
        tags = _tags(document.icc)
        kind = document.icc[16:20]
        if kind == b"GRAY" and b"kTRC" in tags and document.pixels.shape[2] < 3:
            return MatrixSpace(None, [_curve(tags[b"kTRC"])])
        if kind == b"RGB " and b"rXYZ" in tags and b"A2B0" not in tags:
            primaries = np.stack([_xyz(tags[name + b"XYZ"]) for name in (b"r", b"g", b"b")], axis=1)
            curves = [_curve(tags[name + b"TRC"]) for name in (b"r", b"g", b"b")]
            return _srgb_if_near(MatrixSpace(primaries, curves))
        if kind == b"RGB ":
            return TableSpace(document.icc)
    except (KeyError, ValueError, IndexError, struct.error, OSError, ImageCms.PyCMSError):
        pass  # a broken profile: its numbers are shown as they are everywhere else, too
    return Srgb()


def _srgb_if_near(space: MatrixSpace) -> ColourSpace:
    """sRGB itself where a profile hardly differs from it: then integers survive exactly."""
    ramp = np.linspace(0, 1, 18, dtype=np.float32)
    colours = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(-1, 1, 3)
    return Srgb() if np.abs(space.to_srgb(colours) - colours).max() < 0.004 else space


def wire_pixels(document: Document, space: ColourSpace) -> Pixels:
    """What is sent: sRGB at the document's own depth; gray with alpha becomes RGBA."""
    pixels = document.pixels
    if isinstance(space, Srgb):
        if pixels.shape[2] != 2:
            return pixels
        return np.ascontiguousarray(pixels[..., [0, 0, 0, 1]])
    alpha = pixels[..., -1:] if document.has_alpha else None
    colour = _floats(pixels[..., :-1] if document.has_alpha else pixels)
    colour = quantised(space.to_srgb(colour), pixels.dtype)
    if alpha is None:
        return colour
    colour = np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour
    return np.concatenate([colour, alpha], axis=2)


def document_pixels(fill: Pixels, document: Document, space: ColourSpace) -> Pixels:
    """A fill as it came back, in the document's colours and channels."""
    if document.pixels.shape[2] == 2:
        values = _floats(fill)
        gray = space.from_srgb((values[..., :3] @ LUMA)[..., None])
        return quantised(np.concatenate([gray, values[..., 3:]], axis=2), fill.dtype)
    if isinstance(space, Srgb):
        return fill
    colours = fill.shape[2] - 1 if document.has_alpha else fill.shape[2]
    converted = quantised(space.from_srgb(_floats(fill[..., :colours])), fill.dtype)
    return np.concatenate([converted, fill[..., colours:]], axis=2)


def is_linear(document: Document) -> bool:
    """Float pictures without a profile hold linear light."""
    return document.pixels.dtype == np.float32 and not document.icc


def thumbnail_pixels(pixels: Pixels, *, linear: bool) -> npt.NDArray[np.uint8]:
    """8-bit RGB(A) or gray for looking at, from pixels as they are sent."""
    values = _floats(pixels)
    if linear:
        colours = 3 if pixels.shape[2] >= 3 else 1
        values[..., :colours] = srgb_from_linear(values[..., :colours].clip(0, 1))
    result: npt.NDArray[np.uint8] = quantised(values, np.dtype(np.uint8))
    return result


def quantised(values: Floats, dtype: np.dtype[Any]) -> Pixels:
    """Values with white at 1 in a document's depth; integers rounded half to even and clipped."""
    if dtype.kind == "f":
        return values.astype(dtype)
    white = np.iinfo(dtype).max
    return np.rint(values.clip(0, 1) * np.float64(white)).astype(dtype)


def srgb_from_linear(values: Floats) -> Floats:
    """The sRGB curve (IEC 61966-2-1) for values in 0..1."""
    curve = 1.055 * np.power(values, 1 / 2.4) - 0.055
    return np.where(values <= 0.0031308, values * 12.92, curve).astype(np.float32)


def linear_from_srgb(values: Floats) -> Floats:
    """The inverse of `srgb_from_linear`."""
    curve = np.power((values + 0.055) / 1.055, 2.4)
    return np.where(values <= 0.04045, values / 12.92, curve).astype(np.float32)


def _floats(pixels: Pixels) -> Floats:
    values: Floats = pixels.astype(np.float32)
    if pixels.dtype.kind == "u":
        values /= np.float32(np.iinfo(pixels.dtype).max)
    return values


def _by_channel(values: Floats, function: Callable[[Floats, int], Any]) -> Floats:
    channels = [function(values[..., k], k) for k in range(values.shape[2])]
    return np.stack(channels, axis=-1).astype(np.float32)


# ---------------------------------------------------------------------------------------------
# ICC profiles: the three tag types that such profiles consist of (ICC.1:2022, section 10).


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    tags = {}
    for k in range(min(count, 100)):
        name, offset, size = struct.unpack_from(">4sII", icc, 132 + 12 * k)
        tags[name] = icc[offset : offset + size]
    return tags


def _xyz(tag: bytes) -> npt.NDArray[np.float64]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> Floats:
    """Linear light at 4096 equal steps of 0..1."""
    x = np.linspace(0, 1, 4096)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return x.astype(np.float32)
        table = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
        if count == 1:
            return np.asarray(np.power(x, table[0] / 256), np.float32)
        samples: Floats = np.interp(x, np.linspace(0, 1, count), table / 65535).astype(np.float32)
        return samples
    if tag[:4] != b"para":
        raise ValueError("a curve of an unknown type")
    (form,) = struct.unpack_from(">H", tag, 8)
    numbers = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[form]
    g, *rest = np.array(struct.unpack_from(f">{numbers}i", tag, 12)) / 65536
    a, b, c, d, e, f = _parameters(form, rest)
    power = np.power(np.maximum(a * x + b, 0), g)
    return np.where(x >= d, power + e, c * x + f).astype(np.float32)


def _parameters(form: int, rest: list[Any]) -> tuple[float, float, float, float, float, float]:
    """a, b, c, d, e, f of Y = (aX + b)^g + e for X >= d, else cX + f, for each form of a curve."""
    if form == 0:
        return 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    a, b = rest[:2]
    if form == 1:
        return a, b, 0.0, -b / a, 0.0, 0.0
    if form == 2:
        return a, b, 0.0, -b / a, rest[2], rest[2]
    if form == 3:
        return a, b, rest[2], rest[3], 0.0, 0.0
    return a, b, rest[2], rest[3], rest[4], rest[5]
