"""The pieces that the docker is put together from."""

from __future__ import annotations

from ..qt import Qt, QtCore, QtGui, QtWidgets
from .icons import icon

SPACING = 6


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


class IconButton(QtWidgets.QToolButton):
    """A flat button with one of our icons; follows the theme."""

    def __init__(self, name: str, tip: str, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setAutoRaise(True)
        self.setIconSize(QtCore.QSize(16, 16))
        self._colour()

    def changeEvent(self, event: QtCore.QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QtCore.QEvent.Type.PaletteChange:
            self._colour()

    def _colour(self) -> None:
        self.setIcon(icon(self._name, self.palette()))


class Section(QtWidgets.QWidget):
    """A heading that folds what is below it."""

    toggled = QtCore.pyqtSignal(bool)

    def __init__(self, title: str, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._button = QtWidgets.QToolButton()
        self._button.setText(title)
        self._button.setCheckable(True)
        self._button.setChecked(True)
        self._button.setAutoRaise(True)
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
        self._button.toggled.connect(self._fold)

    @property
    def is_open(self) -> bool:
        return self._button.isChecked()

    def set_open(self, is_open: bool) -> None:
        self._button.setChecked(is_open)

    def _fold(self, is_open: bool) -> None:
        self.body.setVisible(is_open)
        self._button.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.toggled.emit(is_open)


class QuietSlider(QtWidgets.QSlider):
    """Scrolling over it scrolls the docker, and a double click brings the resting value back."""

    reset = QtCore.pyqtSignal()

    def wheelEvent(self, event: QtGui.QWheelEvent | None) -> None:
        if event is not None:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent | None) -> None:
        self.reset.emit()


class ValueSlider(QtWidgets.QWidget):
    """A slider with the value to type beside it."""

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
        self.slider = QuietSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(minimum / step), round(maximum / step))
        self.slider.setMinimumWidth(60)
        self.slider.reset.connect(lambda: self.spin.setValue(self._rest))
        self.spin = QtWidgets.QDoubleSpinBox()
        self.spin.setDecimals(decimals)
        self.spin.setRange(minimum, maximum)
        self.spin.setSingleStep(step)
        self.spin.setKeyboardTracking(False)
        self.spin.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.spin.setFixedWidth(52)
        layout = row(self)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.spin)
        self.slider.valueChanged.connect(lambda value: self.spin.setValue(value * self._step))
        self.spin.valueChanged.connect(self._typed)

    @property
    def value(self) -> float:
        return self.spin.value()

    def show_value(self, value: float) -> None:
        """Set it without a signal."""
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


class ElidedLabel(QtWidgets.QLabel):
    """One line that is cut with an ellipsis rather than making the docker wider."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred
        )

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        role = QtGui.QPalette.ColorRole.WindowText
        painter.setPen(self.palette().color(role))
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignVCenter), text)
