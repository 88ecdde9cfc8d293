"""From the daemon's patches to the bytes of a layer, in the document's own colour space."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from inpaint_client.events import Patch
from inpaint_client.geometry import Box, Extent
from inpaint_client.pixels import rearrange

from .colour import Space, space_of

Convert = Callable[[bytes, Extent, Space, Space], bytes]
STRIP_BYTES = 1 << 20
_WIRE = {1: "Y", 3: "RGB", 4: "RGBA"}


class Painting(NamedTuple):
    """Pixels for a layer at `box`; the alpha is the selection's coverage."""

    box: Box
    data: bytes


def paintings(patch: Patch, space: Space, convert: Convert) -> Iterator[Painting]:
    """A patch in `space`, in strips that take a few milliseconds each."""
    fill, coverage = patch.fill, patch.coverage
    travel = space_of(fill, space)
    row = fill.width * fill.pixel_bytes
    for strip in patch.box.strips(max(1, STRIP_BYTES // row)):
        first, last = strip.y - patch.box.y, strip.bottom - patch.box.y
        data = rearrange(
            fill.data[first * row : last * row],
            _WIRE[fill.channels],
            travel.layout,
            fill.sample_type,
            coverage.data[first * fill.width : last * fill.width],
        )
        if travel != space:
            data = convert(data, strip.extent, travel, space)
        yield Painting(strip, data)
