"""What a fill takes of the machine's memory at most, told before anything of it is made.

The factors are what was measured with a real daemon (`python -m benchmarks.memory`), rounded up.
The networks' own memory is not counted here (`inference.memory_footprint`).
"""

from __future__ import annotations

from inpaint_model.document.blending import ring_px
from inpaint_model.document.geometry import Box
from inpaint_model.document.large_hole import LARGE

_FRAMING = 12  # bytes a pixel of the hole's box: its parts, and what the model sees of it
_BLENDING = 320  # bytes a pixel that fills are fitted in at once
_TILES = 160 << 20  # bytes: what a large hole is laid over with, tile by tile
_COPIES = 5  # of a candidate's pixels: fitted, converted, as bytes, in a message, on the wire
_ALWAYS = 16 << 20  # bytes of codes, outputs and attachments
RING_PX = ring_px(float("inf"))  # the widest


def working_bytes(crop: Box, hole: Box, pixel_bytes: int) -> int:
    """Return what filling takes on top of the images, at most.

    Args:
        crop: the box of the images.
        hole: the box of the hole in it.
        pixel_bytes: of a candidate's pixels, with coverage.
    """
    ring = hole.grown(RING_PX).intersection(crop)
    region, px = ring.width * ring.height, hole.width * hole.height
    blending = _BLENDING * min(region, LARGE) + (_TILES if region > LARGE else 0)
    return _ALWAYS + max(_FRAMING * px, blending + _COPIES * px * pixel_bytes)


def largest_side(budget: int, image_bytes: int, pixel_bytes: int) -> int:
    """Return the side of the largest square crop that can be filled in so many bytes, px; 0: none.

    Args:
        budget: bytes.
        image_bytes: of a pixel of crop and hole.
        pixel_bytes: as in `working_bytes`.
    """
    low, high = 0, 1 << 16
    while high - low > 1:
        side = (low + high) // 2
        box = Box(0, 0, side, side)
        if image_bytes * side**2 + working_bytes(box, box, pixel_bytes) <= budget:
            low = side
        else:
            high = side
    return low
