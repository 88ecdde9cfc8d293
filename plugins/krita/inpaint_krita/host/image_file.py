"""Write an image into a file, completely or not at all."""

from __future__ import annotations

from pathlib import Path

from inpaint_client.errors import InputError

from ..text import tr
from .qt import QtCore, QtGui

QUALITY = 95  # of JPEG


def write_image(image: QtGui.QImage, path: Path) -> None:
    """Write an sRGB image as PNG or, if the name says so, as JPEG.

    Raises:
        InputError: the file cannot be written; an older file of the name is unchanged.
    """
    is_jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    image.setColorSpace(QtGui.QColorSpace(QtGui.QColorSpace.NamedColorSpace.SRgb))
    file = QtCore.QSaveFile(str(path))
    problem = ""
    if file.open(QtCore.QIODevice.OpenModeFlag.WriteOnly):
        writer = QtGui.QImageWriter(file, b"jpg" if is_jpeg else b"png")
        if is_jpeg:
            writer.setQuality(QUALITY)
        if not writer.write(image):
            problem = writer.errorString()
            file.cancelWriting()
    if not file.commit():
        problem = problem or file.errorString()
    if problem:
        raise InputError(
            tr("“{path}” cannot be written ({problem}).").format(path=path, problem=problem),
            tr("Choose another folder."),
        )
