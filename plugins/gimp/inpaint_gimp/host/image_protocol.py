"""What the plug-in needs of an image: image.GimpImage, or a fake one in tests."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from inpaint_client import Box, Extent

from .precision import SampleFormat
from .target import Item


class PaintLayer(NamedTuple):
    """A layer with pixels of its own."""

    tattoo: int  # GIMP's lasting number
    name: str
    recipe: str  # empty if no fill made it


class Reader(Protocol):
    """Pixels by place in the image; beyond the drawable they are transparent zeros."""

    def read(self, box: Box, babl: str, step: int = 1) -> bytes: ...


class Readable(Protocol):
    """What `GimpImage` tells about an image."""

    @property
    def extent(self) -> Extent: ...
    @property
    def base_type(self) -> str: ...
    @property
    def format(self) -> SampleFormat: ...
    def items(self) -> list[Item]: ...
    def selection(self) -> Box | None: ...
    def coverage(self, box: Box, step: int = 1) -> bytes: ...
    def pixels(self, item: int | None) -> AbstractContextManager[Reader]:
        """Of the selected item at that index; of all that is visible for None."""
