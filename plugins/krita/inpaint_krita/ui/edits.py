"""Sliders for the model's directions, in the daemon's groups."""

from __future__ import annotations

from inpaint_client.info import Direction, Model
from inpaint_client.session.abilities import why_unedited

from ..app.state import State
from ..host.guard import connect
from ..host.qt import QtCore, QtGui, QtWidgets
from ..runs.edit_words import title as title_of
from ..text import say, tr
from .narrow import ElidedButton, ElidedCheck, FoldingRow
from .parts import IconButton, ValueSlider, column, muted, row

STEP = 0.1
REST_MS = 40  # minimum interval between renderings while a slider is dragged


class Edits(QtWidgets.QWidget):
    """One slider for each of the model's directions."""

    edited = QtCore.pyqtSignal(str, float)
    rested = QtCore.pyqtSignal()  # the slider was released
    for_new = QtCore.pyqtSignal(bool)
    plain_too = QtCore.pyqtSignal(bool)
    variant = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._directions: tuple[Direction, ...] | None = None
        self.sliders: dict[str, ValueSlider] = {}
        self._resets: dict[str, IconButton] = {}
        self._pending: dict[str, float] = {}
        self._edited: tuple[str, int] | None = None  # run and candidate of `_pending`
        self._rows = column()
        self._rows.setSpacing(1)
        self._empty = muted(QtWidgets.QLabel())
        self._empty.setWordWrap(True)
        self.apply = ElidedCheck(tr("Apply to new candidates"))
        self.apply.setToolTip(
            tr("Start new candidates with these edits. Otherwise they are unedited.")
        )
        connect(self.apply.clicked, self.for_new)
        self.both = ElidedCheck(tr("Also without edits"))
        self.both.setToolTip(tr("Each new candidate comes twice: unedited and with these edits."))
        connect(self.both.clicked, self.plain_too)
        self.add = ElidedButton(tr("Keep both versions"))
        self.add.setToolTip(
            tr("Keep this candidate as it was and continue the edits in a new layer")
        )
        connect(self.add.clicked, lambda: self.variant.emit())
        layout = column(self)
        layout.addWidget(self._empty)
        layout.addLayout(self._rows)
        layout.addWidget(self.add)
        layout.addWidget(self.apply)
        layout.addWidget(self.both)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        connect(self._timer.timeout, self._send)

    def draw(self, state: State) -> None:
        self._build(state.model)
        run = state.run
        edited = None if run is None else (run.key, run.chosen)
        if edited != self._edited or not state.can_edit:
            self._edited = edited
            self._pending.clear()  # never apply an edit to another candidate
        for name, slider in self.sliders.items():
            slider.setEnabled(state.can_edit)
            value = state.edits.get(name, 0.0)
            if name not in self._pending and slider.value != value:
                slider.show_value(value)
            self._resets[name].setEnabled(slider.value != 0 and state.can_edit)
        has = bool(self.sliders)
        self._empty.setText(_hint(state))
        self._empty.setVisible(bool(self._empty.text()))
        self.apply.setVisible(has)
        self.apply.setChecked(state.fill_settings.edits_for_new)
        self.both.setVisible(has and state.fill_settings.edits_for_new)
        self.both.setChecked(state.fill_settings.also_without_edits)
        can_add = state.run is not None and state.run_is_attached and not state.run_is_kept
        self.add.setVisible(has and can_add and not state.progress.is_running)
        self.add.setEnabled(
            any(state.edits.values()) and not state.is_editing and not state.is_fixed
        )

    def _build(self, model: Model | None) -> None:
        directions = model.directions if model else ()
        if directions == self._directions:
            return
        self._directions = directions
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        self.sliders.clear()
        self._resets.clear()
        groups: dict[str, list[Direction]] = {}
        for direction in directions:
            groups.setdefault(direction.group, []).append(direction)
        labels = []
        for group, members in groups.items():
            if group:
                self._rows.addWidget(_heading(group))
            labels += [self._add(direction) for direction in members]
        for label in labels:  # same width, so that sliders align or all fold
            label.setMinimumWidth(max(each.sizeHint().width() for each in labels))

    def _add(self, direction: Direction) -> QtWidgets.QLabel:
        name, title = direction.name, title_of(direction.name)
        label = QtWidgets.QLabel(title)
        label.setToolTip(direction.description)
        slider = ValueSlider(direction.minimum, direction.maximum, STEP)
        slider.describe(title, direction.description or title)
        connect(slider.changed, lambda value: self._changed(name, value))
        connect(slider.slider.sliderReleased, self._rest)
        reset = IconButton("reset", tr("Reset to 0"))
        reset.setAccessibleName(tr("Reset {name} to 0").format(name=title))
        connect(reset.clicked, lambda: slider.spin.setValue(0.0))
        control = QtWidgets.QWidget()
        control.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Preferred
        )
        parts = row(control)
        parts.addWidget(slider, 1)
        parts.addWidget(reset)
        self._rows.addWidget(FoldingRow(label, control))
        self.sliders[name] = slider
        self._resets[name] = reset
        return label

    def _changed(self, name: str, value: float) -> None:
        self._pending[name] = round(value, 3)
        if not self._timer.isActive():
            self._timer.start()

    def _send(self) -> None:
        pending, self._pending = self._pending, {}
        for name, value in pending.items():
            self.edited.emit(name, value)
        self._rest()

    def _rest(self) -> None:
        """Emit `rested` once no slider is held and nothing waits to be sent."""
        is_held = any(slider.slider.isSliderDown() for slider in self.sliders.values())
        if not is_held and not self._pending:
            self.rested.emit()


def _hint(state: State) -> str:
    """Return why there are no sliders, or why they have no effect; empty otherwise."""
    if state.model is None:
        return tr("The sliders appear once the daemon is running.")
    if (reason := why_unedited(state.model)) is not None:
        return say(reason)
    if not state.model.directions:
        return tr("This model has no sliders.")
    if state.is_fixed and not state.progress.is_running:
        return why_fixed(state)
    if state.can_edit or state.progress.is_running:
        return ""
    return tr(
        "The sliders change the chosen candidate. Inpaint first, or apply them to new candidates."
    )


def why_fixed(state: State) -> str:
    """Return why sliders and mixing do not apply to the chosen candidate; empty if they do."""
    if (reason := why_unedited(state.run_model)) is not None:
        return say(reason)
    if not state.is_smooth_chosen:
        return ""
    return tr(
        "The smooth candidate is made without the model, so sliders and mixing do not apply to it. "
        "To edit, choose another candidate."
    )


def _heading(group: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(title_of(group))
    font = label.font()
    font.setPointSizeF(max(6.0, font.pointSizeF() * 0.9))
    font.setCapitalization(QtGui.QFont.Capitalization.AllUppercase)
    label.setFont(font)
    label.setContentsMargins(0, 6, 0, 0)
    return muted(label)
