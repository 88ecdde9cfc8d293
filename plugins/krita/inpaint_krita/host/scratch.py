"""Color conversion by Krita, in hidden scratch documents.

`setColorSpace` on any node of the artist's document, attached or not, creates an undo step there. A
scratch document has its own history, which is discarded with it.
"""

from __future__ import annotations

from typing import Any

from inpaint_client.geometry import Extent

from .color import Space
from .qt import QtCore

MAX_DOCUMENTS = 4  # for a candidate's strips, the shorter last strip, and the thumbnail


class Scratch:
    """Converts pixels. Call `close` when a run is over."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._documents: dict[tuple[Extent, Space], Any] = {}

    def convert(self, data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
        """Convert pixels to another color space; straight alpha is kept."""
        if source == target:
            return data
        layer = self._document(extent, source).topLevelNodes()[0]
        layer.setPixelData(QtCore.QByteArray(data), 0, 0, *extent)
        copy = layer.duplicate()  # keep the layer's color space for the next strip
        copy.setColorSpace(*target)
        return bytes(copy.pixelData(0, 0, *extent))

    def close(self) -> None:
        """Close all scratch documents; the next conversion opens new ones."""
        for document in self._documents.values():
            _close(document)
        self._documents.clear()

    def _document(self, extent: Extent, space: Space) -> Any:
        """Return a scratch document. Opening takes 0.1 s, so images of one size share it."""
        document = self._documents.pop((extent, space), None)
        if document is None:
            if len(self._documents) == MAX_DOCUMENTS:
                _close(self._documents.pop(next(iter(self._documents))))  # least recently used
            document = self._application.createDocument(*extent, "inpaint-scratch", *space, 72.0)
            document.setBatchmode(True)
        self._documents[extent, space] = document
        return document


def _close(document: Any) -> None:
    document.setModified(False)
    document.close()
