"""Form for mixing: what to mix with, the style levels, and the amount or the mixer pad."""

from __future__ import annotations

from dataclasses import replace

from inpaint_client.requests import StyleLevel
from inpaint_client.session.history import Mix
from inpaint_client.session.mixer_pad import ONLY_TWO

from ..app.state import State
from ..host.guard import connect
from ..host.qt import QtCore, QtWidgets
from ..runs.candidate_run import layer_name
from ..text import say, tr
from .edits import why_fixed
from .mixer_pad import Candidate, Pad, PadView, what_it_does
from .narrow import ElidedCheck, ElidedList, FoldingRow
from .parts import ValueSlider, column

STEP = 0.05
REST_MS = 40  # minimum interval between renderings while a slider or the dot is dragged
PAD = "pad"  # the list's entry for the mixer pad; layers have other IDs


class MixForm(QtWidgets.QWidget):
    other_chosen = QtCore.pyqtSignal(str)  # layer; empty = none
    changed = QtCore.pyqtSignal(object)  # Mix with other levels, another amount or another pad
    rested = QtCore.pyqtSignal()  # the slider was released

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._mix = Mix()
        self._mixed: tuple[str, int] | None = None  # run and candidate of `_mix`
        self.other = ElidedList()
        self.other.setAccessibleName(tr("Mix with"))
        connect(self.other.activated, self._choose)
        self.levels = {
            StyleLevel.STRUCTURE: _check(tr("Structure"), tr("Pose and shape")),
            StyleLevel.FEATURES: _check(tr("Features"), tr("Eyes, mouth, hair")),
            StyleLevel.COLORS: _check(tr("Colors"), tr("Light, color, texture")),
        }
        for box in self.levels.values():
            connect(box.clicked, self._levels_changed)
        self.amount = ValueSlider(0.0, 1.0, STEP, decimals=2)
        self.amount.describe(tr("Amount"), tr("0: this candidate, 1: the other one"))
        connect(self.amount.changed, self._amount_changed)
        connect(self.amount.slider.sliderReleased, self._rest)
        self.pad = PadView()
        connect(self.pad.moved, self._pad_moved)
        connect(self.pad.corner_chosen, self._corner_chosen)
        connect(self.pad.rested, self._rest)
        self._first_pad: Pad | None = None
        layout = column(self)
        layout.addWidget(self.other)
        layout.addWidget(FoldingRow(*self.levels.values()))
        layout.addWidget(self.amount)
        layout.addWidget(self.pad)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        connect(self._timer.timeout, self._send)

    def draw(self, state: State) -> None:
        self._draw_choices(state)
        run = state.run
        mixed = None if run is None else (run.key, run.chosen)
        if mixed != self._mixed:
            self._mixed = mixed
            self._timer.stop()  # the pending change was for another candidate
        if not self._timer.isActive():
            self._mix = state.mix
            if self.amount.value != state.mix.amount:
                self.amount.show_value(state.mix.amount)
        for level, box in self.levels.items():
            box.setChecked(level in self._mix.levels)
        can_mix = state.run is not None and not state.progress.is_running and not state.is_fixed
        self.other.setToolTip(why_fixed(state) or _what_to_mix_with())
        self.other.setEnabled(can_mix)
        can_change = bool(state.mix.other) or (bool(state.mix.pad) and state.can_mix_several)
        for widget in (*self.levels.values(), self.amount):
            widget.setEnabled(can_mix and can_change)
        self._draw_pad(state, can_mix)

    def _draw_pad(self, state: State, can_mix: bool) -> None:
        pad = self._mix.pad
        self.amount.setVisible(pad is None)
        self.pad.setVisible(pad is not None)
        if pad is None:
            return
        own, others = _candidates(state)
        self.pad.draw(pad, own, others)
        self.pad.setEnabled(can_mix and state.can_mix_several)
        is_old = state.connection.info is not None and not state.can_mix_several
        self.pad.setToolTip(say(ONLY_TWO) if is_old else what_it_does())

    def _draw_choices(self, state: State) -> None:
        self._first_pad = state.first_pad
        other = PAD if state.mix.pad is not None else state.mix.other or ""
        wanted = [(tr("None"), "")]
        results = {result.layer for result in state.run.results} if state.run else set()
        wanted += [(each.label, each.layer) for each in state.mix_choices if each.layer in results]
        if self._first_pad is not None or other == PAD:
            wanted.append((tr("Several: mixer pad"), PAD))
        wanted += [
            (each.label, each.layer) for each in state.mix_choices if each.layer not in results
        ]
        if all(layer != other for _, layer in wanted):
            wanted.append((tr("Deleted layer"), other))
        shown = [
            (self.other.itemText(i), self.other.itemData(i)) for i in range(self.other.count())
        ]
        if wanted != shown:
            self.other.clear()
            for label, layer in wanted:
                self.other.addItem(label, layer)
        self.other.setCurrentIndex(max(0, self.other.findData(other)))

    def _levels_changed(self) -> None:
        levels = tuple(level for level, box in self.levels.items() if box.isChecked())
        self._mix = replace(self._mix, levels=levels)
        self._send()

    def _choose(self) -> None:
        chosen = self.other.currentData()
        if chosen != PAD:
            self.other_chosen.emit(chosen)
            self._rest()
        elif self._mix.pad is None and self._first_pad is not None:
            self._mix = self._mix.with_pad(self._first_pad)
            self._send()

    def _corner_chosen(self, pad: Pad) -> None:
        self._mix = self._mix.with_pad(pad)
        self._send()

    def _pad_moved(self, pad: Pad) -> None:
        self._mix = self._mix.with_pad(pad)
        if not self._timer.isActive():
            self._timer.start()

    def _send(self) -> None:
        self.changed.emit(self._mix)
        self._rest()

    def _rest(self) -> None:
        """Emit `rested` once slider and dot are released and nothing waits to be sent."""
        is_held = self.amount.slider.isSliderDown() or self.pad.is_held
        if not is_held and not self._timer.isActive():
            self.rested.emit()

    def _amount_changed(self, amount: float) -> None:
        self._mix = replace(self._mix, amount=round(amount, 3))
        if not self._timer.isActive():
            self._timer.start()


def _what_to_mix_with() -> str:
    return tr(
        "Another candidate, or a layer whose style to copy. Only the part of the layer "
        "over the fill is used, so move its face onto the face in the image."
    )


def _candidates(state: State) -> tuple[Candidate, list[Candidate]]:
    """Return the chosen candidate as it is without mixing, and those that can be mixed in."""
    run, strip = state.run, state.strip
    if run is None or not run.results:
        return Candidate("", ""), []
    chosen = run.results[run.chosen]
    drawn = {each.layer: image for each, image in zip(run.results, strip.thumbnails, strict=False)}
    name = layer_name(chosen.index, chosen.seed, chosen.variant)
    others = [
        Candidate(choice.layer, choice.label, drawn[choice.layer])
        for choice in state.mix_choices
        if choice.layer in drawn
    ]
    return Candidate(chosen.layer, name, strip.unmixed), others


def _check(title: str, tip: str) -> ElidedCheck:
    box = ElidedCheck(title)
    box.setToolTip(tip)
    return box
