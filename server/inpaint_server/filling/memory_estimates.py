"""What a request takes of the daemon's memory, told from its header."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box
from inpaint_model.pipeline.memory_estimate import largest_side, working_bytes
from inpaint_model.pipeline.session import UNEDITED_KEPT

from ..errors import ResourceExhaustedError
from .filling import ServedSession
from .specs import CropGeometry, EditSpec, FillSpec, SourceSpec

_RGB_FLOATS = 12  # bytes of a pixel of the network's output
_EDIT_FLOATS = 3 * _RGB_FLOATS  # an edit, the candidate without it, and what they are fitted to
_ATTACHMENT = 8  # bytes of a pixel of an attachment, as it comes and decoded


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a request takes at most, from its upload to its last candidate."""

    crop: Box  # of the document
    hole: Box  # the hole lies in it; the whole crop as long as that is all that is known
    image_bytes: int  # of a pixel of crop and hole; twice, if they came with the header
    pixel_bytes: int  # of a candidate's pixel, with coverage
    others: int  # bytes of further images, and of what the network makes
    present: int = 0  # bytes of images that came with the header

    @property
    def total(self) -> int:
        """All of it."""
        images = self.image_bytes * self.crop.width * self.crop.height
        working = working_bytes(self.crop, self.hole, self.pixel_bytes)
        return images + working + self.others

    def of_hole(self, hole: Box) -> MemoryEstimate:
        """Return the price when the box of the hole is known."""
        return replace(self, hole=hole)

    def refusal(self, budget: int) -> ResourceExhaustedError:
        """Return what a client is told if the request can never fit."""
        side = largest_side(budget - self.others, self.image_bytes, self.pixel_bytes)
        return ResourceExhaustedError(
            "REQUEST_TOO_LARGE", needed=self.total >> 20, limit=budget >> 20, side=side
        )


def memory_for_fill(spec: FillSpec, resolution: int, present: int) -> MemoryEstimate:
    """Return the price of a fill.

    Args:
        spec: what is asked for.
        resolution: of the model, px.
        present: bytes of the images that came with the header.
    """
    others = spec.context.pixels.nbytes if spec.context else 0
    others += spec.overview.num_bytes if spec.overview else 0
    kept = min(len(spec.seeds), UNEDITED_KEPT) + 1 + len(spec.variants)
    # So that each of its candidates can be edited, too, by a recipe and its attachment.
    others += max(kept * _RGB_FLOATS, _EDIT_FLOATS + _ATTACHMENT) * resolution**2
    return _estimate(spec.geometry, spec.output_dtype.itemsize, others, present)


def memory_for_source(
    source: SourceSpec, spec: EditSpec, resolution: int, present: int
) -> MemoryEstimate:
    """Return the price of an edit that brings its image, or means that of the attachment.

    Args:
        source: what it brings.
        spec: what is asked for.
        resolution: of the model, px.
        present: bytes of the images that came with the header.
    """
    others = len(source.attachment) + _EDIT_FLOATS * resolution**2 + _mixed_bytes(spec)
    if source.geometry is None:
        square = Box(0, 0, resolution, resolution)
        return MemoryEstimate(square, square, 4, 4, others)
    itemsize = (spec.output_dtype or source.geometry.crop.dtype).itemsize
    return _estimate(source.geometry, itemsize, others, present)


def memory_for_edit(served: ServedSession, spec: EditSpec) -> int:
    """Return what an edit of a kept session takes, with the session."""
    session = served.session
    height, width, channels = session.image.pixels.shape
    crop = Box(*session.image.origin, width, height)
    itemsize = (spec.output_dtype or served.output_dtype).itemsize
    hole = session.hole.bounds or crop
    working = working_bytes(crop, hole, channels * itemsize + 1)
    return session.num_bytes + working + _mixed_bytes(spec)


def _mixed_bytes(spec: EditSpec) -> int:
    """Return the bytes of an image whose styles are taken."""
    other = spec.mixing.other if spec.mixing else None
    return other.pixels.nbytes if isinstance(other, DocumentImage) else 0


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
