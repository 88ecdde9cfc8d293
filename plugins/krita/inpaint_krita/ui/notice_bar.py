"""A notice for the artist, with the button for its action."""

from __future__ import annotations

from ..app.state import Notice
from ..host.guard import connect, guarded
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import tr
from .narrow import ElidedButton
from .parts import IconButton, column, row


class NoticeBar(QtWidgets.QFrame):
    action = QtCore.pyqtSignal()
    dismiss = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._color = QtGui.QColor("#4a90d9")
        self.words = QtWidgets.QLabel()
        self.words.setWordWrap(True)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.button = ElidedButton()
        connect(self.button.clicked, lambda: self.action.emit())
        close = IconButton("cross", tr("Dismiss"))
        connect(close.clicked, lambda: self.dismiss.emit())
        top = row()
        top.addWidget(self.words, 1)
        top.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        layout = column(self)
        layout.setContentsMargins(10, 6, 4, 6)
        layout.addLayout(top)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)

    def draw(self, notice: Notice | None) -> None:
        self.setVisible(notice is not None)
        if notice is None:
            return
        self._color = QtGui.QColor("#dd4b3e" if notice.is_problem else "#4a90d9")
        self.words.setText(notice.text)
        self.button.setVisible(bool(notice.action_label))
        self.button.setText(notice.action_label)
        self.button.setToolTip(notice.text)
        self.update()

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        tint = QtGui.QColor(self._color)
        tint.setAlpha(38)
        painter.setBrush(tint)
        painter.drawRoundedRect(QtCore.QRectF(self.rect()), 4, 4)
        painter.setBrush(self._color)
        painter.drawRoundedRect(QtCore.QRectF(0, 0, 3, self.height()), 1.5, 1.5)
