"""Convert pixels of any document to display values and back.

All processing between document and network uses *display values*: float32 RGB on the sRGB curve of
the training images, nominally 0..1. For linear documents the curve is continued above 1 and
mirrored below 0, so that highlights survive.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from inpaint_model.document.arrays import FloatImage, Pixels

LUMA_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""Rec. 709 luma weights of R, G and B."""

LUMA = np.array(LUMA_WEIGHTS, np.float32)

_CONES = np.array(  # responses to linear R, G and B
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    np.float32,
)
_OPPONENTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    np.float32,
)

FULL_SCALE: dict[np.dtype[Any], float] = {
    np.dtype(np.uint8): 255.0,
    np.dtype(np.uint16): 65535.0,
    np.dtype(np.float16): 1.0,
    np.dtype(np.float32): 1.0,
}
"""The value of white for each sample type of documents."""


def srgb_from_linear(values: FloatImage) -> FloatImage:
    """Apply the sRGB curve (IEC 61966-2-1)."""
    size = np.abs(values)
    curve = 1.055 * np.power(size, 1 / 2.4) - 0.055
    return np.copysign(np.where(size <= 0.0031308, size * 12.92, curve), values)


def linear_from_srgb(values: FloatImage) -> FloatImage:
    """Apply the inverse of `srgb_from_linear`."""
    size = np.abs(values)
    curve = np.power((size + 0.055) / 1.055, 2.4)
    return np.copysign(np.where(size <= 0.04045, size / 12.92, curve), values)


def oklab_from_display(color: FloatImage) -> FloatImage:
    """Return lightness, a and b of Oklab (Ottosson 2020) for display values [..., 3].

    Equal differences look about equal; lightness is 0..1.
    """
    cones = linear_from_srgb(color) @ _CONES.T
    lab: FloatImage = np.cbrt(cones) @ _OPPONENTS.T
    return lab


def display_from_oklab(lab: FloatImage) -> FloatImage:
    """Apply the inverse of `oklab_from_display`."""
    cones = (lab @ np.linalg.inv(_OPPONENTS).T) ** 3
    return srgb_from_linear(cones @ np.linalg.inv(_CONES).T)


def display_from_document(pixels: Pixels, linear: bool) -> tuple[FloatImage, FloatImage | None]:
    """Return display values [H, W, 3] and alpha [H, W] in 0..1, if any, of document pixels.

    The pixels are gray, RGB or RGBA (straight alpha). With `linear`, colors are linear light, as
    alpha always is. NaN counts as 0, infinities as the largest finite half.
    """
    values = pixels.astype(np.float32)
    if pixels.dtype.kind == "f":
        limit = float(np.finfo(np.float16).max)
        values = np.nan_to_num(values, nan=0.0, posinf=limit, neginf=-limit)
    else:
        values *= 1 / FULL_SCALE[pixels.dtype]
    color, alpha = values, None
    if pixels.shape[2] == 4:
        color, alpha = values[..., :3], values[..., 3]
    if linear:
        color = srgb_from_linear(color)
    if pixels.shape[2] == 1:
        color = np.repeat(color, 3, axis=2)
    return np.ascontiguousarray(color), alpha


def document_from_display(
    color: FloatImage, dtype: npt.DTypeLike, channels: int, linear: bool
) -> Pixels:
    """Convert display values [H, W, 3] to document pixels, as `quantize` does.

    `channels` is 1 (gray: the Rec. 709 luma), 3 (RGB) or 4 (RGBA, opaque).
    """
    if channels == 1:
        color = (color @ LUMA)[..., None]
    if linear:
        color = linear_from_srgb(color)
    if channels == 4:
        color = np.concatenate([color, np.ones_like(color[..., :1])], axis=2)
    return quantize(color, dtype)


def unit_values(pixels: Pixels) -> FloatImage:
    """Return samples as float32 with white at 1."""
    values: FloatImage = pixels.astype(np.float32)
    if pixels.dtype.kind == "u":
        values /= np.float32(FULL_SCALE[pixels.dtype])
    return values


def converted(pixels: Pixels, dtype: np.dtype[Any]) -> Pixels:
    """Convert pixels to another sample type, as `quantize` does; NaN becomes integer 0."""
    if pixels.dtype == dtype:
        return pixels
    values = unit_values(pixels)
    if dtype.kind == "u":
        values = np.nan_to_num(values).clip(0, 1)
    return quantize(values, dtype)


def quantize(values: FloatImage, dtype: npt.DTypeLike) -> Pixels:
    """Convert values with white at 1; integers are rounded half to even and clipped."""
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind.kind == "f":
        limit = float(np.finfo(kind).max)
        return np.asarray(np.clip(values, -limit, limit), kind)
    white = FULL_SCALE[kind]
    return np.asarray(np.rint(np.clip(values * white, 0.0, white)), kind)
