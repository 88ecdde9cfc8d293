"""Settings of the next run: model, candidates, seed, variety, context, source."""

from __future__ import annotations

from inpaint_client.requests import MAX_SEED
from inpaint_client.session.abilities import possible_count, why_single

from ..app.state import State
from ..host.guard import connect, guarded, guarded_or
from ..host.qt import QAction, Qt, QtCore, QtWidgets
from ..runs.fill_settings import MAX_CANDIDATES, FillSettings, draw_seed
from ..text import say, tr
from .frame_view import FrameView
from .narrow import FOLDING_GAP, ElidedList, ElidedMenuButton, FoldingRow
from .parts import IconButton, ValueSlider, column, named, row
from .select_button import SelectButton


class SeedBox(QtWidgets.QAbstractSpinBox):
    """A spin box for 0..2**32-1; Qt's own supports only 2**31-1."""

    changed = QtCore.pyqtSignal(object)  # int, by the artist

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = 0
        self.setSizePolicy(
            QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed
        )
        self.setMinimumWidth(70)
        connect(self.editingFinished, self._typed)
        self.show_value(0)

    @property
    def value(self) -> int:
        return self._value

    def show_value(self, value: int) -> None:
        self._value = value % (MAX_SEED + 1)
        edit = self.lineEdit()
        if edit is not None and not (edit.hasFocus() and edit.isModified()):
            edit.setText(str(self._value))

    @guarded
    def stepBy(self, steps: int) -> None:
        self._set(self._value + steps)

    @guarded_or(QtWidgets.QAbstractSpinBox.StepEnabledFlag.StepNone)
    def stepEnabled(self) -> QtWidgets.QAbstractSpinBox.StepEnabledFlag:
        flags = QtWidgets.QAbstractSpinBox.StepEnabledFlag
        return flags.StepUpEnabled | flags.StepDownEnabled

    def _typed(self) -> None:
        edit = self.lineEdit()
        text = edit.text().strip() if edit is not None else ""
        self._set(int(text) if text.isdecimal() else self._value)

    def _set(self, value: int) -> None:
        before = self._value
        edit = self.lineEdit()
        if edit is not None:
            edit.setModified(False)
        self.show_value(value)
        if self._value != before:
            self.changed.emit(self._value)


