"""How transparent pixels are, in every bit depth of Krita. Alpha is the last sample of a pixel."""

from __future__ import annotations

import math
import struct
from array import array
from functools import cache

from .color import Space


def transparency(data: bytes, space: Space) -> bytes:
    """Return one byte per pixel: 0 = opaque, 255 = fully transparent.

    Args:
        data: complete pixels.
        space: their color space.

    Raises:
        KeyError: the color model or depth is unknown.
    """
    size, step = space.sample_type.size, space.pixel_bytes
    high = data[step - 1 :: step]
    if not space.depth.startswith("F"):  # the high byte alone: samples are little endian
        return high.translate(bytes(range(255, -1, -1)))
    pairs = bytearray(2 * len(high))  # the high halves of 32-bit floats are precise enough
    pairs[0::2], pairs[1::2] = data[step - 2 :: step], high
    return bytes(map(_complements(size).__getitem__, array("H", bytes(pairs))))


@cache
def _complements(size: int) -> bytes:
    """Return the transparency for the high 16 bits of every float of `size` bytes."""
    padding, letter = (b"", "e") if size == 2 else (b"\0\0", "f")
    data = b"".join(padding + struct.pack("<H", high) for high in range(1 << 16))
    alphas = struct.unpack(f"<{1 << 16}{letter}", data)
    return bytes(0 if math.isnan(a) else math.ceil(255 * (1 - min(max(a, 0), 1))) for a in alphas)
