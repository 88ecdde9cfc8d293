"""The docker's contents: all sections, and the list of the document's runs."""

from __future__ import annotations

from typing import Any, Protocol

from inpaint_client.geometry import Extent
from inpaint_client.segments import Part
from inpaint_client.session.history import Mix, PastRun
from inpaint_client.session.tour import Stop
from inpaint_client.settings import ConnectionSettings

from ..app.batch import Offer, Order
from ..app.guide import Guide
from ..app.preview import Preview
from ..app.state import State
from ..host.guard import connect, guarded, later
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import CATALOG, tr
from .batch_dialog import BatchDialog
from .edits import Edits
from .empty_state import EmptyState
from .form import Form
from .frame_tip import FrameTip
from .mix import MixForm
from .narrow import ElidedList
from .notice_bar import NoticeBar
from .parts import IconButton, Section, column, named
from .quiet_wheel import QuietWheel
from .results import Results
from .run_row import RunRow
from .settings_dialog import SettingsDialog
from .status_row import StatusRow
from .tour import TourBubbles
from .undo_keys import UndoKeys

SECTIONS = ("settings", "results", "edits", "mix")


class Intents(Protocol):
    """The artist's actions, as handled by controller.Controller."""

    guide: Guide

    def run(self) -> None: ...
    def cancel(self) -> None: ...
    def select(self, part: Part) -> None: ...
    def set_option(self, **changes: Any) -> None: ...
    def choose(self, position: int) -> None: ...
    def star(self, position: int) -> None: ...
    def delete(self, place: int) -> None: ...
    def keep(self) -> None: ...
    def add_candidates(self) -> None: ...
    def batch_offer(self) -> Offer | None: ...
    def run_several(self, order: Order) -> None: ...
    def save_contact_sheet(self) -> None: ...
    def compare(self, with_original: bool) -> None: ...
    def edit(self, name: str, value: float) -> None: ...
    def reset_edits(self) -> None: ...
    def rest(self) -> None: ...
    def undo(self) -> None: ...
    def redo(self) -> None: ...
    def mix_with(self, layer: str) -> None: ...
    def remix(self, mix: Mix) -> None: ...
    def add_variant(self) -> None: ...
    def show_run(self, key: str) -> None: ...
    def recover(self) -> None: ...
    def run_notice_action(self) -> None: ...
    def dismiss(self) -> None: ...
    def propose_frame(self) -> None: ...
    def preview(self) -> Preview | None: ...
    def connection_settings(self) -> ConnectionSettings: ...
    def use_connection(self, settings: ConnectionSettings) -> None: ...
    def canvas(self) -> tuple[QtGui.QImage, Extent] | None: ...


