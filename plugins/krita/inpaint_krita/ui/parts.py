"""Widgets and layouts shared by the docker's sections."""

from __future__ import annotations

from typing import TypeVar

from ..host.guard import connect, guarded
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import tr
from .icons import icon

SPACING = 6
MUTED = 0.7  # opacity
KNOB = 5  # px: radius of a slider's handle
LEAST_SLIDER = 80  # px: minimum width that can be set precisely


def column(parent: QtWidgets.QWidget | None = None, margin: int = 0) -> QtWidgets.QVBoxLayout:
    layout = QtWidgets.QVBoxLayout(parent) if parent is not None else QtWidgets.QVBoxLayout()
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(SPACING)
    return layout


def row(parent: QtWidgets.QWidget | None = None) -> QtWidgets.QHBoxLayout:
    layout = QtWidgets.QHBoxLayout(parent) if parent is not None else QtWidgets.QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    return layout


W = TypeVar("W", bound=QtWidgets.QWidget)


def named(widget: W, name: str, tip: str) -> W:
    """Set a control's tooltip and its name for screen readers."""
    widget.setAccessibleName(name)
    widget.setToolTip(tip)
    return widget


def muted(label: QtWidgets.QLabel) -> QtWidgets.QLabel:
    """Make text less prominent; Qt's disabled labels are unreadable in Krita's dark themes."""
    effect = QtWidgets.QGraphicsOpacityEffect(label)
    effect.setOpacity(MUTED)
    label.setGraphicsEffect(effect)
    return label


class IconButton(QtWidgets.QToolButton):
    """A flat button with an icon that follows the theme."""

    def __init__(self, name: str, tip: str, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        named(self, tip, tip)
        self.setAutoRaise(True)
        self.setIconSize(QtCore.QSize(16, 16))
        self._color()

    @guarded
    def changeEvent(self, event: QtCore.QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QtCore.QEvent.Type.PaletteChange:
            self._color()

    def _color(self) -> None:
        self.setIcon(icon(self._name, self.palette()))


class Section(QtWidgets.QWidget):
    """A collapsible section with a heading."""

    toggled = QtCore.pyqtSignal(bool)

    def __init__(self, title: str, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QtWidgets.QToolButton()
        self._button.setText(title)
        self._button.setAutoRaise(True)
        self._button.setToolTip(tr("Click to expand or collapse this section"))
        self._is_open = True
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.setArrowType(Qt.ArrowType.DownArrow)
        self._button.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed
        )
        font = self._button.font()
        font.setBold(True)
        self._button.setFont(font)
        self.body = QtWidgets.QWidget()
        self.corner = row()
        head = row()
        head.addWidget(self._button, 1)
        head.addLayout(self.corner)
        layout = column(self)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.body)
        connect(self._button.clicked, lambda: self.set_open(not self._is_open))

    @property
    def is_open(self) -> bool:
        return self._is_open

    def set_open(self, is_open: bool) -> None:
        if is_open == self._is_open:
            return
        self._is_open = is_open
        self.body.setVisible(is_open)
        self._button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.toggled.emit(is_open)


class QuietSlider(QtWidgets.QSlider):
    """A slider that shows the distance from its resting value, which may be in the middle.

    A double click restores the resting value.
    """

    reset = QtCore.pyqtSignal()

    def __init__(self, rest: int, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._rest = rest
        self.setMinimumHeight(2 * KNOB + 4)

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        palette, role = self.palette(), QtGui.QPalette.ColorRole
        group = QtGui.QPalette.ColorGroup
        state = group.Active if self.isEnabled() else group.Disabled
        text = palette.color(state, role.WindowText)
        accent = palette.color(state, role.Highlight)
        y, rest, place = self.height() / 2, self._place(self._rest), self._place(self.value())
        faint = QtGui.QColor(text)
        faint.setAlpha(70)
        pen = QtGui.QPen(faint, 3)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        ends = self._place(self.minimum()), self._place(self.maximum())
        painter.drawLine(QtCore.QPointF(ends[0], y), QtCore.QPointF(ends[1], y))
        painter.setPen(QtGui.QPen(faint, 1.5))
        painter.drawLine(QtCore.QPointF(rest, y - 6), QtCore.QPointF(rest, y + 6))
        pen.setColor(accent)
        painter.setPen(pen)
        if place != rest:
            painter.drawLine(QtCore.QPointF(rest, y), QtCore.QPointF(place, y))
        painter.setPen(QtGui.QPen(palette.color(role.Window), 1.5))
        painter.setBrush(accent if self.value() != self._rest or self.hasFocus() else text)
        painter.drawEllipse(QtCore.QPointF(place, y), KNOB, KNOB)

    def _place(self, value: int) -> float:
        """Return the x position of the handle for a value."""
        span = max(1, self.maximum() - self.minimum())
        return KNOB + 1 + (value - self.minimum()) / span * (self.width() - 2 * KNOB - 2)

    @guarded
    def mousePressEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._go_to(event.pos().x())

    @guarded
    def mouseMoveEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is not None and self.isSliderDown():
            self._go_to(event.pos().x())

    @guarded
    def mouseReleaseEvent(self, event: QtGui.QMouseEvent | None) -> None:
        self.setSliderDown(False)

    def _go_to(self, x: int) -> None:
        share = (x - KNOB - 1) / max(1, self.width() - 2 * KNOB - 2)
        value = self.minimum() + share * (self.maximum() - self.minimum())
        snap = (self.maximum() - self.minimum()) / 60  # snap to the resting value
        self.setValue(self._rest if abs(value - self._rest) < snap else round(value))

    @guarded
    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent | None) -> None:
        self.reset.emit()


class ValueSlider(QtWidgets.QWidget):
    """A slider with a spin box."""

    changed = QtCore.pyqtSignal(float)  # by the artist only, not by `show_value`

    def __init__(
        self,
        minimum: float,
        maximum: float,
        step: float,
        rest: float = 0.0,
        decimals: int = 1,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._step = step
        self._rest = rest
        self.slider = QuietSlider(round(rest / step))
        self.slider.setRange(round(minimum / step), round(maximum / step))
        self.slider.setMinimumWidth(LEAST_SLIDER)
        connect(self.slider.reset, lambda: self.spin.setValue(self._rest))
        self.spin = QtWidgets.QDoubleSpinBox()
        self.spin.setDecimals(decimals)
        self.spin.setRange(minimum, maximum)
        self.spin.setSingleStep(step)
        self.spin.setKeyboardTracking(False)
        self.spin.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.spin.setFixedWidth(52)
        self.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed
        )
        layout = row(self)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.spin)
        connect(self.slider.valueChanged, lambda value: self.spin.setValue(value * self._step))
        connect(self.spin.valueChanged, self._typed)

    def describe(self, name: str, tip: str) -> None:
        """Set the tooltip, and the name for screen readers."""
        for widget in (self.slider, self.spin):
            named(widget, name, tip)

    @property
    def value(self) -> float:
        return self.spin.value()

    def show_value(self, value: float) -> None:
        """Set the value without emitting a signal."""
        for widget in (self.spin, self.slider):
            widget.blockSignals(True)
        self.spin.setValue(value)
        self.slider.setValue(round(value / self._step))
        for widget in (self.spin, self.slider):
            widget.blockSignals(False)

    def _typed(self, value: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(value / self._step))
        self.slider.blockSignals(False)
        self.changed.emit(value)
