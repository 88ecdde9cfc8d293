"""Estimates of the memory that a request takes, based on its header."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box
from inpaint_model.pipeline.memory_estimate import largest_side, working_bytes
from inpaint_model.pipeline.session import UNEDITED_KEPT

from ..errors import ResourceExhaustedError
from .filling import ServedSession
from .specs import CropGeometry, EditSpec, FillSpec, ImageHeader, SourceSpec

_RGB_FLOATS = 12  # bytes per pixel of the network's output
_EDIT_FLOATS = 3 * _RGB_FLOATS  # an edit, the unedited candidate, and their surroundings
_SEGMENTATION = 96  # bytes per pixel of an image while its parts are found
_ATTACHMENT = 8  # bytes per pixel of an attachment, encoded and decoded


@dataclass(frozen=True)
class MemoryEstimate:
    """Maximum memory of a request, from its upload to its last candidate."""

    crop: Box  # document px
    hole: Box  # a box around the hole; the entire crop until the hole is known
    image_bytes: int  # bytes per pixel of crop and hole; twice that if they came with the header
    pixel_bytes: int  # bytes per pixel of a candidate, with coverage
    others: int  # bytes of other images and of the network's results
    present: int = 0  # bytes of images that came with the header

    @property
    def total(self) -> int:
        """The total number of bytes."""
        images = self.image_bytes * self.crop.width * self.crop.height
        working = working_bytes(self.crop, self.hole, self.pixel_bytes)
        return images + working + self.others

    def of_hole(self, hole: Box) -> MemoryEstimate:
        """Return the estimate for a known box of the hole."""
        return replace(self, hole=hole)

    def refusal(self, budget: int) -> ResourceExhaustedError:
        """Return the error for a request that can never fit into the budget, in bytes."""
        side = largest_side(budget - self.others, self.image_bytes, self.pixel_bytes)
        return ResourceExhaustedError(
            "REQUEST_TOO_LARGE", needed=self.total >> 20, limit=budget >> 20, side=side
        )


def memory_for_segmentation(shape: ImageHeader) -> int:
    """Estimate the memory for finding the parts of an image."""
    return shape.num_bytes + _SEGMENTATION * shape.width * shape.height


def memory_for_fill(spec: FillSpec, resolution: int, present: int) -> MemoryEstimate:
    """Estimate the memory of a fill.

    Args:
        spec: the request.
        resolution: resolution of the model, px.
        present: bytes of the images that came with the header.
    """
    others = spec.context.pixels.nbytes if spec.context else 0
    others += spec.overview.num_bytes if spec.overview else 0
    kept = min(len(spec.seeds), UNEDITED_KEPT) + 1 + len(spec.variants)
    # Leave room for editing each candidate by its recipe and attachment.
    others += max(kept * _RGB_FLOATS, _EDIT_FLOATS + _ATTACHMENT) * resolution**2
    return _estimate(spec.geometry, spec.output_dtype.itemsize, others, present)


def memory_for_source(
    source: SourceSpec, spec: EditSpec, resolution: int, present: int
) -> MemoryEstimate:
    """Estimate the memory of an edit from a source, with its own image or the attachment's.

    Args:
        source: the source.
        spec: the request.
        resolution: resolution of the model, px.
        present: bytes of the images that came with the header.
    """
    others = len(source.attachment) + _EDIT_FLOATS * resolution**2 + _mixed_bytes(spec)
    if source.geometry is None:
        square = Box(0, 0, resolution, resolution)
        return MemoryEstimate(square, square, 4, 4, others)
    itemsize = (spec.output_dtype or source.geometry.crop.dtype).itemsize
    return _estimate(source.geometry, itemsize, others, present)


def memory_for_edit(served: ServedSession, spec: EditSpec) -> int:
    """Estimate the memory of an edit of a kept session, including the session."""
    session = served.session
    height, width, channels = session.image.pixels.shape
    crop = Box(*session.image.origin, width, height)
    itemsize = (spec.output_dtype or served.output_dtype).itemsize
    hole = session.hole.bounds or crop
    working = working_bytes(crop, hole, channels * itemsize + 1)
    return session.num_bytes + working + _mixed_bytes(spec)


def _mixed_bytes(spec: EditSpec) -> int:
    """Return the bytes of the images for style mixing."""
    others = (mixing.other for mixing in spec.mixings)
    return sum(each.pixels.nbytes for each in others if isinstance(each, DocumentImage))


def _estimate(
    geometry: CropGeometry, output_itemsize: int, others: int, present: int
) -> MemoryEstimate:
    crop = geometry.crop
    of_images = crop.channels * crop.dtype.itemsize + 1
    return MemoryEstimate(
        geometry.box,
        geometry.box,
        of_images * (2 if present else 1),
        crop.channels * output_itemsize + 1,
        others,
        present,
    )
