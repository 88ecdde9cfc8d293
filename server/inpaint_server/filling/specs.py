"""Validated requests: everything except the pixels."""

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
from inpaint_model.segmentation.parts import Part


@dataclass(frozen=True)
class ImageHeader:
    """The validated description of an image, whose bytes may follow."""

    field: str
    width: int
    height: int
    channels: int
    dtype: np.dtype[Any]
    linear: bool

    @property
    def num_bytes(self) -> int:
        """The size of the image, in bytes."""
        return self.width * self.height * self.channels * self.dtype.itemsize

    def pixels(self, data: bytes | bytearray | memoryview) -> Pixels:
        """Return the pixels [H, W, C] in native byte order, without a copy if possible."""
        array = np.frombuffer(data, self.dtype).reshape(self.height, self.width, self.channels)
        return array.astype(self.dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True)
class CropGeometry:
    """Descriptions of crop and hole with their position in the document."""

    crop: ImageHeader
    hole: ImageHeader
    box: Box
    document: tuple[int, int]


SmoothChoice = Literal["auto", "always", "never"]
"""When to add a smooth candidate to those of the seeds."""


@dataclass(frozen=True)
class FillSpec:
    """A validated FillHeader: everything except the pixels."""

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
    accepts_chunks: bool = False  # whether large candidates may be sent in chunks

    @property
    def shapes(self) -> list[ImageHeader]:
        """The descriptions of the images, in the order in which their bytes arrive."""
        images = [self.geometry.crop, self.geometry.hole]
        return images + [self.overview] if self.overview else images


@dataclass(frozen=True)
class SourceSpec:
    """A validated RecipeSource: everything except the pixels."""

    recipe: str
    attachment: bytes
    geometry: CropGeometry | None  # None = composite over the attachment's own image


@dataclass(frozen=True)
class EditSpec:
    """A validated EditHeader: everything except the pixels."""

    session_id: str
    source: SourceSpec | None
    index: int
    edits: Edits
    truncation_psi: float | None
    seed: int | None
    mixings: tuple[Mixing, ...]  # each into the result of the one before
    blending: BlendSettings | None
    output_dtype: np.dtype[Any] | None
    accepts_chunks: bool = False  # whether a large candidate may be sent in chunks


@dataclass(frozen=True)
class SegmentSpec:
    """A validated SegmentHeader: everything except the pixels."""

    image: ImageHeader
    parts: tuple[Part, ...]
    faces: tuple[int, ...]  # indices; empty = all
    room: float = 0.0  # how far masks reach beyond the parts, over the side of the face's frame
