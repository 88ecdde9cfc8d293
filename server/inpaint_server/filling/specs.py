"""What is asked for, checked: everything of a request but the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from inpaint_model.document.arrays import Pixels
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, FrameChoice
from inpaint_model.pipeline.session import Edits
from inpaint_model.pipeline.style_mixing import Mixing


@dataclass(frozen=True)
class ImageHeader:
    """An image of the header, checked; its bytes may follow."""

    field: str
    width: int
    height: int
    channels: int
    dtype: np.dtype[Any]
    linear: bool

    @property
    def num_bytes(self) -> int:
        """How many bytes the image has."""
        return self.width * self.height * self.channels * self.dtype.itemsize

    def pixels(self, data: bytes | bytearray | memoryview) -> Pixels:
        """Return [H, W, C] in the machine's byte order; no copy where that is the wire's."""
        array = np.frombuffer(data, self.dtype).reshape(self.height, self.width, self.channels)
        return array.astype(self.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True)
class CropGeometry:
    """Where crop and hole lie, and how they were sent."""

    crop: ImageHeader
    hole: ImageHeader
    box: Box
    document: tuple[int, int]


SmoothChoice = Literal["auto", "always", "never"]
"""When a smooth candidate is offered beside those of the seeds."""


@dataclass(frozen=True)
class FillSpec:
    """A FillHeader, checked: everything but the pixels."""

    geometry: CropGeometry
    context: DocumentImage | None  # came with the header
    overview: ImageHeader | None
    model: str
    seeds: tuple[int, ...]
    truncation_psi: float
    edits: Edits
    variants: tuple[Edits, ...]
    frame: FrameChoice
    blending: BlendSettings
    smooth: SmoothChoice
    output_dtype: np.dtype[Any]
    accepts_chunks: bool = False  # of large candidates

    @property
    def shapes(self) -> list[ImageHeader]:
        """The images in the order in which their bytes come."""
        images = [self.geometry.crop, self.geometry.hole]
        return images + [self.overview] if self.overview else images


@dataclass(frozen=True)
class SourceSpec:
    """A RecipeSource, checked: everything but the pixels."""

    recipe: str
    attachment: bytes
    geometry: CropGeometry | None  # None: fit to the attachment's own image


@dataclass(frozen=True)
class EditSpec:
    """An EditHeader, checked: everything but the pixels."""

    session_id: str
    source: SourceSpec | None
    index: int
    edits: Edits
    truncation_psi: float | None
    seed: int | None
    mixing: Mixing | None
    blending: BlendSettings | None
    output_dtype: np.dtype[Any] | None
    accepts_chunks: bool = False  # of a large candidate