class Form(QtWidgets.QWidget):
    wished = QtCore.pyqtSignal(dict)  # changed fields of FillSettings
    frame_wanted = QtCore.pyqtSignal()  # propose a custom frame

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.select = SelectButton()
        self.model = named(ElidedList(), tr("Model"), tr("Model used for the fill"))
        self.model.setObjectName("model")
        connect(self.model.activated, lambda _: self._set_option(model=self.model.currentData()))
        self.candidates = QtWidgets.QSpinBox()
        self.candidates.setRange(1, MAX_CANDIDATES)
        self.candidates.setMinimumWidth(52)
        connect(self.candidates.valueChanged, lambda value: self._set_option(candidates=value))
        self.seed = SeedBox()
        named(self.seed, tr("Seed"), tr("The same seed gives the same candidate again"))
        connect(self.seed.changed, lambda value: self._set_option(seed=value, new_seed=False))
        self.dice = IconButton(
            "dice", tr("Use a new random seed for each run. Turn off to reuse this one.")
        )
        self.dice.setCheckable(True)
        connect(self.dice.clicked, self._throw)
        self.copy = IconButton("copy", tr("Copy the seed"))
        connect(self.copy.clicked, self._copy_seed)
        self.variety = ValueSlider(0.0, 1.0, 0.01, rest=0.8, decimals=2)
        self.variety.describe(
            tr("Variety"),
            tr(
                "Low values give typical faces. High values give more variety, and sometimes "
                "strange faces."
            ),
        )
        connect(self.variety.changed, lambda value: self._set_option(variety=value))
        self.context = ElidedList()
        for label, key in (
            (tr("Find the face"), "auto"),
            (tr("Around the selection"), "box"),
            (tr("Custom frame…"), "frame"),
        ):
            self.context.addItem(label, key)
        named(
            self.context,
            tr("Context"),
            tr("The frame is the square of the image that the model sees."),
        )
        connect(self.context.activated, self._choose_context)
        self.frame = FrameView()
        connect(self.frame.moved, self._move_frame)
        self.source = named(ElidedList(), tr("Source"), tr("Layers that the model sees"))
        self.source.addItem(tr("All visible layers"), True)
        self.source.addItem(tr("Active layer"), False)
        connect(
            self.source.activated, lambda _: self._set_option(all_visible=self.source.currentData())
        )
        self.fitting = _Fitting()
        connect(self.fitting.wished, self.wished)
        self.smooth = named(
            ElidedList(),
            tr("Smooth"),
            tr("One more candidate that continues the surroundings smoothly, without the model"),
        )
        for at, (label, key, tip) in enumerate(_smooth_choices()):
            self.smooth.addItem(label, key)
            self.smooth.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)
        connect(self.smooth.activated, lambda _: self._set_option(smooth=self.smooth.currentData()))
        self._lay_out()

    def _lay_out(self) -> None:
        seeds = row()
        seeds.addWidget(self.seed, 1)
        seeds.addWidget(self.dice)
        seeds.addWidget(self.copy)
        counts = row()
        counts.addWidget(self.candidates)
        counts.addStretch(1)
        grid = QtWidgets.QFormLayout()
        grid.setRowWrapPolicy(QtWidgets.QFormLayout.RowWrapPolicy.WrapLongRows)
        grid.setFieldGrowthPolicy(QtWidgets.QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.addRow(tr("Select"), self.select)
        grid.addRow(tr("Model"), self.model)
        grid.addRow(tr("Candidates"), counts)
        grid.addRow(tr("Seed"), seeds)
        variety = QtWidgets.QLabel(tr("Variety"))
        grid.addRow(FoldingRow(variety, self.variety))
        grid.addRow(tr("Source"), self.source)
        grid.addRow(tr("Context"), self.context)
        grid.addRow(tr("Blending"), self.fitting)
        grid.addRow(tr("Smooth"), self.smooth)  # one word, since the docker may be narrow
        labels = map(grid.labelForField, (self.model, self.source, self.context, self.fitting))
        width = max(label.sizeHint().width() for label in labels if label is not None)
        variety.setMinimumWidth(width + grid.horizontalSpacing() - FOLDING_GAP)
        layout = column(self)
        layout.addLayout(grid)
        layout.addWidget(self.frame)

    def draw(self, state: State) -> None:
        fill_settings = state.fill_settings
        self.select.setEnabled(state.can_select)
        self._draw_models(state)
        single = why_single(state.model)
        count = possible_count(state.model, fill_settings.candidates)
        _quietly(self.candidates, lambda: self.candidates.setValue(count))
        self.candidates.setEnabled(single is None)
        tip = tr("Number of candidates to create") if single is None else say(single)
        named(self.candidates, tr("Candidates"), tip)
        self.seed.show_value(fill_settings.seed)
        self.dice.setChecked(fill_settings.new_seed)
        self.variety.show_value(fill_settings.variety)
        self.context.setCurrentIndex(self.context.findData(fill_settings.context))
        self.source.setCurrentIndex(self.source.findData(fill_settings.all_visible))
        self.fitting.draw(fill_settings)
        self.smooth.setCurrentIndex(max(0, self.smooth.findData(fill_settings.smooth)))
        is_frame = fill_settings.context == "frame" and state.has_document
        self.frame.setVisible(is_frame)
        if is_frame:
            self.frame.show_frame(fill_settings.frame)

    def _draw_models(self, state: State) -> None:
        info = state.connection.info
        models = info.models if info else ()
        shown = [(model.title or model.name, model.name) for model in models]
        if len(models) > 1:
            shown.insert(0, (tr("Default"), ""))  # the daemon chooses by the frame's size
        current = [
            (self.model.itemText(i), self.model.itemData(i)) for i in range(self.model.count())
        ]
        if not shown:
            shown = [(state.fill_settings.model or tr("Default"), state.fill_settings.model)]
        if shown != current:
            self.model.clear()
            for label, name in shown:
                self.model.addItem(label, name)
        self.model.setEnabled(len(shown) > 1)
        chosen = state.model
        if chosen is not None:
            is_wanted = state.fill_settings.model == chosen.name or len(models) == 1
            self.model.setCurrentIndex(self.model.findData(chosen.name if is_wanted else ""))
            self.model.setToolTip(
                tr("{resolution} px, license: {licence}").format(
                    resolution=chosen.resolution, licence=chosen.licence or "?"
                )
            )

    def _throw(self, is_on: bool) -> None:
        if is_on:
            self._set_option(new_seed=True, seed=draw_seed())
        else:
            self._set_option(new_seed=False)

    def _copy_seed(self) -> None:
        clipboard = QtWidgets.QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(str(self.seed.value))

    def _choose_context(self, _index: int) -> None:
        self._set_option(context=self.context.currentData())
        if self.context.currentData() == "frame":
            self.frame_wanted.emit()

    def _move_frame(self, cx: float, cy: float, side: float, angle: float) -> None:
        self._set_option(frame_cx=cx, frame_cy=cy, frame_side=side, frame_angle=angle)

    def _set_option(self, **changes: object) -> None:
        self.wished.emit(changes)


class _Fitting(ElidedMenuButton):
    """A menu of switches for blending; the button shows which are on."""

    wished = QtCore.pyqtSignal(dict)

    def __init__(self) -> None:
        super().__init__()
        named(self, tr("Blending"), tr("How the fill is matched to its surroundings"))
        menu = QtWidgets.QMenu(self)
        self.switches: dict[str, QAction] = {}
        for field, words, tip in (
            ("colour_match", tr("Colors"), tr("Match the color and light of the surroundings")),
            (
                "gradient",
                tr("Edges"),
                tr("Continue the brightness of the surroundings across the edge of the selection"),
            ),
            ("grain", tr("Grain"), tr("Match the grain and sharpness of the surroundings")),
            (
                "detail",
                tr("Detail"),
                tr("Add fine detail where the image is finer than the model"),
            ),
        ):
            switch = QAction(words, menu)
            switch.setCheckable(True)
            switch.setToolTip(tip)
            connect(switch.triggered, lambda on, name=field: self.wished.emit({name: on}))
            menu.addAction(switch)
            self.switches[field] = switch
        menu.setToolTipsVisible(True)
        self.setMenu(menu)

    def draw(self, fill_settings: FillSettings) -> None:
        for field, switch in self.switches.items():
            switch.setChecked(getattr(fill_settings, field))
        on = [switch.text() for switch in self.switches.values() if switch.isChecked()]
        self.setText(", ".join(on) or tr("none"))


def _smooth_choices() -> tuple[tuple[str, str, str], ...]:
    """Return the choices for the smooth candidate: label, value and tooltip."""
    return (
        (
            tr("When likely better"),
            "auto",
            tr("When no face is found, and for small selections such as blemishes"),
        ),
        (tr("Always"), "always", tr("After the model's candidates in every run")),
        (tr("Never"), "never", tr("Only the model's candidates")),
    )


def _quietly(widget: QtWidgets.QWidget, change: object) -> None:
    widget.blockSignals(True)
    change()  # type: ignore[operator]
    widget.blockSignals(False)
