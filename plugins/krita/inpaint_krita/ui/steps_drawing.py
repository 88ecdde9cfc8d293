"""A small drawing without words: a selection in a portrait becomes four candidates."""

from __future__ import annotations

from ..host.guard import guarded
from ..host.qt import Qt, QtCore, QtGui, QtWidgets

WIDTH, HEIGHT = 132, 60  # px
FAINT = 0.55  # opacity of the outlines


class StepsDrawing(QtWidgets.QWidget):
    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(WIDTH, HEIGHT)

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        palette, role = self.palette(), QtGui.QPalette.ColorRole
        text, accent = palette.color(role.WindowText), palette.color(role.Highlight)
        one = QtCore.QRectF(3, 4, 44, 52)
        _portrait(painter, one, text, 1.3)
        pen = QtGui.QPen(accent, 1.6)
        pen.setDashPattern([2.2, 1.6])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QtCore.QRectF(13, 10, 24, 29))
        _arrow(painter, QtCore.QPointF(56, 30), QtCore.QPointF(72, 30), text)
        for i in range(4):
            line, place = divmod(i, 2)
            small = QtCore.QRectF(83 + 24 * place, 4 + 27.5 * line, 20, 24.5)
            _portrait(painter, small, text, 1.0)
            if i == 0:
                painter.setOpacity(1.0)
                painter.setPen(QtGui.QPen(accent, 1.6))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(small, 2, 2)


def _portrait(
    painter: QtGui.QPainter, box: QtCore.QRectF, color: QtGui.QColor, width: float
) -> None:
    """Draw an image with a head and shoulders."""
    painter.save()
    painter.setOpacity(FAINT)
    painter.setPen(QtGui.QPen(color, width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    frame = QtGui.QPainterPath()
    frame.addRoundedRect(box, 2, 2)
    painter.drawPath(frame)
    painter.setClipPath(frame)
    x, y, w, h = box.x(), box.y(), box.width(), box.height()
    painter.drawEllipse(QtCore.QRectF(x + 0.31 * w, y + 0.2 * h, 0.38 * w, 0.42 * h))
    painter.drawEllipse(QtCore.QRectF(x + 0.12 * w, y + 0.72 * h, 0.76 * w, 0.6 * h))
    painter.restore()


def _arrow(
    painter: QtGui.QPainter, start: QtCore.QPointF, end: QtCore.QPointF, color: QtGui.QColor
) -> None:
    painter.save()
    painter.setOpacity(FAINT)
    pen = QtGui.QPen(color, 1.5)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    painter.setPen(pen)
    painter.drawLine(start, end)
    for shift in (-4, 4):
        painter.drawLine(end, end + QtCore.QPointF(-4, shift))
    painter.restore()
