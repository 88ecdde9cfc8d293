"""Images at reduced size."""

from __future__ import annotations

from .qt import QtCore, QtGui


def reduced(image: QtGui.QImage, step: int) -> QtGui.QImage:
    """Return an image with one pixel per square of `step` px."""
    return image.scaled(
        max(1, image.width() // step),
        max(1, image.height() // step),
        QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )
