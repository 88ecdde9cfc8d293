"""The model's view of a document through a frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inpaint_model.document import geometry
from inpaint_model.document.arrays import BoolMask, FloatImage, ImageU8, MaskU8, Matrix, Pixels
from inpaint_model.document.color import display_from_document, quantize
from inpaint_model.document.document_image import OPAQUE, DocumentImage
from inpaint_model.document.geometry import Frame
from inpaint_model.document.harmonic_fill import harmonic_fill
from inpaint_model.document.hole import Hole, reached_by_image, seen_by_model
from inpaint_model.document.pyramid import known_block_means
from inpaint_model.document.resampling import averaging_factor, resample

_ROWS_AT_ONCE = 512


class Layer(NamedTuple):
    """An image of the document and its hole."""

    image: DocumentImage
    hole: Hole | None  # of the image's size; None: all is visible


def visible_layers(
    image: DocumentImage, hole: Hole | None, overview: DocumentImage | None = None
) -> list[Layer]:
    """Return the images of a document, finest first; each continues the previous ones."""
    found = [Layer(image, hole)]
    if image.context is not None:
        found.append(Layer(image.context, hole and hole.reduced(image.context)))
    if overview is not None:
        found.append(Layer(overview, None))
    return found


class ModelInput(NamedTuple):
    """Input of the model: uint8 [R, R, 3], zero in the hole, and the hole, 0 or 255."""

    erased: ImageU8
    hole: MaskU8

    @property
    def known(self) -> FloatImage:
        """Display values outside the hole, [n, 3]."""
        values: FloatImage = self.erased[self.hole == 0] / np.float32(255)
        return values


def extract_model_view(
    image: DocumentImage,
    hole: Hole | None,
    frame: Frame,
    resolution: int,
    overview: DocumentImage | None = None,
) -> ModelInput:
    """Return what the model sees through a frame; `resolution` is R.

    The hole (of the image's size and origin) is filled smoothly before the document is reduced, so
    that its old content does not leak into known pixels. Transparent pixels, and pixels outside all
    images, count as hole. The overview shows what lies beyond a crop.
    """
    to_document = geometry.document_from_model(frame, resolution)
    first, *others = visible_layers(image, hole, overview)
    view, hidden, reached = _seen(*first, to_document, resolution)
    for layer in others:
        if reached.all():
            break
        far, far_hidden, far_reached = _seen(*layer, to_document, resolution)
        view = np.where(reached[..., None], view, far)
        hidden = np.where(reached, hidden, far_hidden)
        reached |= far_reached
    hidden |= ~reached
    erased = quantize(np.where(hidden[..., None], np.float32(0), view), np.uint8)
    return ModelInput(erased, hidden.astype(np.uint8) * np.uint8(255))


def _seen(
    image: DocumentImage, hole: Hole | None, document_from_model: Matrix, resolution: int
) -> tuple[FloatImage, BoolMask, BoolMask]:
    """Return display values [R, R, 3], hidden pixels, and pixels inside the image."""
    matrix = geometry.compose(image.from_document, document_from_model)
    rows, columns = image.pixels.shape[:2]
    reached = reached_by_image((rows, columns), matrix, resolution)
    margin = resolution // 16 + 8  # model px, above the support of the reducing kernel
    low, high = -margin, resolution + margin
    seen = geometry.transform_points(matrix, [(low, low), (high, low), (high, high), (low, high)])
    region = geometry.bounding_box(seen).clipped(columns, rows)
    if region.width == 0 or region.height == 0:
        nothing = np.zeros((resolution, resolution), np.bool_)
        return np.zeros((resolution, resolution, 3), np.float32), ~nothing, nothing
    matrix = geometry.compose(geometry.translation(-region.x, -region.y), matrix)
    factor = averaging_factor(matrix)
    known = np.ones((region.height, region.width), np.bool_)
    if hole is not None:
        known = ~hole.cut(region.moved(*hole.origin)).mask
    shown, lit, visible = _averaged(region.cut(image.pixels), known, image.linear, factor)
    hidden = seen_by_model(~visible, matrix, resolution)
    smooth = harmonic_fill(shown, lit, sweeps=1).permute(1, 2, 0).contiguous().numpy()
    reduced = geometry.compose(geometry.scaling(1 / factor, 1 / factor), matrix)
    return resample(smooth, reduced, resolution, resolution), hidden, reached


def _averaged(
    pixels: Pixels, known: BoolMask, linear: bool, factor: int
) -> tuple[Tensor, Tensor, BoolMask]:
    """Return means [3, h, w] over blocks, which of them are known, and the visible pixels [H, W].

    Computed in strips, so that a large document is never entirely in memory as floats.
    """
    visible = known.copy()
    rows = factor * max(1, _ROWS_AT_ONCE // factor)
    shown, lit = [], []
    for top in range(0, len(pixels), rows):
        part = slice(top, top + rows)
        color, alpha = display_from_document(pixels[part], linear)
        if alpha is not None:
            visible[part] &= alpha >= OPAQUE
        values = torch.from_numpy(color).permute(2, 0, 1).contiguous().clamp_(0, 1)
        means, some = known_block_means(values, torch.from_numpy(visible[part]), factor)
        shown.append(means)
        lit.append(some)
    return torch.cat(shown, dim=1), torch.cat(lit), visible
