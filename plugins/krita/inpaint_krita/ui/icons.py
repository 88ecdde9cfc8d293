"""Icons drawn in the text color, sharp at any size and suitable for any theme."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

from ..host.qt import Qt, QtCore, QtGui

Draw = Callable[[QtGui.QPainter, QtGui.QColor], None]
_GRID = 16.0  # icons are drawn on a 16 x 16 grid


def icon(name: str, palette: QtGui.QPalette) -> QtGui.QIcon:
    """Return an icon by name, including its disabled state."""
    result = QtGui.QIcon()
    group = QtGui.QPalette.ColorGroup
    for mode, colors in (
        (QtGui.QIcon.Mode.Normal, group.Active),
        (QtGui.QIcon.Mode.Disabled, group.Disabled),
    ):
        color = palette.color(colors, QtGui.QPalette.ColorRole.ButtonText)
        for size in (16, 32):
            result.addPixmap(_pixmap(_IMAGES[name], color, size), mode)
    return result


def paint_star(painter: QtGui.QPainter, box: QtCore.QRectF, filled: bool) -> None:
    """Paint a star that is visible on any image."""
    path = _star_path()
    painter.save()
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / _GRID, box.height() / _GRID)
    painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 190), 1.6))
    painter.setBrush(QtGui.QColor("#ffc83d") if filled else QtGui.QColor(255, 255, 255, 60))
    painter.drawPath(path)
    if not filled:
        painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255, 210), 1.0))
        painter.drawPath(path)
    painter.restore()


def _pixmap(draw: Draw, color: QtGui.QColor, size: int) -> QtGui.QPixmap:
    pixmap = QtGui.QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(pixmap)
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.scale(size / _GRID, size / _GRID)
    pen = QtGui.QPen(color, 1.3)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    draw(painter, color)
    painter.end()
    return pixmap


def _dice(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    painter.drawRoundedRect(QtCore.QRectF(2, 2, 12, 12), 2.5, 2.5)
    painter.setBrush(color)
    painter.setPen(Qt.PenStyle.NoPen)
    for x, y in ((5.2, 5.2), (10.8, 5.2), (8, 8), (5.2, 10.8), (10.8, 10.8)):
        painter.drawEllipse(QtCore.QPointF(x, y), 1.1, 1.1)


def _copy(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    painter.drawRoundedRect(QtCore.QRectF(5.5, 5.5, 8.5, 8.5), 1.5, 1.5)
    path = QtGui.QPainterPath(QtCore.QPointF(3.2, 10.5))
    path.lineTo(2, 10.5)
    path.lineTo(2, 2)
    path.lineTo(10.5, 2)
    path.lineTo(10.5, 3.2)
    painter.drawPath(path)


def _reset(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    painter.drawArc(QtCore.QRectF(3, 3, 10, 10), 120 * 16, -290 * 16)
    painter.drawPolyline(
        QtGui.QPolygonF(
            [QtCore.QPointF(5.2, 1.2), QtCore.QPointF(5.4, 4.6), QtCore.QPointF(8.6, 4.2)]
        )
    )


def _eye(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    path = QtGui.QPainterPath(QtCore.QPointF(1.5, 8))
    path.quadTo(8, 0.5, 14.5, 8)
    path.quadTo(8, 15.5, 1.5, 8)
    painter.drawPath(path)
    painter.setBrush(color)
    painter.drawEllipse(QtCore.QPointF(8, 8), 1.9, 1.9)


def _check(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    painter.drawPolyline(
        QtGui.QPolygonF([QtCore.QPointF(3, 8.5), QtCore.QPointF(6.5, 12), QtCore.QPointF(13, 4)])
    )


def _plus(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    painter.drawLine(QtCore.QPointF(8, 3), QtCore.QPointF(8, 13))
    painter.drawLine(QtCore.QPointF(3, 8), QtCore.QPointF(13, 8))


def _cross(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    painter.drawLine(QtCore.QPointF(4, 4), QtCore.QPointF(12, 12))
    painter.drawLine(QtCore.QPointF(12, 4), QtCore.QPointF(4, 12))


def _sliders(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    for y, knob in ((4, 10.5), (8, 5.0), (12, 9.0)):
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawLine(QtCore.QPointF(2, y), QtCore.QPointF(14, y))
        painter.setBrush(color)
        painter.drawEllipse(QtCore.QPointF(knob, y), 1.5, 1.5)


def _star(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    painter.drawPath(_star_path())


def _star_path() -> QtGui.QPainterPath:
    points = []
    for i in range(10):
        radius = 6.6 if i % 2 == 0 else 2.9
        angle = -pi / 2 + i * pi / 5
        points.append(QtCore.QPointF(8 + radius * cos(angle), 8.4 + radius * sin(angle)))
    path = QtGui.QPainterPath(points[0])
    for point in points[1:]:
        path.lineTo(point)
    path.closeSubpath()
    return path


def _marquee(painter: QtGui.QPainter, color: QtGui.QColor) -> None:
    """Draw a selection in the shape of a head."""
    pen = painter.pen()
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setDashPattern([2.0, 1.5])
    painter.setPen(pen)
    painter.drawEllipse(QtCore.QRectF(3, 1.5, 10, 13))


_IMAGES: dict[str, Draw] = {
    "dice": _dice,
    "copy": _copy,
    "reset": _reset,
    "eye": _eye,
    "check": _check,
    "plus": _plus,
    "cross": _cross,
    "sliders": _sliders,
    "star": _star,
    "marquee": _marquee,
}
