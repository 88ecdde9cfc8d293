"""Controls that stay readable in a narrow docker.

Text that does not fit ends with an ellipsis, and the tooltip shows the full text. Widgets that do
not fit side by side are stacked.
"""

from __future__ import annotations

from ..host.guard import guarded, guarded_or
from ..host.qt import Qt, QtCore, QtGui, QtWidgets

LEAST = 40  # px: the minimum width that a control requests for its text
FOLDING_GAP = 4  # px

_IGNORED = QtWidgets.QSizePolicy.Policy.Ignored
_PREFERRED = QtWidgets.QSizePolicy.Policy.Preferred
_FIXED = QtWidgets.QSizePolicy.Policy.Fixed


class FoldingRow(QtWidgets.QWidget):
    """Places widgets side by side if their texts fit, else below each other."""

    def __init__(self, *parts: QtWidgets.QWidget) -> None:
        super().__init__()
        self._parts = parts
        self._layout = QtWidgets.QBoxLayout(QtWidgets.QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(FOLDING_GAP)
        for part in parts:
            self._layout.addWidget(part)
        self.setSizePolicy(_IGNORED, _PREFERRED)

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        """Fold or unfold when the width or a text may have changed."""
        taken = bool(super().event(event))
        kinds = QtCore.QEvent.Type
        if event is not None and event.type() in (kinds.Resize, kinds.LayoutRequest):
            self._fold()
        return taken

    def _fold(self) -> None:
        shown = [part for part in self._parts if not part.isHidden()]
        wanted = sum(max(part.sizeHint().width(), part.minimumWidth()) for part in shown)
        wanted += FOLDING_GAP * (len(shown) - 1)
        directions = QtWidgets.QBoxLayout.Direction
        direction = directions.LeftToRight if wanted <= self.width() else directions.TopToBottom
        if direction != self._layout.direction():
            self._layout.setDirection(direction)
            self.updateGeometry()


class ElidedLabel(QtWidgets.QLabel):
    """A label of one line."""

    def __init__(self, text: str = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(text, parent)

    @guarded_or(QtCore.QSize(LEAST, LEAST))
    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(LEAST, super().minimumSizeHint().height())

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        painter.setPen(self.palette().color(QtGui.QPalette.ColorRole.WindowText))
        text = _elided(self, self.text(), self.width())
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), text)

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        return _tell_whole(self, event, self.text(), self.width()) or bool(super().event(event))


class ElidedButton(QtWidgets.QPushButton):
    """A button with text and an optional icon."""

    def __init__(self, text: str = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setSizePolicy(_PREFERRED, _FIXED)

    @guarded_or(QtCore.QSize(LEAST, LEAST))
    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(LEAST, super().minimumSizeHint().height())

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        option = self._option()
        option.text = _elided(self, self.text(), self._room())
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButton, option)

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        return _tell_whole(self, event, self.text(), self._room()) or bool(super().event(event))

    def _option(self) -> QtWidgets.QStyleOptionButton:
        option = QtWidgets.QStyleOptionButton()
        self.initStyleOption(option)
        return option

    def _room(self) -> int:
        element = QtWidgets.QStyle.SubElement.SE_PushButtonContents
        icon = 0 if self.icon().isNull() else self.iconSize().width() + 4
        return _rect(self, element, self._option()).width() - icon


class ElidedCheck(QtWidgets.QCheckBox):
    """A check box with text."""

    def __init__(self, text: str = "", parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setSizePolicy(_PREFERRED, _FIXED)

    @guarded_or(QtCore.QSize(LEAST, LEAST))
    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(LEAST, super().minimumSizeHint().height())

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        option = self._option()
        option.text = _elided(self, self.text(), self._room())
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_CheckBox, option)

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        return _tell_whole(self, event, self.text(), self._room()) or bool(super().event(event))

    def _option(self) -> QtWidgets.QStyleOptionButton:
        option = QtWidgets.QStyleOptionButton()
        self.initStyleOption(option)
        return option

    def _room(self) -> int:
        element = QtWidgets.QStyle.SubElement.SE_CheckBoxContents
        return _rect(self, element, self._option()).width()


class ElidedMenuButton(QtWidgets.QToolButton):
    """A button with text that opens a menu."""

    def __init__(self) -> None:
        super().__init__()
        self.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setSizePolicy(_IGNORED, _FIXED)
        self.setMinimumWidth(2 * LEAST)

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        option = QtWidgets.QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text = _elided(self, self.text(), self._room())
        painter = QtWidgets.QStylePainter(self)
        painter.drawComplexControl(QtWidgets.QStyle.ComplexControl.CC_ToolButton, option)

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        return _tell_whole(self, event, self.text(), self._room()) or bool(super().event(event))

    def _room(self) -> int:
        return self.width() - 20  # the border and the menu indicator


class ElidedList(QtWidgets.QComboBox):
    """A combo box that may be narrow; its list is wide enough to read."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(_IGNORED, _FIXED)
        self.setMinimumWidth(2 * LEAST)

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        option = QtWidgets.QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = _elided(self, self.currentText(), self._room())
        painter = QtWidgets.QStylePainter(self)
        painter.drawComplexControl(QtWidgets.QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_ComboBoxLabel, option)

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        told = _tell_whole(self, event, self.currentText(), self._room())
        return told or bool(super().event(event))

    @guarded
    def showPopup(self) -> None:
        view = self.view()
        if view is not None:
            view.setMinimumWidth(view.sizeHintForColumn(0) + 24)
        super().showPopup()

    def _room(self) -> int:
        option = QtWidgets.QStyleOptionComboBox()
        self.initStyleOption(option)
        style = self.style()
        if style is None:
            return self.width()
        field = style.subControlRect(
            QtWidgets.QStyle.ComplexControl.CC_ComboBox,
            option,
            QtWidgets.QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        return field.width() - 4


def _rect(
    widget: QtWidgets.QWidget,
    element: QtWidgets.QStyle.SubElement,
    option: QtWidgets.QStyleOptionButton,
) -> QtCore.QRect:
    style = widget.style()
    return widget.rect() if style is None else style.subElementRect(element, option, widget)


def _elided(widget: QtWidgets.QWidget, text: str, room: int) -> str:
    return widget.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)


def _tell_whole(
    widget: QtWidgets.QWidget, event: QtCore.QEvent | None, text: str, room: int
) -> bool:
    """Show a tooltip that starts with the full text if the text is elided.

    Returns:
        Whether the event was handled.
    """
    if not isinstance(event, QtGui.QHelpEvent) or event.type() != QtCore.QEvent.Type.ToolTip:
        return False
    if _elided(widget, text, room) == text:
        return False
    lines = [text, widget.toolTip()]
    QtWidgets.QToolTip.showText(event.globalPos(), "\n".join(filter(None, lines)), widget)
    return True
