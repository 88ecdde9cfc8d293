"""Masks: which pixels of an image are to be filled, from whatever a mask was painted with.

White is what to fill and gray is a soft edge. Many programs write masks of other kinds that can
only mean one thing: values of 0 and 1, red paint, transparency alone. They are taken for what they
mean. What may mean two things is refused, with the reason.
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

_LABELS = 20  # integers up to this one are numbers of classes, if there are several
_FAINT = 0.9  # of white: below it, that the brightest value was taken for white is told
_LOSSY = 1 / 16  # how far JPEG's noise goes from black and from white
_COLORS = 64  # of 4096; a mask's paint has fewer, a photograph more
_MOSTLY = 0.5  # of the image


@dataclass(frozen=True)
class Mask:
    """What is to be filled."""

    coverage: Coverage  # [H, W]
    notes: tuple[str, ...] = ()  # how it was understood, where that is not plain


def read_mask(path: Path, width: int, height: int, white: White | None = None) -> Mask:
    """Return the mask of an image of width x height px.

    Args:
        path: of an image of the same size.
        width: of the image.
        height: of the image.
        white: whether white is what to fill or what to keep; None: what to fill, if the mask does
            not look inverted.

    Raises:
        UnusableImageError: it cannot be read, or does not say what to fill.
    """
    document = read_document(path)
    if (document.width, document.height) != (width, height):
        raise UnusableImageError(
            f"the mask {path} is {document.width} x {document.height} px and the image "
            f"{width} x {height}; they must have the same size"
        )
    notes = []
    if _looks_like_a_photograph(document):
        raise UnusableImageError(
            f"the mask {path} looks like a photograph; a mask is black where the image stays "
            "and white where it is to be filled"
        )
    values, note = _painted(path, document)
    if note:
        notes.append(note)
    brightest = float(values.max())
    if brightest > 0:
        if brightest < _FAINT:
            notes.append("the mask has no white; its brightest value is taken for white")
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
    """Return how bright the paint is, 0 or more, [H, W], and what there is to say of it."""
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
        note = "the mask is one color; what is painted is filled, what is transparent stays"
        return alpha, note if dark else ""
    return bright * alpha, ""


def _check_labels(path: Path, colors: npt.NDArray[np.generic]) -> None:
    if colors.dtype.kind != "u" or int(colors.max()) > _LABELS:
        return
    numbers = np.unique(colors)
    if len(numbers[numbers > 0]) > 1:
        listed = ", ".join(map(str, numbers[numbers > 0][:4]))
        raise UnusableImageError(
            f"the mask {path} holds the numbers {listed} of several classes; make what is to be "
            "filled white and the rest black"
        )


def _palette_numbers(path: Path, black: Values) -> Values:
    """Return which pixels have another number than 0, of a palette in which all is black."""
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
        raise UnusableImageError(f"the mask {path} is empty: {marks} marks what to fill")
    if coverage.all():
        raise UnusableImageError(
            f"the mask {path} covers the whole image, so that nothing is left to go on from; "
            f"{marks} marks what to fill"
        )
    if white is not None or np.count_nonzero(coverage) <= _MOSTLY * coverage.size:
        return
    edges = (coverage[0], coverage[-1], coverage[:, 0], coverage[:, -1])
    if all((edge == 255).all() for edge in edges):
        raise UnusableImageError(
            f"the mask {path} is white all around, as if it were inverted: white marks what to "
            "fill. Say --white keep if black does, and --white fill if it is right as it is"
        )
