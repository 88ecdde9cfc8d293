"""Color conversion by Krita, in documents that nobody sees.

`setColorSpace` on any node of the artist's document, attached or not, leaves a step in its undo
history. A scratch document has a history of its own and goes away with it.
"""

from __future__ import annotations

from typing import Any

from inpaint_client.geometry import Extent

from .color import Space
from .qt import QtCore

MAX_DOCUMENTS = 4  # a candidate's strips, the last and lower one, and its thumbnail


class Scratch:
    """Converts pixels; `close` it when a run is over."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._documents: dict[tuple[Extent, Space], Any] = {}

    def convert(self, data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
        """The same colors in another space; straight alpha stays."""
        if source == target:
            return data
        layer = self._document(extent, source).topLevelNodes()[0]
        layer.setPixelData(QtCore.QByteArray(data), 0, 0, *extent)
        copy = layer.duplicate()  # so that the layer keeps its space for the next strip
        copy.setColorSpace(*target)
        return bytes(copy.pixelData(0, 0, *extent))

    def close(self) -> None:
        """Until the next image is converted."""
        for document in self._documents.values():
            _close(document)
        self._documents.clear()

    def _document(self, extent: Extent, space: Space) -> Any:
        """Opening one takes 0.1 s, so images of the same size share it."""
        document = self._documents.pop((extent, space), None)
        if document is None:
            if len(self._documents) == MAX_DOCUMENTS:
                _close(self._documents.pop(next(iter(self._documents))))  # the longest unused
            document = self._application.createDocument(*extent, "inpaint-scratch", *space, 72.0)
            document.setBatchmode(True)
        self._documents[extent, space] = document
        return document


def _close(document: Any) -> None:
    document.setModified(False)
    document.close()
