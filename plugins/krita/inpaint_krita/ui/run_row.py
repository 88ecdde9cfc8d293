"""The button that starts a run and, during a run, its progress and the button that stops it."""

from __future__ import annotations

import time

from ..app.progress import describe
from ..app.state import State
from ..host.guard import connect, guarded, guarded_or
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..runs.edit_words import in_words
from ..text import tr
from .narrow import ElidedButton, ElidedLabel
from .parts import column, muted, named, row

_TICK_MS = 250
DIM = 0.6  # blend between the button's color and its text color when disabled


class RunRow(QtWidgets.QWidget):
    run = QtCore.pyqtSignal()
    cancel = QtCore.pyqtSignal()
    considered = QtCore.pyqtSignal()  # the pointer rests on the button that starts a run
    left = QtCore.pyqtSignal()  # the pointer has left it

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = State()
        self.go = ElidedButton(tr("Inpaint the selection"))
        font = self.go.font()
        font.setBold(True)
        self.go.setFont(font)
        self.go.setMinimumHeight(34)
        connect(self.go.clicked, lambda: self.run.emit())
        self.go.installEventFilter(self)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        named(self.bar, tr("Progress"), tr("Progress of the run"))
        self.batch = ElidedLabel()  # what a batch is filling
        self.words = ElidedLabel()
        self.stop = ElidedButton(tr("Cancel"))
        self.stop.setToolTip(tr("Stop the run and keep the candidates received so far"))
        connect(self.stop.clicked, lambda: self.cancel.emit())
        bar = row()
        bar.setSpacing(8)
        bar.addWidget(self.bar, 1, Qt.AlignmentFlag.AlignVCenter)
        bar.addWidget(self.stop)
        self._running = QtWidgets.QWidget()
        running = column(self._running)
        running.setSpacing(3)
        running.addWidget(self.batch)
        running.addWidget(self.words)
        running.addLayout(bar)
        self.remark = QtWidgets.QLabel()
        self.remark.setWordWrap(True)
        self.details = muted(QtWidgets.QLabel())  # information on the last run; needs no action
        self.details.setWordWrap(True)
        layout = column(self)
        layout.addWidget(self.go)
        layout.addWidget(self._running)
        layout.addWidget(self.remark)
        layout.addWidget(self.details)
        self._tick = QtCore.QTimer(self)
        self._tick.setInterval(_TICK_MS)
        connect(self._tick.timeout, self._show_time)

    def draw(self, state: State) -> None:
        self._state = state
        running = state.progress.is_running
        self.go.setVisible(not running)
        self.go.setEnabled(state.has_document and not state.is_selecting)
        self.go.setToolTip(
            tr("Fill the selection with candidates to choose from")
            if state.has_document
            else tr("Open an image first.")
        )
        edits = ", ".join(in_words(state.new_edits))
        self.remark.setText(tr("New candidates get these edits: {edits}").format(edits=edits))
        self.remark.setVisible(bool(edits))
        self.details.setText(" ".join(state.details))
        self.details.setVisible(bool(state.details))
        self._running.setVisible(running)
        if running != self._tick.isActive():
            self._tick.start() if running else self._tick.stop()
        if running:
            fraction = state.progress.fraction
            if (batch := state.batch) is not None:
                fraction = (batch.number - 1 + (fraction or 0)) / batch.total
                self.batch.setText(
                    tr("{number} of {total}: {title}").format(
                        number=batch.number, total=batch.total, title=batch.title
                    )
                )
            self.batch.setVisible(batch is not None)
            self.bar.setRange(0, 0 if fraction is None else 1000)
            self.bar.setValue(round(1000 * (fraction or 0)))
            self._show_time()

    @guarded
    def changeEvent(self, event: QtCore.QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QtCore.QEvent.Type.PaletteChange:
            self._emphasize()

    @guarded
    def showEvent(self, event: QtGui.QShowEvent | None) -> None:
        super().showEvent(event)
        self._emphasize()

    @guarded_or(False)
    def eventFilter(self, watched: QtCore.QObject | None, event: QtCore.QEvent | None) -> bool:
        """Replace the button's tooltip with a preview of the run."""
        if event is None or watched is not self.go:
            return False
        kinds = QtCore.QEvent.Type
        if event.type() in (kinds.Leave, kinds.MouseButtonPress, kinds.Hide):
            self.left.emit()
        elif event.type() == kinds.ToolTip and self._state.has_document:
            self.considered.emit()
            return True
        return False

    def _emphasize(self) -> None:
        """Style the main button with the theme's accent color."""
        palette = self.palette()
        role = QtGui.QPalette.ColorRole
        accent, text = palette.color(role.Highlight), palette.color(role.HighlightedText)
        dim = palette.color(role.Button)
        dim_text = _between(dim, palette.color(role.ButtonText), DIM)
        style = "".join(
            f"QPushButton{state} {{ background: {back.name()}; color: {front.name()}; {more} }}"
            for state, back, front, more in (
                ("", accent, text, "border: none; border-radius: 4px;"),
                (":hover", accent.lighter(112), text, ""),
                (":pressed", accent.darker(115), text, ""),
                (":disabled", dim, dim_text, ""),
            )
        )
        if style != self.go.styleSheet():
            self.go.setStyleSheet(style)

    def _show_time(self) -> None:
        self.words.setText(describe(self._state.progress, time.monotonic()))


def _between(a: QtGui.QColor, b: QtGui.QColor, share: float) -> QtGui.QColor:
    parts = ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    return QtGui.QColor(*(round(start + share * (end - start)) for start, end in parts))
