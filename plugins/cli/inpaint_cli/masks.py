"""Masks, which mark the pixels of an image to fill.

White areas are filled, and gray is a soft edge. Many programs write other kinds of masks with an
unambiguous meaning: values of 0 and 1, red paint, or transparency alone. They are accepted.
Ambiguous masks are refused with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from inpaint_model.document.color import FULL_SCALE
from PIL import Image

from .images import Document, UnusableImageError, read_document

Coverage = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float32]
White = Literal["fill", "keep"]

_LABELS = 20  # several different integers up to this one are class numbers
_FAINT = 0.9  # of white; a note is printed if the brightest value is below this
_LOSSY = 1 / 16  # maximum deviation of JPEG's noise from black and white
_COLORS = 64  # of 4096; a mask has fewer colors, a photograph more
_MOSTLY = 0.5  # of the image


@dataclass(frozen=True)
class Mask:
    """A mask as coverage, with notes about its interpretation."""

    coverage: Coverage  # [H, W]
    notes: tuple[str, ...] = ()  # how the mask was interpreted, if that is not obvious


def read_mask(path: Path, width: int, height: int, white: White | None = None) -> Mask:
    """Read the mask of an image.

    Args:
        path: path of the mask, which must have the size of the image.
        width: width of the image, px.
        height: height of the image, px.
        white: whether to fill or keep white areas; None = fill, unless the mask seems inverted.

    Raises:
        UnusableImageError: the mask cannot be read, or its meaning is not clear.
    """
    document = read_document(path)
    if (document.width, document.height) != (width, height):
        raise UnusableImageError(
            f"the mask {path} is {document.width} x {document.height} px, but the image is "
            f"{width} x {height} px; they must have the same size"
        )
    notes = []
    if _looks_like_a_photograph(document):
        raise UnusableImageError(
            f"the mask {path} appears to be a photograph; a mask must be white where the image is "
            "to be filled and black elsewhere"
        )
    values, note = _painted(path, document)
    if note:
        notes.append(note)
    brightest = float(values.max())
    if brightest > 0:
        if brightest < _FAINT:
            notes.append("the mask has no white areas; its brightest value is treated as white")
        values = values / np.float32(brightest)
    if _is_lossy(path):
        values[values < _LOSSY] = 0
        values[values > 1 - _LOSSY] = 1
    coverage: Coverage = np.rint(values * 255).astype(np.uint8)
    if white == "keep":
        coverage = np.uint8(255) - coverage
    _check(path, coverage, white)
    return Mask(coverage, tuple(notes))


def _painted(path: Path, document: Document) -> tuple[Values, str]:
    """Return the brightness of the mask [H, W], at least 0, and a note or an empty text."""
    pixels = document.pixels
    colors = pixels[..., :-1] if document.has_alpha else pixels
    if pixels.dtype.kind == "f":
        colors = np.nan_to_num(colors, nan=0, posinf=1, neginf=0).clip(0, None)
    _check_labels(path, colors)
    full = np.float32(FULL_SCALE[pixels.dtype])
    bright: Values = colors.max(axis=2).astype(np.float32) / full
    if not document.has_alpha:
        if bright.any():
            return bright, ""
        return _palette_numbers(path, bright), ""
    alpha: Values = pixels[..., -1].astype(np.float32) / full
    visible = alpha > 0
    is_one_color = not visible.any() or not np.ptp(colors[visible], axis=0).any()
    if is_one_color and visible.any() and np.ptp(alpha):
        dark = not bright[visible].any()
        note = "the mask has a single color; its painted areas are filled"
        return alpha, note if dark else ""
    return bright * alpha, ""


def _check_labels(path: Path, colors: npt.NDArray[np.generic]) -> None:
    if colors.dtype.kind != "u" or int(colors.max()) > _LABELS:
        return
    numbers = np.unique(colors)
    if len(numbers[numbers > 0]) > 1:
        listed = ", ".join(map(str, numbers[numbers > 0][:4]))
        raise UnusableImageError(
            f"the mask {path} contains the numbers {listed} of several classes; make the areas to "
            "fill white and the rest black"
        )


def _palette_numbers(path: Path, black: Values) -> Values:
    """Return which pixels have a palette index other than 0, if all colors are black."""
    with Image.open(path) as image:
        if image.mode != "P":
            return black
        numbers = np.asarray(image)
    return (numbers > 0).astype(np.float32) if numbers.shape == black.shape else black


def _looks_like_a_photograph(document: Document) -> bool:
    if document.pixels.shape[2] < 3:
        return False
    full = FULL_SCALE[document.pixels.dtype]
    colors = document.pixels[..., :3].astype(np.float32) * np.float32(15.99 / full)
    steps = np.nan_to_num(colors).clip(0, 15).astype(np.int32)
    colorful = np.ptp(steps, axis=2) > 1
    numbers = (steps[..., 0] << 8 | steps[..., 1] << 4 | steps[..., 2])[colorful]
    return len(np.unique(numbers)) > _COLORS


def _is_lossy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\xff\xd8"  # JPEG


def _check(path: Path, coverage: Coverage, white: White | None) -> None:
    marks = "black" if white == "keep" else "white"
    if not coverage.any():
        raise UnusableImageError(f"the mask {path} is empty; make the areas to fill {marks}")
    if coverage.all():
        raise UnusableImageError(
            f"the mask {path} covers the entire image; make only the areas to fill {marks}"
        )
    if white is not None or np.count_nonzero(coverage) <= _MOSTLY * coverage.size:
        return
    edges = (coverage[0], coverage[-1], coverage[:, 0], coverage[:, -1])
    if all((edge == 255).all() for edge in edges):
        raise UnusableImageError(
            f"the mask {path} is white along all its edges and may be inverted; use --white keep "
            "if black areas are to be filled, or --white fill if the mask is correct"
        )
