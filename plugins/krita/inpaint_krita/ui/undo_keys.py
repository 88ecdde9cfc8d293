"""Ctrl+Z and Ctrl+Shift+Z in the docker: undo slider changes before Krita undoes a step."""

from __future__ import annotations

from ..host.guard import connect, guarded_or
from ..host.qt import Qt, QtCore, QtGui, QtWidgets


class UndoKeys(QtCore.QObject):
    """An event filter for the widgets of the docker that get the focus.

    If the docker has nothing to undo or redo, Krita handles the keys as usual.
    """

    undo = QtCore.pyqtSignal()
    redo = QtCore.pyqtSignal()

    def __init__(self, root: QtWidgets.QWidget) -> None:
        """Filter the events of widgets inside `root`."""
        super().__init__(root)
        self._root = root
        self.can_undo = False
        self.can_redo = False
        application = QtWidgets.QApplication.instance()
        assert isinstance(application, QtWidgets.QApplication)
        connect(application.focusChanged, self._follow)

    def _follow(self, _before: QtWidgets.QWidget | None, now: QtWidgets.QWidget | None) -> None:
        # Not all widgets at once: a list of them may contain one that Qt has deleted, if PyQt
        # still has an object for it, such as a scroll bar.
        if now is not None and self._root.isAncestorOf(now):
            now.installEventFilter(self)

    @guarded_or(False)
    def eventFilter(self, watched: QtCore.QObject | None, event: QtCore.QEvent | None) -> bool:
        """Override Krita's shortcut, then act on the key press."""
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
    """Return whether a number is being typed: the keys then undo the typing."""
    if not isinstance(watched, QtWidgets.QAbstractSpinBox):
        return False
    line = watched.lineEdit()
    return line is not None and line.isModified()
