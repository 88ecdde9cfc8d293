"""The daemon's state in words, with the button that recovers from it."""

from __future__ import annotations

from ..app.connection_state import ConnectionState, Phase
from ..host.guard import connect, guarded
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import tr
from .narrow import ElidedButton, ElidedLabel, FoldingRow
from .parts import IconButton, row

_COLORS = {
    Phase.LOOKING: "#8a8a8a",
    Phase.MISSING: "#8a8a8a",
    Phase.STARTING: "#e6a100",
    Phase.READY: "#3fae5a",
    Phase.FAILED: "#dd4b3e",
}


class _Dot(QtWidgets.QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(12, 12)
        self._color = QtGui.QColor(_COLORS[Phase.LOOKING])

    def show_color(self, name: str) -> None:
        self._color = QtGui.QColor(name)
        self.update()

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._color)
        painter.drawEllipse(QtCore.QRectF(2, 2, 8, 8))


class StatusRow(QtWidgets.QWidget):
    recover = QtCore.pyqtSignal()
    settings = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._dot = _Dot()
        self.words = ElidedLabel()
        self.button = ElidedButton()
        connect(self.button.clicked, lambda: self.recover.emit())
        gear = IconButton("sliders", tr("Connection settings"))
        connect(gear.clicked, lambda: self.settings.emit())
        sentence = QtWidgets.QWidget()
        sentence.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Preferred
        )
        words = row(sentence)
        words.addWidget(self._dot)
        words.addWidget(self.words, 1)
        layout = row(self)
        layout.addWidget(FoldingRow(sentence, self.button), 1)
        layout.addWidget(gear, 0, Qt.AlignmentFlag.AlignTop)

    def draw(self, connection: ConnectionState, is_selecting: bool = False) -> None:
        """Show the daemon's state, or what it does to select a part of the faces."""
        works = is_selecting and connection.phase is not Phase.STARTING
        self._dot.show_color(_COLORS[Phase.STARTING if works else connection.phase])
        self.words.setText(tr("Finding the faces…") if works else connection.words)
        self.setToolTip(connection.explanation or connection.words)
        self.button.setToolTip(connection.explanation or connection.words)
        self.button.setVisible(bool(connection.recovery_label))
        self.button.setText(connection.recovery_label)
