"""Whether pixels are opaque, in every depth that Krita has: the alpha is the last sample."""

from __future__ import annotations

from .color import Space

_OPAQUE = {
    "U8": b"\xff",
    "U16": b"\xff\xff",
    "F16": b"\x00\x3c",  # 1.0, little endian
    "F32": b"\x00\x00\x80\x3f",
}


def is_opaque(data: bytes, space: Space) -> bool:
    """Return whether no pixel lets anything through, however little.

    Args:
        data: whole pixels of the space.
        space: of these pixels.

    Raises:
        KeyError: a model or depth that this version does not know.
    """
    alpha = _OPAQUE[space.depth]
    step = space.pixel_bytes
    return all(
        data[step - len(alpha) + i :: step].count(byte) * step == len(data)
        for i, byte in enumerate(alpha)
    )
