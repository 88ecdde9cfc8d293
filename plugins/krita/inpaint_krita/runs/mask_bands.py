"""Enlarge the mask of a reduced document to the document's size, smoothly and band by band."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from inpaint_client.geometry import Box, Extent
from inpaint_client.images import Picture

from ..host.qt import QtCore, QtGui

BAND_PX = 1 << 18  # of the document; enlarged in about 5 ms


def mask_bands(mask: Picture, step: int, document: Extent) -> Iterator[tuple[Box, bytes]]:
    """Yield bands of the enlarged mask, from top to bottom, with their boxes in the document.

    Args:
        mask: coverage, with one pixel per full square of `step` px of the document.
        step: document px per mask px, along each side.
        document: the size of the document.
    """
    rows = [
        mask.data[start : start + mask.width] + mask.data[start + mask.width - 1 :][:1]
        for start in range(0, mask.width * mask.height, mask.width)
    ]
    # Row and column are repeated at the borders: outside for interpolation, and at the right and
    # at the bottom also for the rest of the document that is no full square.
    rows = [rows[0], *rows, rows[-1], rows[-1]]
    width = mask.width + 1
    height = max(1, BAND_PX // (step * step * width))
    for first in range(0, mask.height + 1, height):
        near = rows[first : first + height + 2]
        box = Box(0, first * step, document.width, (len(near) - 2) * step)
        box = Box.of_extent(document).clamp(box)
        if not box.is_empty:
            yield box, _enlarged(b"".join(near), Extent(width, len(near)), step, box.extent)


def _enlarged(data: bytes, extent: Extent, step: int, part: Extent) -> bytes:
    """Return the coverage of a part of the enlarged rows, which begins below the first one."""
    gray = QtGui.QImage.Format.Format_Grayscale8
    image = QtGui.QImage(data, *extent, extent.width, gray)
    large = image.scaled(
        extent.width * step,
        extent.height * step,
        QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )
    large = large.copy(0, step, *part).convertToFormat(gray)
    pointer: Any = large.constBits()
    pointer.setsize(large.sizeInBytes())
    padded, row = bytes(pointer), large.bytesPerLine()  # Qt aligns rows to 4 bytes
    return b"".join(padded[y * row : y * row + part.width] for y in range(part.height))
