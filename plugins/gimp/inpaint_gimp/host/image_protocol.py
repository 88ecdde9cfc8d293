"""The interface of an image: image.GimpImage, or a fake in tests."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from inpaint_client import Box, Extent

from .precision import SampleFormat
from .target import Item


class PaintLayer(NamedTuple):
    """A layer that is not a group."""

    tattoo: int  # GIMP's persistent number
    name: str
    recipe: str  # empty if the layer is not a fill


class Reader(Protocol):
    """Reads pixels in image coordinates; outside the drawable they are transparent zeros."""

    def read(self, box: Box, babl: str, step: int = 1) -> bytes: ...
    def is_opaque(self, box: Box) -> bool:
        """Return whether nothing in a box can be transparent."""

    def read_screen(self, box: Box, step: int = 1) -> bytes:
        """Return what dialogs show of a box: RGBA, 8-bit sRGB."""


class Readable(Protocol):
    """The part of `GimpImage` used for reading."""

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
        """Provide the pixels of the selected item at that index; None = the visible image."""
