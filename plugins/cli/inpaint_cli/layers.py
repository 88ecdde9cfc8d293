"""Patches of a candidate, laid over the document: known + (fill - known) * coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from inpaint_client import Box, Patch, Picture, SampleType

Pixels = npt.NDArray[Any]

DTYPES: Mapping[SampleType, np.dtype[Any]] = {
    SampleType.U8: np.dtype("u1"),
    SampleType.U16: np.dtype("<u2"),
    SampleType.F16: np.dtype("<f2"),
    SampleType.F32: np.dtype("<f4"),
}


class Layer(NamedTuple):
    """One group of the hole, in the document's own colours and channels."""

    fill: Pixels  # [h, w, C]
    coverage: npt.NDArray[np.uint8]  # [h, w]
    box: Box


def array_of(picture: Picture) -> Pixels:
    """Return the pixels of a message [H, W, C], in the machine's byte order."""
    array = np.frombuffer(picture.data, DTYPES[picture.sample_type])
    array = array.reshape(picture.height, picture.width, picture.channels)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def raw_patch(patch: Patch) -> Layer:
    """Return the arrays of a patch, in the wire's colours."""
    return Layer(array_of(patch.fill), array_of(patch.coverage)[..., 0], patch.box)


def laid_over(document: Pixels, layers: Sequence[Layer]) -> Pixels:
    """Return the document with the layers over it; where nothing is covered its bytes are copied.

    Where there is alpha, colours are weighted by it, as an opaque layer with a mask would be.
    """
    result = document.copy()
    has_alpha = document.shape[2] in (2, 4)
    for layer in layers:
        box = layer.box
        part = result[box.y : box.bottom, box.x : box.right]
        covered = layer.coverage > 0
        amount = layer.coverage[covered].astype(np.float64)[:, None] / 255
        known = part[covered].astype(np.float64)
        fill = layer.fill[covered].astype(np.float64)
        weight = amount
        if has_alpha:
            white = np.iinfo(document.dtype).max if document.dtype.kind == "u" else 1.0
            # Floats may hold alphas beyond 0..1, which as weights would shoot past both colours.
            under = (known[:, -1:] / white).clip(0, 1)
            over = (fill[:, -1:] / white).clip(0, 1) * amount
            weight = over / np.maximum(over + under * (1 - over), 1e-12)
        mixed = known + (fill - known) * weight
        if has_alpha:
            mixed[:, -1:] = known[:, -1:] + (fill[:, -1:] - known[:, -1:]) * amount
        mixed = np.where(amount == 1, fill, mixed)
        part[covered] = mixed if document.dtype.kind == "f" else np.rint(mixed)
    return result


def layer_picture(document: Pixels, layers: Sequence[Layer]) -> Pixels:
    """Return the layers alone on the document's canvas, transparent outside of the hole.

    Gray becomes gray with alpha, colour RGBA; the alpha is the coverage (times the fill's own).
    """
    has_alpha = document.shape[2] in (2, 4)
    colours = document.shape[2] - has_alpha
    result = np.zeros((*document.shape[:2], colours + 1), document.dtype)
    white = np.iinfo(document.dtype).max if document.dtype.kind == "u" else 1.0
    for layer in layers:
        box = layer.box
        part = result[box.y : box.bottom, box.x : box.right]
        covered = layer.coverage > 0
        part[covered, :colours] = layer.fill[covered][:, :colours]
        alpha = layer.coverage[covered] / 255 * white
        if has_alpha:
            alpha = alpha * (layer.fill[covered][:, -1] / white)
        part[covered, colours] = np.rint(alpha) if document.dtype.kind == "u" else alpha
    return result
