"""Split a candidate's patches into strips, for hosts that paint them into a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from .events import Patch
from .geometry import Box
from .images import Picture
from .pixels import bounding_box, crop, paste, select

CHUNK_BYTES = 1 << 20


def pieces(patches: Sequence[Patch], max_bytes: int = CHUNK_BYTES) -> Iterator[Patch]:
    """Yield the patches in strips of full rows, each a separate patch.

    The boxes of two groups of the hole may overlap, but no pixel is covered by two groups. In the
    overlap, each strip contains the pixels of all groups, so that painting the strips in any order
    does not erase pixels of another group.

    Args:
        patches: the patches of one candidate, which all have the same format.
        max_bytes: maximum size of a strip's fill; a strip has at least one row.
    """
    for patch in patches:
        row = patch.fill.width * patch.fill.pixel_bytes
        for strip in patch.box.strips(max(1, max_bytes // row)):
            piece = _cut(patch, strip)
            for other in patches:
                if other is not patch:
                    piece = _joined(piece, other)
            yield piece


def _joined(piece: Patch, other: Patch) -> Patch:
    """Return a strip with the pixels that another group covers inside its box."""
    common = piece.box.clamp(other.box)
    if common.is_empty:
        return piece
    seen = bounding_box(_cut(other, common).coverage.data, common.extent)
    if seen.is_empty:
        return piece
    common = Box(common.x + seen.x, common.y + seen.y, seen.width, seen.height)
    here, there = _cut(piece, common), _cut(other, common)
    covered, place = there.coverage.data, common.relative(piece.box)

    def join(whole: Picture, theirs: Picture, ours: Picture) -> Picture:
        joined = select(covered, theirs.data, ours.data, whole.pixel_bytes)
        return replace(
            whole, data=paste(whole.data, whole.extent, joined, place, whole.pixel_bytes)
        )

    return Patch(
        join(piece.fill, there.fill, here.fill),
        join(piece.coverage, there.coverage, here.coverage),
        piece.box,
    )


def _cut(patch: Patch, box: Box) -> Patch:
    """Return the part of a patch in `box`, document px, which lies inside the patch's box."""
    part = box.relative(patch.box)

    def cut(image: Picture) -> Picture:
        data = crop(image.data, image.extent, part, image.pixel_bytes)
        return replace(image, width=box.width, height=box.height, data=data)

    return Patch(cut(patch.fill), cut(patch.coverage), box)
