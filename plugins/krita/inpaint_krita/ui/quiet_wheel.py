"""The wheel scrolls the docker; it changes no value that it happens to pass over."""

from __future__ import annotations

from ..host.guard import guarded_or
from ..host.qt import Qt, QtCore, QtWidgets

CONTROLS = (QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox, QtWidgets.QSlider)


class QuietWheel(QtCore.QObject):
    """One filter for all lists, number boxes and sliders of a docker or dialog.

    They take the wheel only while they have the focus, which it does not give them.
    """

    def watch(self, root: QtWidgets.QWidget) -> None:
        """Take in every control inside `root`; those that are known already stay as they are."""
        for kind in CONTROLS:
            for control in root.findChildren(kind):
                if control.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                control.installEventFilter(self)

    @guarded_or(False)
    def eventFilter(self, watched: QtCore.QObject | None, event: QtCore.QEvent | None) -> bool:
        """Hand the wheel on to what is around the control."""
        if event is None or event.type() != QtCore.QEvent.Type.Wheel:
            return False
        if not isinstance(watched, QtWidgets.QWidget) or watched.hasFocus():
            return False
        event.ignore()
        return True
