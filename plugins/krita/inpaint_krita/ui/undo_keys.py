"""Ctrl+Z and Ctrl+Shift+Z in the docker: they take back sliders before Krita takes back a step."""

from __future__ import annotations

from ..host.guard import guarded_or
from ..host.qt import Qt, QtCore, QtGui, QtWidgets


class UndoKeys(QtCore.QObject):
    """One filter for everything in the docker that can have the focus.

    Where there is nothing of the docker's to take back, the keys are Krita's as everywhere.
    """

    undo = QtCore.pyqtSignal()
    redo = QtCore.pyqtSignal()

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self.can_undo = False
        self.can_redo = False

    def watch(self, root: QtWidgets.QWidget) -> None:
        """Take in every widget inside `root` that can have the focus."""
        for widget in root.findChildren(QtWidgets.QWidget):
            if widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
                widget.installEventFilter(self)

    @guarded_or(False)
    def eventFilter(self, watched: QtCore.QObject | None, event: QtCore.QEvent | None) -> bool:
        """Claim the keys when Krita asks who wants them, and act when they come."""
        if not isinstance(event, QtGui.QKeyEvent) or _is_typing(watched):
            return False
        kinds, modifiers = QtCore.QEvent.Type, Qt.KeyboardModifier
        if (
            event.type() not in (kinds.ShortcutOverride, kinds.KeyPress)
            or event.key() != Qt.Key.Key_Z
        ):
            return False
        is_undo = event.modifiers() == modifiers.ControlModifier
        is_redo = event.modifiers() == modifiers.ControlModifier | modifiers.ShiftModifier
        if not (is_undo and self.can_undo) and not (is_redo and self.can_redo):
            return False
        if event.type() == kinds.ShortcutOverride:
            event.accept()
        else:
            (self.undo if is_undo else self.redo).emit()
        return True


def _is_typing(watched: QtCore.QObject | None) -> bool:
    """Whether a number is being typed: then the keys take back what was typed."""
    if not isinstance(watched, QtWidgets.QAbstractSpinBox):
        return False
    line = watched.lineEdit()
    return line is not None and line.isModified()