class Panel(QtWidgets.QWidget):
    def __init__(self, intents: Intents, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._intents = intents
        self._shown_run = ""
        self._shown_step: bool | None = None  # what the empty state was about; None: not shown
        self._wheel = QuietWheel(self)
        self._keys = UndoKeys(self)
        self.status = StatusRow()
        self.notice = NoticeBar()
        self.run_row = RunRow()
        self.frame_tip = FrameTip(self)
        self.form = Form()
        self.results = Results()
        self.empty = EmptyState()
        self.edits = Edits()
        self.mix = MixForm()
        self.history = ElidedList()
        named(self.history, tr("Runs"), tr("Earlier runs in this image"))
        self.sections = {
            "settings": Section(tr("Settings")),
            "results": Section(tr("Results")),
            "edits": Section(tr("Adjust")),
            "mix": Section(tr("Mix")),
        }
        self.reset = IconButton("reset", tr("Reset all sliders to 0"))
        self.sections["edits"].corner.addWidget(self.reset)
        self._lay_out()
        settings, results = self.sections["settings"], self.sections["results"]
        self.tour = TourBubbles(
            self,
            {
                Stop.SELECTION: (self.form.select, self.empty.part_row, settings),
                Stop.FILL: (self.run_row.go,),
                Stop.CANDIDATES: (self.results.grid, self.empty, results),
            },
            self._reveal,
        )
        self._connect()
        # Those who get English because their language is missing keep Krita's numbers.
        if CATALOG.language != "en":
            self.setLocale(QtCore.QLocale(CATALOG.language))

    def _lay_out(self) -> None:
        for name, contents in (
            ("settings", [self.form]),
            ("results", [self.history, self.empty, self.results]),
            ("edits", [self.edits]),
            ("mix", [self.mix]),
        ):
            body = column(self.sections[name].body)
            body.setContentsMargins(6, 0, 2, 4)
            for widget in contents:
                body.addWidget(widget)
        inner = QtWidgets.QWidget()
        contents_layout = column(inner)
        contents_layout.setContentsMargins(0, 0, 4, 0)
        for name in SECTIONS:
            contents_layout.addWidget(self.sections[name])
        contents_layout.addStretch(1)
        scroll = self._scroll = QtWidgets.QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inner)
        layout = column(self, margin=6)
        layout.addWidget(self.status)
        layout.addWidget(self.run_row)
        layout.addWidget(self.notice)  # outside the scroll area, to stay visible
        layout.addWidget(scroll, 1)
        self.setMinimumWidth(240)

    def _connect(self) -> None:
        intents = self._intents
        connect(self.status.recover, intents.recover)
        connect(self.status.settings, self.open_settings)
        connect(self.notice.action, intents.run_notice_action)
        connect(self.notice.dismiss, intents.dismiss)
        connect(self.run_row.run, intents.run)
        connect(self.run_row.cancel, intents.cancel)
        connect(self.run_row.considered, self._show_preview)
        connect(self.run_row.left, self.frame_tip.hide)
        connect(self.form.wished, lambda changes: intents.set_option(**changes))
        connect(self.form.frame_wanted, self._propose_frame)
        connect(self.form.select.chosen, intents.select)
        connect(self.results.chosen, intents.choose)
        connect(self.results.starred, intents.star)
        connect(self.results.compared, intents.compare)
        connect(self.results.kept, intents.keep)
        connect(self.results.deleted, intents.delete)
        connect(self.results.more_wanted, intents.add_candidates)
        connect(self.results.sheet_wanted, intents.save_contact_sheet)
        connect(self.empty.example_wanted, intents.guide.open_example)
        connect(self.empty.part_chosen, intents.select)
        connect(self.empty.tour_wanted, intents.guide.start)
        connect(self.tour.bubble.accepted, intents.guide.open_example)
        connect(self.tour.bubble.onward, intents.guide.go_on)
        connect(self.tour.bubble.closed, intents.guide.end)
        connect(self.edits.edited, intents.edit)
        connect(self.edits.variant, intents.add_variant)
        connect(self.edits.rested, intents.rest)
        connect(self.mix.rested, intents.rest)
        connect(self._keys.undo, intents.undo)
        connect(self._keys.redo, intents.redo)
        connect(self.mix.other_chosen, intents.mix_with)
        connect(self.mix.changed, intents.remix)
        connect(self.edits.for_new, lambda on: intents.set_option(edits_for_new=on))
        connect(self.edits.plain_too, lambda on: intents.set_option(also_without_edits=on))
        connect(self.reset.clicked, lambda: intents.reset_edits())
        connect(self.history.activated, lambda _: intents.show_run(self.history.currentData()))
        for section in self.sections.values():
            connect(section.toggled, self._remember_sections)

    def draw(self, state: State) -> None:
        self.notice.draw(state.notice)  # first: it may report that drawing failed below
        self.status.draw(state.connection, state.is_selecting)
        self.run_row.draw(state)
        self.form.draw(state)
        self.empty.draw(state)
        self.results.draw(state)
        self.edits.draw(state)
        self._wheel.watch(self)  # the sliders change with the model
        self._keys.can_undo, self._keys.can_redo = state.can_undo, state.can_redo
        self.mix.draw(state)
        self.sections["mix"].setVisible(state.run_is_attached)
        self.reset.setEnabled(any(state.edits.values()) and state.can_edit)
        self._draw_history(state)
        closed = set(state.fill_settings.sections_closed.split(","))
        for name, section in self.sections.items():
            section.blockSignals(True)
            section.set_open(name not in closed)
            section.blockSignals(False)
        if self.form.frame.isVisibleTo(self):
            self._show_canvas()
        key = state.run.key if state.run else ""
        if key and key != self._shown_run and state.progress.is_running:
            later(0, self._reveal_results)
        self._shown_run = key
        is_new = state.run is None and not state.fill_settings.toured and state.tour.stop is None
        step = state.has_document if is_new else None
        if step != self._shown_step:
            later(0, self._reveal_next_step)
        self._shown_step = step
        self.tour.draw(state)  # last: it points at the others

    def _reveal_results(self) -> None:
        """Scroll to the results, since the docker is rarely tall enough for everything."""
        bar = self._scroll.verticalScrollBar()
        if bar is not None:
            bar.setValue(self.sections["results"].y())

    def _reveal(self, widget: QtWidgets.QWidget) -> None:
        if self.sections["results"].isAncestorOf(widget):
            self._reveal_results()
        elif self._scroll.isAncestorOf(widget):
            self._scroll.ensureWidgetVisible(widget)

    def _reveal_next_step(self) -> None:
        """Scroll to the empty state, for those who have neither kept anything nor had the tour."""
        if self._shown_step is not None:
            self._reveal_results()
            for widget in (self.empty.words, self.empty.example, self.empty.part_row):
                if widget.isVisible():  # below the drawing, in a docker of little height
                    self._scroll.ensureWidgetVisible(widget, 0, 0)

    @guarded
    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:
        later(0, self._reveal_next_step)

    @guarded
    def showEvent(self, event: QtGui.QShowEvent | None) -> None:
        self._intents.guide.watch(True)

    @guarded
    def hideEvent(self, event: QtGui.QHideEvent | None) -> None:
        self._intents.guide.watch(False)

    def open_settings(self) -> None:
        dialog = SettingsDialog(self._intents.connection_settings(), self)
        connect(dialog.accepted, lambda: self._intents.use_connection(dialog.settings))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def open_batch(self) -> None:
        """Ask what to fill, and fill it."""
        offer = self._intents.batch_offer()
        if offer is None:
            return
        dialog = BatchDialog(offer, self)
        connect(dialog.accepted, lambda: self._intents.run_several(dialog.order))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _draw_history(self, state: State) -> None:
        shown = [(_caption(run), run.key) for run in state.runs]
        shown.reverse()
        current = [
            (self.history.itemText(i), self.history.itemData(i))
            for i in range(self.history.count())
        ]
        if shown != current:
            self.history.clear()
            for label, key in shown:
                self.history.addItem(label, key)
        if state.run is not None:
            self.history.setCurrentIndex(self.history.findData(state.run.key))
        self.history.setVisible(bool(shown))

    def _show_preview(self) -> None:
        if (shown := self._intents.preview()) is not None:
            self.frame_tip.show_beside(self.run_row.go, shown)

    def _propose_frame(self) -> None:
        self._intents.propose_frame()
        self._show_canvas()

    def _show_canvas(self) -> None:
        canvas = self._intents.canvas()
        if canvas is not None:
            self.form.frame.show_image(*canvas)

    def _remember_sections(self) -> None:
        closed = [name for name, section in self.sections.items() if not section.is_open]
        self._intents.set_option(sections_closed=",".join(closed))


def _caption(run: PastRun) -> str:
    when = QtCore.QDateTime.fromString(run.time, Qt.DateFormat.ISODate).toLocalTime()
    return tr("{time}  {model}, seed {seed} ({count})").format(
        time=when.toString("HH:mm") if when.isValid() else "",
        model=run.model,
        seed=run.seeds[0] if run.seeds else "?",
        count=len(run.results),
    )
