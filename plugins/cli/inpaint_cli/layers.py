"""Convert patches of a candidate to arrays and to a separate layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from inpaint_client import Patch, Picture, SampleType
from inpaint_model.document.color import FULL_SCALE
from inpaint_model.document.compositing import Patch as ArrayPatch
from inpaint_model.document.geometry import Box

Pixels = npt.NDArray[Any]

DTYPES: Mapping[SampleType, np.dtype[Any]] = {
    SampleType.U8: np.dtype("u1"),
    SampleType.U16: np.dtype("<u2"),
    SampleType.F16: np.dtype("<f2"),
    SampleType.F32: np.dtype("<f4"),
}


def array_of(image: Picture) -> Pixels:
    """Return the pixels of an image as an array [H, W, C] in native byte order."""
    array = np.frombuffer(image.data, DTYPES[image.sample_type])
    array = array.reshape(image.height, image.width, image.channels)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def raw_patch(patch: Patch) -> ArrayPatch:
    """Return a patch as arrays in the wire's colors."""
    coverage = array_of(patch.coverage)[..., 0]
    return ArrayPatch(array_of(patch.fill), coverage, Box(*patch.box))


def layer_image(document: Pixels, patches: Sequence[ArrayPatch]) -> Pixels:
    """Return the patches on an otherwise transparent canvas of the document's size.

    Gray becomes gray with alpha, and color becomes RGBA. The alpha is the coverage, multiplied by
    the alpha of the fill if there is one.
    """
    has_alpha = document.shape[2] in (2, 4)
    colors = document.shape[2] - has_alpha
    result = np.zeros((*document.shape[:2], colors + 1), document.dtype)
    white = FULL_SCALE[document.dtype]
    for patch in patches:
        part = patch.box.cut(result)
        covered = patch.covered
        part[covered, :colors] = patch.fill[covered][:, :colors]
        alpha = patch.coverage[covered] / 255 * white
        if has_alpha:
            alpha = alpha * (patch.fill[covered][:, -1] / white)
        part[covered, colors] = np.rint(alpha) if document.dtype.kind == "u" else alpha
    return result
