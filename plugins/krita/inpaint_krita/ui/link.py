"""A button that is only underlined text, for what is offered without asking for attention."""

from __future__ import annotations

from ..host.guard import guarded, guarded_or
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from .parts import MUTED


class Link(QtWidgets.QAbstractButton):
    def __init__(self, text: str, tip: str, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setToolTip(tip)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        font = self.font()
        font.setUnderline(True)
        self.setFont(font)

    @guarded_or(QtCore.QSize(40, 16))
    def sizeHint(self) -> QtCore.QSize:
        metrics = self.fontMetrics()
        return QtCore.QSize(metrics.horizontalAdvance(self.text()) + 1, metrics.height() + 2)

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        painter.setOpacity(1.0 if self.underMouse() or self.hasFocus() else MUTED)
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.WindowText))
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), text)
