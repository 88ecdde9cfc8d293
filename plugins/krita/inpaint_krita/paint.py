"""From the daemon's patches to the bytes of a layer, in the document's own colour space."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from inpaint_client.events import Patch
from inpaint_client.geometry import Box, Extent
from inpaint_client.pixels import rearrange

from .colour import Route, Space, rgb_space

Convert = Callable[[bytes, Extent, Space, Space], bytes]
_WIRE = {1: "Y", 3: "RGB", 4: "RGBA"}


class Painting(NamedTuple):
    """Pixels for a layer at `box`; the alpha is the selection's coverage."""

    box: Box
    data: bytes


def paintings(
    patches: tuple[Patch, ...], way: Route, space: Space, convert: Convert
) -> list[Painting]:
    """One for each patch, in `space`, which `way` leads to."""
    return [Painting(patch.box, _pixels(patch, way, space, convert)) for patch in patches]


def _pixels(patch: Patch, way: Route, space: Space, convert: Convert) -> bytes:
    """Alpha goes through no conversion: the coverage is what the selection says, to the bit."""
    fill = patch.fill
    travel = way.travel
    if travel.model == "GRAYA" and fill.channels > 1:
        travel = rgb_space(way)  # a gray layer with transparency travels as RGBA
    data = rearrange(
        fill.data, _WIRE[fill.channels], travel.layout, fill.sample_type, patch.coverage.data
    )
    if travel == space:
        return data
    return convert(data, fill.extent, travel, space)
