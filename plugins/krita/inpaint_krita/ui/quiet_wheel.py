"""Make the mouse wheel scroll the docker instead of changing values under the pointer."""

from __future__ import annotations

from ..host.guard import guarded_or
from ..host.qt import Qt, QtCore, QtWidgets

CONTROLS = (QtWidgets.QComboBox, QtWidgets.QAbstractSpinBox, QtWidgets.QSlider)


class QuietWheel(QtCore.QObject):
    """An event filter for all combo boxes, spin boxes and sliders of a docker or dialog.

    They accept the wheel only while they have the focus, and the wheel does not focus them.
    """

    def watch(self, root: QtWidgets.QWidget) -> None:
        """Filter the events of every control inside `root`; may be called again."""
        for kind in CONTROLS:
            for control in root.findChildren(kind):
                if control.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                control.installEventFilter(self)

    @guarded_or(False)
    def eventFilter(self, watched: QtCore.QObject | None, event: QtCore.QEvent | None) -> bool:
        """Pass wheel events on to the surrounding widget."""
        if event is None or event.type() != QtCore.QEvent.Type.Wheel:
            return False
        if not isinstance(watched, QtWidgets.QWidget) or watched.hasFocus():
            return False
        event.ignore()
        return True
