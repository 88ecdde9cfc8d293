"""Selections by meaning: soft masks of the parts of faces, made by the daemon."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from .geometry import Box, Extent, Frame
from .images import Picture

DEFAULT_SIDE = 1536  # px; usual longest side of an image whose parts are requested
_RADIUS = 0.4  # of the disc around a head, over the side of its frame
_TOUCHED = 0.0005  # least share of a disc that a selection covers if it is meant for this face
_ALIKE = 0.5  # other faces are meant too if at least this share as much of their discs is covered


class Part(IntEnum):
    """A part of a face, or the background. The numbers are those of the wire."""

    HAIR = 1  # on the head, without beards
    SKIN = 2  # of the face, without eyes, brows and mouth
    EYES = 3  # both, with lids and lashes
    BROWS = 4
    MOUTH = 5
    GLASSES = 6  # where glasses are or would be
    BACKGROUND = 7  # all that shows no person

    @property
    def label(self) -> str:
        """Name for users, in English."""
        return self.name.lower()


def room_to_fill(part: Part) -> float:
    """Return the `SegmentJob.room` with which a part is filled best.

    The fine strands beside a mask of hair would stay behind, and the model would continue them;
    the corners of a mouth would fix its width.
    """
    return {Part.HAIR: 0.025, Part.MOUTH: 0.0125}.get(part, 0.0)


@dataclass(frozen=True, kw_only=True)
class SegmentJob:
    """Request for the masks of parts."""

    image: Picture  # a document or part of one, at most `Limits.max_segment_side` px
    parts: tuple[Part, ...] = tuple(Part)  # none = only find the faces
    faces: tuple[int, ...] = ()  # whose masks, as indices from an earlier answer; none = all
    # How far masks reach beyond the parts, over the side of a face's frame, 0..0.2.
    room: float = 0.0


@dataclass(frozen=True)
class Face:
    """A face. Coordinates are in pixels of the image of the request."""

    frame: Frame  # in which a model with the alignment "ffhq" expects this face
    confidence: float  # 0..1 that this is a face
    box: Box  # from chin to forehead


@dataclass(frozen=True)
class PartMask:
    """The mask of a part, or rows of it."""

    part: Part
    face: int  # index of the face; -1 = the background
    box: Box  # px of the image
    coverage: bytes = field(repr=False)  # box.width * box.height bytes; 0 outside


@dataclass(frozen=True)
class Segmentation:
    """The faces of an image, from large to small, and the masks of their parts."""

    extent: Extent
    faces: tuple[Face, ...]
    masks: tuple[PartMask, ...]

    def touched(self, box: Box, coverage: bytes) -> tuple[int, ...]:
        """Return the indices of the faces that a selection is meant for; none = none of them.

        Around each head lies a disc. A selection is meant for the face whose disc it covers most,
        and for those whose discs it covers about as much. So a rough outline of one of two heads
        is meant for this one only, even if it reaches the other's hair.

        Args:
            box: where the selection is, px of the image.
            coverage: of each px of the box, 0..255.
        """
        shares = [_covered(face.frame, box, coverage) for face in self.faces]
        least = max(_TOUCHED, _ALIKE * max(shares, default=0.0))
        return tuple(index for index, share in enumerate(shares) if share >= least)

    def mask(self, parts: Sequence[Part], faces: Collection[int] = ()) -> Picture | None:
        """Return one mask of several parts, as large as the image; None if they are empty.

        Args:
            parts: which parts.
            faces: indices of the faces; none = all faces.
        """
        width, height = self.extent
        whole = bytearray(width * height)
        is_empty = True
        for each in self.masks:
            if each.part not in parts or (faces and each.face >= 0 and each.face not in faces):
                continue
            is_empty = False
            for row in range(each.box.height):
                start = (each.box.y + row) * width + each.box.x
                new = each.coverage[row * each.box.width : (row + 1) * each.box.width]
                there = whole[start : start + each.box.width]
                whole[start : start + each.box.width] = (
                    bytes(map(max, there, new)) if any(there) else new
                )
        return None if is_empty else Picture(width, height, 1, whole)


def _covered(frame: Frame, box: Box, coverage: bytes) -> float:
    """Return the share of the disc around a head that a selection covers."""
    radius = _RADIUS * frame.side
    top, bottom = math.ceil(frame.cy - radius), math.ceil(frame.cy + radius)
    total = 0
    for y in range(max(top, box.y), min(bottom, box.bottom)):
        half = math.sqrt(max(0.0, radius**2 - (y - frame.cy) ** 2))
        left = max(math.ceil(frame.cx - half), box.x)
        right = min(math.ceil(frame.cx + half), box.right)
        start = (y - box.y) * box.width - box.x
        total += sum(coverage[start + left : start + right]) if left < right else 0
    return total / (255 * math.pi * radius**2)
