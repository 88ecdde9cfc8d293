"""Pixels of a document and their position in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from inpaint_model.document import geometry
from inpaint_model.document.arrays import Matrix, Pixels
from inpaint_model.document.color import FULL_SCALE

OPAQUE = 0.5
"""Smallest alpha of known pixels."""


@dataclass(frozen=True)
class DocumentImage:
    """Pixels of a document: all of it, a crop at full resolution, or a reduced part.

    Attributes:
        origin: The top left corner in the document.
        size: Width and height of the document.
        scale: Pixels per document pixel, 1 unless reduced.
        context: A reduced image of more of the document, for crops hardly larger than the hole.
    """

    pixels: Pixels
    linear: bool = False
    origin: tuple[int, int] = (0, 0)
    size: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    context: DocumentImage | None = None

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3, 4) or 0 in shape:
            raise ValueError(
                f"An image must be [height, width, 1, 3 or 4 channels], not {list(shape)}."
            )
        if self.pixels.dtype not in FULL_SCALE:
            raise ValueError(
                f"Samples of {self.pixels.dtype} are not supported; "
                "convert to uint8, uint16, float16 or float32."
            )

    @classmethod
    def overview(cls, pixels: Pixels, size: tuple[int, int], linear: bool = False) -> DocumentImage:
        """Return a small image of a complete document."""
        scale = (pixels.shape[1] / size[0], pixels.shape[0] / size[1])
        return cls(pixels, linear, (0, 0), size, scale)

    @property
    def shown(self) -> tuple[float, float]:
        """Width and height of `pixels`, document px."""
        return self.pixels.shape[1] / self.scale[0], self.pixels.shape[0] / self.scale[1]

    @cached_property
    def document_size(self) -> tuple[int, int]:
        """Width and height of the document, px."""
        return self.size or (self.pixels.shape[1], self.pixels.shape[0])

    @cached_property
    def from_document(self) -> Matrix:
        """Matrix from document px to px of `pixels`."""
        moved = geometry.translation(-self.origin[0], -self.origin[1])
        return geometry.compose(geometry.scaling(*self.scale), moved)
