"""Convert a document and a mask to a request to the daemon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from inpaint_client import (
    Box,
    Capture,
    Extent,
    Limits,
    Picture,
    SampleType,
    Transfer,
    crop_for_hole,
)
from inpaint_client.geometry import MIXED_SIDE, OVERVIEW_SIDE, reducing_step
from inpaint_client.pixels import bounding_box
from inpaint_model.document.color import FULL_SCALE, quantize

from .color import ColorSpace, is_linear, space_of, wire_pixels
from .images import Document, Pixels

SAMPLE_TYPES = {"uint8": SampleType.U8, "uint16": SampleType.U16, "float32": SampleType.F32}


@dataclass(frozen=True)
class Prepared:
    """A document with the part of it that is sent to the daemon."""

    document: Document
    space: ColorSpace
    coverage: npt.NDArray[np.uint8]  # [H, W] of the entire document
    wire: Pixels  # [H, W, 1|3|4] of the entire document in the wire's colors
    capture: Capture

    @property
    def linear(self) -> bool:
        """Whether the document's values are linear light."""
        return is_linear(self.document)


def prepare(document: Document, coverage: npt.NDArray[np.uint8], limits: Limits) -> Prepared:
    """Convert the colors and cut out the crop.

    Raises:
        InputError: the hole is empty or too large for one crop.
    """
    space = space_of(document)
    wire = wire_pixels(document, space)
    extent = Extent(document.width, document.height)
    canvas = Box.of_extent(extent)
    box = crop_for_hole(
        bounding_box(coverage.tobytes(), extent),
        canvas,
        wire.shape[2] * wire.dtype.itemsize,
        limits.max_side,
        limits.max_picture_bytes,
    )
    transfer = Transfer.LINEAR if is_linear(document) else Transfer.SRGB
    return Prepared(
        document,
        space,
        coverage,
        wire,
        Capture(
            crop=image(cut(wire, box), transfer),
            hole=image(cut(coverage, box)[..., None], Transfer.SRGB),
            crop_box=box,
            document=extent,
            overview=None if box == canvas else image(reduced(wire, OVERVIEW_SIDE), transfer),
        ),
    )


def cut(pixels: Pixels, box: Box) -> Pixels:
    """Return a view of the pixels of a box inside an image [H, W, ...]."""
    return pixels[box.y : box.bottom, box.x : box.right]


def image(pixels: Pixels, transfer: Transfer) -> Picture:
    """Convert pixels [H, W, C] to the client's image type."""
    little = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    return Picture(
        width=pixels.shape[1],
        height=pixels.shape[0],
        channels=pixels.shape[2],
        data=little.tobytes(),
        sample_type=SAMPLE_TYPES[pixels.dtype.name],
        transfer=transfer,
    )


def mixed_image(document: Document, box: Box) -> tuple[Picture, Box]:
    """Return the part of a document in a box as an image for mixing, with the box that it shows."""
    wire = reduced(cut(wire_pixels(document, space_of(document)), box), MIXED_SIDE)
    step = reducing_step(box.extent, MIXED_SIDE)
    height, width = wire.shape[:2]
    shown = Box(box.x, box.y, min(width * step, box.width), min(height * step, box.height))
    return image(wire, Transfer.LINEAR if is_linear(document) else Transfer.SRGB), shown


def reduced(wire: Pixels, longest: int) -> Pixels:
    """Reduce an image by a whole number so that its sides are at most `longest` px."""
    step = reducing_step(Extent(wire.shape[1], wire.shape[0]), longest)
    height, width = wire.shape[0] // step, wire.shape[1] // step
    if not height or not width:  # a strip thinner than one step
        return np.ascontiguousarray(wire[::step, ::step][:longest, :longest])
    squares = wire[: height * step, : width * step].reshape(height, step, width, step, -1)
    means = squares.mean(axis=(1, 3), dtype=np.float32)
    return quantize(means / np.float32(FULL_SCALE[wire.dtype]), wire.dtype)
