"""Estimate the peak main memory of a fill before any of it is allocated.

The factors were measured with `python -m benchmarks.memory` and rounded up. The networks' memory is
extra (`inference.memory_footprint`).
"""

from __future__ import annotations

from inpaint_model.document.blending import ring_px
from inpaint_model.document.geometry import Box
from inpaint_model.document.large_hole import LARGE
from inpaint_model.document.texture import MOST_PX

_FRAMING = 12  # bytes per pixel of the hole's box
_BLENDING = 352  # bytes per pixel fitted at once
_TEXTURE = 12  # bytes per pixel from which texture is copied
_TILES = 160 << 20  # bytes to fit a large hole tile by tile
_COPIES = 5  # of a candidate's pixels: fitted, converted, as bytes, in a message, on the wire
_ALWAYS = 16 << 20  # bytes: codes, outputs, attachments
RING_PX = ring_px(float("inf"))  # the largest width


def working_bytes(crop: Box, hole: Box, pixel_bytes: int) -> int:
    """Return the peak bytes of filling, in addition to the images of the box `crop`.

    `pixel_bytes` are those of a candidate's pixel with coverage.
    """
    ring = hole.grown(RING_PX).intersection(crop)
    region, px = ring.width * ring.height, hole.width * hole.height
    # Two candidates are fitted at once where both together are not large.
    blending = _BLENDING * min(2 * region, LARGE) + (_TILES if region > LARGE else 0)
    texture = _TEXTURE * min(crop.width * crop.height, MOST_PX)
    return _ALWAYS + texture + max(_FRAMING * px, blending + _COPIES * px * pixel_bytes)


def largest_side(budget: int, image_bytes: int, pixel_bytes: int) -> int:
    """Return the side of the largest square crop that fits a budget in bytes; 0 if none does.

    `image_bytes` are those of crop and hole per pixel; see `working_bytes` for `pixel_bytes`.
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
