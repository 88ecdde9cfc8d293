"""Convert the daemon's patches to layer pixels in the document's color space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from inpaint_client.events import Patch
from inpaint_client.geometry import Extent
from inpaint_client.patches import pieces
from inpaint_client.pixels import rearrange

from ..host.color import Space, space_of
from ..host.document_protocol import Painting

Convert = Callable[[bytes, Extent, Space, Space], bytes]
_WIRE = {1: "Y", 3: "RGB", 4: "RGBA"}


def paintings(patches: Sequence[Patch], space: Space, convert: Convert) -> Iterator[Painting]:
    """Yield a candidate's patches in `space`, in chunks that take a few milliseconds each."""
    for piece in pieces(patches):
        fill = piece.fill
        travel = space_of(fill, space)
        data = rearrange(
            fill.data,
            _WIRE[fill.channels],
            travel.layout,
            fill.sample_type,
            coverage=piece.coverage.data,
        )
        if travel != space:
            data = convert(data, fill.extent, travel, space)
        yield Painting(piece.box, data)
