"""Editor for a custom frame, on a small image of the document."""

from __future__ import annotations

from math import atan2, degrees, hypot

from inpaint_client.geometry import Extent, Frame

from ..host.guard import connect, guarded
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import tr
from .narrow import FoldingRow
from .parts import column, named, row

HEIGHT = 170
GRAB = 9.0  # px on screen
MIN_SIDE = 16.0  # document px


class FrameImage(QtWidgets.QWidget):
    """The image with the frame: drag inside to move it, drag a corner to resize or rotate it."""

    moved = QtCore.pyqtSignal(object)  # Frame

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(HEIGHT)
        self.setMouseTracking(True)
        named(
            self,
            tr("Frame in the image"),
            tr(
                "Drag the square to move it. Drag a corner to resize it, with Shift to rotate "
                "it as well."
            ),
        )
        self._image: QtGui.QImage | None = None
        self._extent = Extent(1, 1)
        self.frame = Frame(0, 0, 0)
        self._grabbed: tuple[str, QtCore.QPointF, Frame] | None = None

    def show_image(self, image: QtGui.QImage, extent: Extent) -> None:
        self._image, self._extent = image, extent
        self.update()

    def show_frame(self, frame: Frame | None) -> None:
        self.frame = Frame(0, 0, 0) if frame is None else frame
        self.update()

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        if self._image is None:
            return
        painter = QtGui.QPainter(self)
        hints = QtGui.QPainter.RenderHint
        painter.setRenderHints(hints.Antialiasing | hints.SmoothPixmapTransform)
        painter.drawImage(self._target(), self._image)
        if self.frame.side <= 0:
            return
        points = [self._to_screen(x, y) for x, y in self.frame.corners()]
        corners = QtGui.QPolygonF(points)
        outside = QtGui.QPainterPath()
        outside.addRect(self._target())
        inside = QtGui.QPainterPath()
        inside.addPolygon(corners)
        inside.closeSubpath()
        painter.fillPath(outside.subtracted(inside), QtGui.QColor(0, 0, 0, 110))
        painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 160), 3))
        painter.drawPolygon(corners)
        painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1.4))
        painter.drawPolygon(corners)
        painter.setBrush(QtGui.QColor("white"))
        for corner in points:
            painter.drawEllipse(corner, 3.2, 3.2)

    @guarded
    def mousePressEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is None or self.frame.side <= 0:
            return
        place = QtCore.QPointF(event.pos())
        for x, y in self.frame.corners():
            if _distance(self._to_screen(x, y), place) <= GRAB:
                self._grabbed = ("corner", place, self.frame)
                return
        polygon = QtGui.QPolygonF([self._to_screen(x, y) for x, y in self.frame.corners()])
        if polygon.containsPoint(place, Qt.FillRule.OddEvenFill):
            self._grabbed = ("inside", place, self.frame)

    @guarded
    def mouseMoveEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is None or self._grabbed is None:
            return
        what, start, frame = self._grabbed
        place = QtCore.QPointF(event.pos())
        scale = self._scale()
        if what == "inside":
            dx, dy = (place.x() - start.x()) / scale, (place.y() - start.y()) / scale
            changed = frame._replace(cx=frame.cx + dx, cy=frame.cy + dy)
        else:
            center = self._to_screen(frame.cx, frame.cy)
            ratio = _distance(center, place) / max(1.0, _distance(center, start))
            changed = frame._replace(side=max(MIN_SIDE, frame.side * ratio))
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                turn = _angle(center, start) - _angle(center, place)
                changed = changed._replace(angle=(frame.angle + turn + 180) % 360 - 180)
        self.show_frame(changed)
        self.moved.emit(changed)

    @guarded
    def mouseReleaseEvent(self, event: QtGui.QMouseEvent | None) -> None:
        self._grabbed = None

    def _scale(self) -> float:
        """Return screen px per document px."""
        return min(self.width() / self._extent.width, self.height() / self._extent.height)

    def _target(self) -> QtCore.QRectF:
        scale = self._scale()
        width, height = self._extent.width * scale, self._extent.height * scale
        left, top = (self.width() - width) / 2, (self.height() - height) / 2
        return QtCore.QRectF(left, top, width, height)

    def _to_screen(self, x: float, y: float) -> QtCore.QPointF:
        target, scale = self._target(), self._scale()
        return QtCore.QPointF(target.x() + x * scale, target.y() + y * scale)


class FrameView(QtWidgets.QWidget):
    moved = QtCore.pyqtSignal(float, float, float, float)  # cx, cy, side, angle

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.image = FrameImage()
        connect(self.image.moved, lambda frame: self.moved.emit(*frame))
        self.side = named(
            _spin(" px", MIN_SIDE, 100_000), tr("Size"), tr("Width and height of the square")
        )
        self.angle = named(
            _spin("°", -180, 180), tr("Angle"), tr("Rotation of the square in degrees")
        )
        connect(self.side.valueChanged, self._typed)
        connect(self.angle.valueChanged, self._typed)
        layout = column(self)
        layout.addWidget(self.image)
        layout.addWidget(
            FoldingRow(_labeled(tr("Size"), self.side), _labeled(tr("Angle"), self.angle))
        )

    def show_image(self, image: QtGui.QImage, extent: Extent) -> None:
        self.image.show_image(image, extent)

    def show_frame(self, frame: Frame) -> None:
        if frame != self.image.frame:
            self.image.show_frame(frame)
        for spin, value in ((self.side, frame.side), (self.angle, frame.angle)):
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)

    def _typed(self) -> None:
        frame = self.image.frame
        self.moved.emit(frame.cx, frame.cy, self.side.value(), self.angle.value())


def _labeled(title: str, spin: QtWidgets.QDoubleSpinBox) -> QtWidgets.QWidget:
    whole = QtWidgets.QWidget()
    parts = row(whole)
    parts.addWidget(QtWidgets.QLabel(title))
    parts.addWidget(spin, 1)
    return whole


def _spin(suffix: str, minimum: float, maximum: float) -> QtWidgets.QDoubleSpinBox:
    spin = QtWidgets.QDoubleSpinBox()
    spin.setRange(minimum, maximum)
    spin.setDecimals(0)
    spin.setSuffix(suffix)
    spin.setKeyboardTracking(False)
    return spin


def _distance(a: QtCore.QPointF, b: QtCore.QPointF) -> float:
    return hypot(a.x() - b.x(), a.y() - b.y())


def _angle(center: QtCore.QPointF, place: QtCore.QPointF) -> float:
    return degrees(atan2(place.y() - center.y(), place.x() - center.x()))
