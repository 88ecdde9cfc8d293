"""Convert between a document's colors and those of the wire: sRGB primaries, sRGB curve or linear.

Only fills are converted back, never known pixels.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
from inpaint_model.document.color import LUMA, quantize, srgb_from_linear, unit_values

from .images import Document, Pixels
from .profiles import Floats, IccSpace

NEAR_SRGB = 0.004  # the largest difference at which a profile is treated as sRGB; 1 is white


class ColorSpace(Protocol):
    """Conversion of display values [H, W, 1 or 3], 0..1, between a document's space and sRGB."""

    def to_srgb(self, values: Floats) -> Floats:
        """Convert values [H, W, 1 or 3] of this space to sRGB."""

    def from_srgb(self, values: Floats) -> Floats:
        """Convert sRGB values [H, W, 1 or 3] to this space."""


class Srgb:
    """sRGB, which needs no conversion."""

    def to_srgb(self, values: Floats) -> Floats:
        """Return the values unchanged."""
        return values

    def from_srgb(self, values: Floats) -> Floats:
        """Return the values unchanged."""
        return values


def space_of(document: Document) -> ColorSpace:
    """Return the color space of a document's profile; sRGB if there is none.

    An unusable profile (damaged, or for a printer) is treated as sRGB, as in other programs. So is
    a profile that hardly differs from sRGB, because integers are then preserved exactly.
    """
    if not document.icc:
        return Srgb()
    from imagecodecs import CmsError

    channels = document.pixels.shape[2] - document.has_alpha
    ramp = np.linspace(0, 1, 18, dtype=np.float32)
    samples = np.stack(np.meshgrid(*[ramp] * channels, indexing="ij"), -1)
    samples = samples.reshape(-1, 1, channels)
    space = IccSpace(document.icc, channels)
    try:
        seen = space.to_srgb(samples)
        back = space.from_srgb(seen)
    except CmsError:
        return Srgb()
    is_usable = np.isfinite(seen).all() and np.isfinite(back).all()
    is_near = np.abs(seen - samples).max() < NEAR_SRGB
    return space if is_usable and not is_near else Srgb()


def wire_pixels(document: Document, space: ColorSpace) -> Pixels:
    """Convert a document to sRGB at its own depth for sending; gray with alpha becomes RGBA."""
    pixels = document.pixels
    if isinstance(space, Srgb):
        if pixels.shape[2] != 2:
            return pixels
        return np.ascontiguousarray(pixels[..., [0, 0, 0, 1]])
    alpha = pixels[..., -1:] if document.has_alpha else None
    color = unit_values(pixels[..., :-1] if document.has_alpha else pixels)
    color = quantize(space.to_srgb(color), pixels.dtype)
    if alpha is None:
        return color
    color = np.repeat(color, 3, axis=2) if color.shape[2] == 1 else color
    return np.concatenate([color, alpha], axis=2)


def document_pixels(fill: Pixels, document: Document, space: ColorSpace) -> Pixels:
    """Convert a fill from the daemon to the document's colors and channels."""
    if document.pixels.shape[2] == 2:
        values = unit_values(fill)
        gray = space.from_srgb((values[..., :3] @ LUMA)[..., None])
        return quantize(np.concatenate([gray, values[..., 3:]], axis=2), fill.dtype)
    if isinstance(space, Srgb):
        return fill
    colors = fill.shape[2] - 1 if document.has_alpha else fill.shape[2]
    converted = quantize(space.from_srgb(unit_values(fill[..., :colors])), fill.dtype)
    return np.concatenate([converted, fill[..., colors:]], axis=2)


def is_linear(document: Document) -> bool:
    """Return whether the values are linear light: float images without a profile."""
    return document.pixels.dtype == np.float32 and not document.icc


def thumbnail_pixels(pixels: Pixels, *, linear: bool) -> npt.NDArray[np.uint8]:
    """Convert pixels in the wire's colors to 8-bit RGB(A) or gray for display."""
    values = unit_values(pixels)
    if linear:
        colors = 3 if pixels.shape[2] >= 3 else 1
        values[..., :colors] = srgb_from_linear(values[..., :colors].clip(0, 1))
    result: npt.NDArray[np.uint8] = quantize(values, np.dtype(np.uint8))
    return result
