"""Conversion of the bytes of a request into images and holes."""

from __future__ import annotations

from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.hole import Hole
from inpaint_model.document.notices import RefusalError

from ..errors import InvalidRequestError
from .specs import CropGeometry, ImageHeader


def document_image(
    geometry: CropGeometry, crop: bytes | bytearray, context: DocumentImage | None = None
) -> DocumentImage:
    """Return the crop and its context in the form that the model's pipeline uses."""
    return DocumentImage(
        pixels=geometry.crop.pixels(crop),
        linear=geometry.crop.linear,
        origin=(geometry.box.x, geometry.box.y),
        size=geometry.document,
        context=context,
    )


def overview_image(
    shape: ImageHeader, data: bytes | bytearray, document: tuple[int, int]
) -> DocumentImage:
    """Return the overview, which shows the entire document at reduced size."""
    return DocumentImage.overview(shape.pixels(data), document, shape.linear)


def hole(geometry: CropGeometry, data: bytes | bytearray) -> Hole:
    """Return the selection at the position of the crop.

    Raises:
        InvalidRequestError: nothing is selected.
    """
    selection = Hole(geometry.hole.pixels(data)[..., 0], (geometry.box.x, geometry.box.y))
    if selection.bounds is None:
        raise InvalidRequestError.because(geometry.hole.field, RefusalError("NOTHING_SELECTED"))
    return selection
