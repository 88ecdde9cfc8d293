"""What a fill or an edit sees of a document: one value for every client."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from .errors import InputError
from .geometry import Box, Extent
from .images import Picture, SampleType
from .pixels import bounding_box


class Context(NamedTuple):
    """What lies around a crop that holds little more than the hole, reduced."""

    image: Picture
    box: Box  # what it shows, document px


@dataclass(frozen=True, kw_only=True)
class Capture:
    """The part of a document around a hole.

    `crop` shows the document around the hole (see `crop_for_hole`). `hole` is the selection over
    the same pixels: 1 channel, U8, 255 = fill, 0 = known, values between = softness. `overview`
    shows the whole document, longest side at most 512 px; where crop or context show the whole
    document, none is needed.

    Raises:
        InputError: crop, hole and box differ in size, or the hole is not 1 channel of U8.
    """

    crop: Picture
    hole: Picture
    crop_box: Box  # document px
    document: Extent
    overview: Picture | None = None
    context: Context | None = None  # what a daemon reads whose Limits.max_context_side is not 0

    def __post_init__(self) -> None:
        if self.hole.channels != 1 or self.hole.sample_type is not SampleType.U8:
            raise InputError("The hole has one channel of U8.")
        if not self.crop.extent == self.hole.extent == self.crop_box.extent:
            raise InputError(
                f"Crop {tuple(self.crop.extent)}, hole {tuple(self.hole.extent)} and box "
                f"{tuple(self.crop_box.extent)} differ in size."
            )

    @property
    def num_bytes(self) -> int:
        """How many bytes its images have that may travel in pieces."""
        images = (self.crop, self.hole, self.overview)
        return sum(len(image.data) for image in images if image)

    @cached_property
    def hole_box(self) -> Box:
        """The smallest box around everything selected, document px."""
        x, y, width, height = bounding_box(self.hole.data, self.hole.extent)
        return Box(self.crop_box.x + x, self.crop_box.y + y, width, height)
