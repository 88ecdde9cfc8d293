"""Prints as people scan them: gray or sepia, with grain, scratches, dust and a missing corner."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from drawings import portrait
from PIL import Image, ImageDraw

Floats = npt.NDArray[np.float64]

GRAIN = 0.012
_BRIGHTNESS = (0.0, 0.35, 0.7, 1.0)
_SEPIA = ((0.10, 0.06, 0.04), (0.44, 0.33, 0.22), (0.78, 0.68, 0.53), (0.98, 0.95, 0.88))


def brightness(side: int, seed: int = 0) -> Floats:
    """Draw a portrait in shades of gray with grain, [side, side] in 0..1."""
    gray = portrait(side, seed) @ np.array([0.2126, 0.7152, 0.0722]) / 255
    grain = np.random.default_rng(seed).normal(0, GRAIN, (side, side))
    clipped: Floats = (0.1 + 0.8 * gray + grain).clip(0, 1)
    return clipped


def sepia(shades: Floats) -> Floats:
    """Return the colors of a sepia print [..., 3]."""
    channels = [np.interp(shades, _BRIGHTNESS, channel) for channel in zip(*_SEPIA, strict=True)]
    return np.stack(channels, axis=-1)


def gray(shades: Floats) -> Floats:
    """Return the colors of a gray print scanned in color [..., 3]."""
    return np.repeat(shades[..., None], 3, axis=-1)


def stored(colors: Floats, dtype: Any) -> npt.NDArray[Any]:
    """Return values of 0..1 as samples."""
    if np.dtype(dtype).kind == "f":
        return colors.astype(dtype)
    return np.round(colors * np.iinfo(dtype).max).astype(dtype)


def damage(side: int, scratches: int = 30, specks: int = 400) -> npt.NDArray[np.uint8]:
    """Select scratches, specks, and a corner that cuts into the hair: 0 or 255, [side, side]."""
    rng = np.random.default_rng(3)
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    for x, y, slope in zip(
        *rng.uniform(0, side, (2, scratches)), rng.normal(0, 0.2, scratches), strict=True
    ):
        length = side * rng.uniform(0.1, 0.6)
        draw.line([(x, y), (x + slope * length, y + length)], 255, 1)
    for x, y in rng.integers(0, side, (specks, 2)):
        draw.rectangle([int(x), int(y), int(x) + int(rng.integers(2)), int(y)], fill=255)
    draw.polygon([(0.55 * side, 0), (side, 0), (side, 0.45 * side), (0.7 * side, 0.3 * side)], 255)
    return np.asarray(mask)
