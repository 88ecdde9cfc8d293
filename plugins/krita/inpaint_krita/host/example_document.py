"""Open the example portrait, to try the plug-in without an image of one's own.

It is not opened from its file but created from its pixels. So saving asks for a name instead of
overwriting the plug-in's file, and no path gets into Krita's list of recent files.
"""

from __future__ import annotations

from typing import Any

from inpaint_client.example import PORTRAIT

from ..text import tr
from .color import SRGB
from .qt import QtCore, QtGui

RESOLUTION = 72.0  # px per inch


def open_example(application: Any) -> None:
    """Open the example in the active window as a new, unmodified document.

    Raises:
        OSError: its file cannot be read.
    """
    image = QtGui.QImage(str(PORTRAIT)).convertToFormat(QtGui.QImage.Format.Format_ARGB32)
    if image.isNull():
        raise OSError(f"{PORTRAIT} cannot be read; install the plug-in again.")
    width, height = image.width(), image.height()
    pointer: Any = image.constBits()
    pointer.setsize(image.sizeInBytes())
    document = application.createDocument(
        width, height, tr("Example portrait"), "RGBA", "U8", SRGB, RESOLUTION
    )
    document.topLevelNodes()[0].setPixelData(QtCore.QByteArray(bytes(pointer)), 0, 0, width, height)
    document.refreshProjection()
    application.activeWindow().addView(document)
