"""Test pixels for opacity, in every bit depth of Krita. Alpha is the last sample of a pixel."""

from __future__ import annotations

from .color import Space

_OPAQUE = {
    "U8": b"\xff",
    "U16": b"\xff\xff",
    "F16": b"\x00\x3c",  # 1.0, little endian
    "F32": b"\x00\x00\x80\x3f",
}


def is_opaque(data: bytes, space: Space) -> bool:
    """Return whether all pixels are fully opaque.

    Args:
        data: complete pixels.
        space: their color space.

    Raises:
        KeyError: the color model or depth is unknown.
    """
    alpha = _OPAQUE[space.depth]
    step = space.pixel_bytes
    return all(
        data[step - len(alpha) + i :: step].count(byte) * step == len(data)
        for i, byte in enumerate(alpha)
    )
