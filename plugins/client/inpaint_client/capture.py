"""The part of a document that is sent for a fill or an edit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .errors import InputError
from .geometry import Box, Extent
from .images import Picture, SampleType
from .pixels import bounding_box


class Context(NamedTuple):
    """The area around a crop that contains little more than the hole, at reduced size."""

    image: Picture
    box: Box  # the area that the image shows, document px


@dataclass(frozen=True, kw_only=True)
class Capture:
    """The part of a document around a hole.

    `crop` shows the document around the hole (see `crop_for_hole`). `hole` is the selection over
    the same pixels: 1 channel, U8, 255 = fill, 0 = known, values in between = coverage. `overview`
    shows the entire document, longest side at most 512 px; it is not needed if crop or context
    already show the entire document.

    Raises:
        InputError: crop, hole and box differ in size, or the hole is not 1 channel of U8.
    """

    crop: Picture
    hole: Picture
    crop_box: Box  # document px
    document: Extent
    overview: Picture | None = None
    context: Context | None = None  # only used by daemons whose Limits.max_context_side is above 0

    def __post_init__(self) -> None:
        if self.hole.channels != 1 or self.hole.sample_type is not SampleType.U8:
            raise InputError("The hole must have one channel of type U8.")
        if not self.crop.extent == self.hole.extent == self.crop_box.extent:
            raise InputError(
                f"The crop {tuple(self.crop.extent)}, the hole {tuple(self.hole.extent)} and the "
                f"box {tuple(self.crop_box.extent)} must have the same size."
            )

    @property
    def num_bytes(self) -> int:
        """Total size of the images that may be sent in chunks, in bytes."""
        images = (self.crop, self.hole, self.overview)
        return sum(len(image.data) for image in images if image)

    @cached_property
    def hole_box(self) -> Box:
        """The bounding box of the selection, document px."""
        x, y, width, height = bounding_box(self.hole.data, self.hole.extent)
        return Box(self.crop_box.x + x, self.crop_box.y + y, width, height)
