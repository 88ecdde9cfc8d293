"""Connect the docker to everything else: handle the artist's actions, publish the state."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from inpaint_client.geometry import Extent
from inpaint_client.info import Limits, Model
from inpaint_client.requests import Edits
from inpaint_client.segments import Part
from inpaint_client.session.abilities import model_of
from inpaint_client.session.history import Mix
from inpaint_client.session.killed_notice import KilledNotice
from inpaint_client.settings import ConnectionSettings, SettingsFile

from ..host.document_protocol import Document
from ..host.guard import connect, on_failure
from ..host.qt import QtCore, QtGui
from ..host.scratch import Scratch
from ..host.selection import box_of
from ..runs.fill_settings import FillSettings, draw_seed
from ..text import tr
from .batch import Batch, Means, Offer, Order, items_of, offer_of, settings_of_item
from .batch_report import report
from .connection_state import RecoveryAction
from .contact_sheet import no_candidates, proposed_file, save_sheet
from .daemon_connection import DaemonConnection
from .guide import Guide
from .notices import failure_notice, in_progress
from .preview import Preview, preview
from .session import DocumentSession
from .state import Notice, NoticeAction, State, Strip

log = logging.getLogger(__name__)
WATCH_MS = 700  # polling interval for undo and redo, which Krita does not signal
OVERVIEW_SIDE = 360


class Host(Protocol):
    """The part of Krita that the controller uses (host.KritaHost)."""

    def active_document(self) -> Document | None: ...
    def scratch(self) -> Scratch: ...
    def show_log(self) -> None: ...
    def show_plugin_log(self) -> None: ...
    def open_documents(self) -> Sequence[Document]: ...
    def choose_program(self) -> str: ...
    def choose_sheet(self, proposed: Path, chosen: Callable[[Path], None]) -> None: ...
    def open_example(self) -> None: ...


class Controller(QtCore.QObject):
    """The controller of one window."""

    state_changed = QtCore.pyqtSignal(object)  # State
    settings_wanted = QtCore.pyqtSignal()

    def __init__(
        self,
        host: Host,
        daemon_connection: DaemonConnection,
        fill_settings_file: SettingsFile[FillSettings],
        connection_file: SettingsFile[ConnectionSettings],
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._daemon = daemon_connection
        self._wishes_file = fill_settings_file
        self._connection_file = connection_file
        self._fill_settings = fill_settings_file.load()
        self._sessions: list[DocumentSession] = []
        self._session: DocumentSession | None = None
        self._notice: Notice | None = None
        self._batch: Batch | None = None
        self._sheet: object = None  # the contact sheet that is being drawn
        self._last_killed = KilledNotice()
        self.guide = Guide(self._find_selection, host.open_example, self.set_option, self)
        connect(self.guide.changed, self._publish)
        connect(daemon_connection.changed, self._check_daemon)
        on_failure(self._say_what_happened)
        self._watch = QtCore.QTimer(self)
        self._watch.setInterval(WATCH_MS)
        connect(self._watch.timeout, self._check_document)
        self._watch.start()

    @property
    def state(self) -> State:
        session = self._session
        common: dict[str, Any] = {
            "connection": self._daemon.connection,
            "fill_settings": self._fill_settings,
            "is_selected": self.guide.is_selected,
            "tour": self.guide.tour,
        }
        if (batch := self._batch) is not None:
            common |= {"batch": batch.place, "progress": batch.progress}
            common |= {"is_selecting": batch.is_searching}
        elif session is not None:
            common |= {"progress": session.progress, "is_selecting": session.is_selecting}
        if session is None:
            return State(**common, notice=self._notice)
        return State(
            **common,
            has_document=True,
            details=session.details,
            notice=self._notice or session.notice,
            runs=session.results.runs,
            strip=session.strip,
            edits=session.sliders.edits,
            is_editing=session.sliders.is_busy,
            mix=session.sliders.mix,
            mix_choices=session.results.mix_choices,
            can_undo=session.sliders.history.can_undo,
            can_redo=session.sliders.history.can_redo,
        )

    @property
    def is_busy(self) -> bool:
        """Whether a batch is in progress, or a run, edit or merge in the active document."""
        return self._batch is not None or (self._session is not None and self._session.is_busy)

    # -- intents -----------------------------------------------------------------------------

    def open(self) -> None:
        """Check the daemon and the active document, since the docker became visible."""
        self._daemon.check()
        self.document_changed()

    def run(self) -> None:
        """Fill the selection of the active document."""
        session = self._find_session()
        if session is None:
            return
        if self._fill_settings.new_seed:
            self.set_option(seed=draw_seed())
        session.start(self._fill_settings, self.state.model)

    def select(self, part: Part) -> None:
        """Replace the selection of the active document by a part of its faces."""
        session = self._find_session()
        if session is not None:
            session.select_part(part)

    def _find_session(self) -> DocumentSession | None:
        """Return the session of the active document; without one, say that it is missing.

        None also while a batch is in progress.
        """
        self.document_changed()
        if self._batch is not None:
            return None
        self._notice = None
        if self._session is None:
            self._notice = Notice(tr("Open an image first."), is_problem=False)
            self._publish()
        return self._session

    def batch_offer(self) -> Offer | None:
        """Return what a batch could fill; None if it cannot begin, and then say why."""
        session = self._find_session()
        if session is None:
            return None
        if session.is_busy or session.is_selecting:
            self._say(in_progress())
            return None
        sessions = [self._session_of(each) for each in self._host.open_documents()]
        return offer_of(session, sessions, self._fill_settings, self.state.model)

    def run_several(self, order: Order) -> None:
        """Fill all open images, or the layers of the active one."""
        session = self._find_session()
        if session is None:
            return
        items = items_of(order, session, self._host.open_documents())
        if not items:
            return
        fill_settings = self._fill_settings  # the artist may change them meanwhile
        means = Means(
            self._session_of,
            lambda: settings_of_item(fill_settings, order),
            lambda: self.state.model,
            session.sliders.edits,
        )
        batch = self._batch = Batch(items, order.part, means, self)
        connect(batch.changed, self._publish)
        connect(batch.ended, lambda: self._end_batch(order))
        self._publish()

    def _end_batch(self, order: Order) -> None:
        batch, self._batch = self._batch, None
        if batch is not None:
            self._say(report(batch.outcomes, order.of_layers))
            batch.deleteLater()

    def cancel(self) -> None:
        if self._batch is not None:
            self._batch.cancel()
        elif self._session is not None:
            self._session.cancel()

    def set_option(self, **changes: Any) -> None:
        """Change and save settings, given by field name."""
        self._fill_settings = replace(self._fill_settings, **changes)
        try:
            self._wishes_file.save(self._fill_settings)
        except OSError as error:
            log.warning("the settings cannot be saved: %s", error)
        self._publish()

    # A place is an index into the list in the docker, which omits deleted results.

    def choose(self, place: int) -> None:
        if self._session is not None and place in range(len(self._session.results.left)):
            self._session.results.choose(self._session.results.left[place])

    def step(self, by: int) -> None:
        """Choose the next or previous result, wrapping around."""
        strip = self._session.strip if self._session else Strip()
        if strip.run is not None and strip.order:
            place = strip.order.index(strip.run.chosen) + by
            self.choose(strip.order[place % strip.count])

    def star(self, place: int) -> None:
        if self._session is not None:
            self._session.results.star(self._session.results.left[place])

    def delete(self, place: int) -> None:
        if self._session is not None:
            self._session.delete(self._session.results.left[place])

    def keep(self) -> None:
        """Keep the starred results, or the chosen one if none is."""
        if self._session is not None:
            self._session.keep()

    def add_candidates(self) -> None:
        if self._session is not None and self._batch is None:
            self._notice = None
            self._session.add_candidates(self._fill_settings, self.state.model)

    def save_contact_sheet(self) -> None:
        """Ask for a file, and save all candidates of the shown run into it as one image."""
        session = self._find_session()
        if session is None:
            return
        run = session.results.shown
        if run is None or session.is_filling:
            self._say(no_candidates() if run is None else in_progress())
            return
        self._publish()  # without the notice of before

        def save(path: Path) -> None:
            self._sheet = save_sheet(session, run, path, self._say)

        self._host.choose_sheet(proposed_file(session.document), save)

    def _say(self, notice: Notice) -> None:
        self._notice = notice
        self._publish()

    def compare(self, with_original: bool) -> None:
        if self._session is not None:
            self._session.results.compare(with_original)

    def edit(self, name: str, value: float) -> None:
        """Set one slider's value."""
        edits = {**self.state.edits, name: value}
        self._edit_all({key: each for key, each in edits.items() if each})

    def reset_edits(self) -> None:
        self._edit_all({})
        self.rest()

    def rest(self) -> None:
        """End a change, since the slider was released: its moves undo as one."""
        if self._session is not None:
            self._session.sliders.history.rest()

    def undo(self) -> None:
        """Undo the last change of sliders or mixing, without using Krita's history."""
        if self._session is not None:
            self._session.sliders.undo(self.state.model)

    def redo(self) -> None:
        if self._session is not None:
            self._session.sliders.redo(self.state.model)

    def _edit_all(self, edits: Edits) -> None:
        if self._session is not None:
            self._session.sliders.edit(edits, self.state.model)
            self._publish()

    def mix_with(self, layer: str) -> None:
        """Choose the layer to mix with; empty = none."""
        if self._session is not None:
            self._session.sliders.mix_with(layer, self.state.model)
            self._publish()

    def remix(self, mix: Mix) -> None:
        """Change the levels or the amount of mixing."""
        if self._session is not None:
            self._session.sliders.remix(mix, self.state.model)
            self._publish()

    def add_variant(self) -> None:
        if self._session is not None:
            self._session.add_variant(self.state.model)

    def show_run(self, key: str) -> None:
        if self._session is not None:
            self._session.show_run(key)

    def recover(self) -> None:
        """Run the recovery action of the daemon's state."""
        recover = self._daemon.connection.recover
        if recover is RecoveryAction.SETTINGS:
            self.settings_wanted.emit()
        elif recover is RecoveryAction.CHOOSE_PROGRAM:
            self._choose_program()
        elif recover is RecoveryAction.SHOW_LOG:
            self._host.show_log()
        elif recover is not RecoveryAction.NONE:
            self._daemon.start()

    def run_notice_action(self) -> None:
        """Run the action of the notice that is shown."""
        notice = self.state.notice
        action = notice.action if notice else NoticeAction.NONE
        if action in (
            NoticeAction.SHOW_LOG,
            NoticeAction.SHOW_PLUGIN_LOG,
        ):  # showing a log does not resolve the problem, so keep the notice
            show = (
                self._host.show_log
                if action is NoticeAction.SHOW_LOG
                else self._host.show_plugin_log
            )
            show()
            return
        self.dismiss()
        if action is NoticeAction.SELECT_TRANSPARENT and self._session is not None:
            self._session.select_transparent_part()
        elif action is NoticeAction.SETTINGS:
            self.settings_wanted.emit()
        elif action is NoticeAction.CHOOSE_PROGRAM:
            self._choose_program()
        elif action is NoticeAction.AGAIN:
            self.run()

    def dismiss(self) -> None:
        """Remove the notice that is shown; the session's own may follow."""
        if self._notice is not None:
            self._notice = None
        elif self._session is not None:
            self._session.notice = None
        self._publish()

    def _say_what_happened(self) -> None:
        """Show the failure notice once, so that a failing widget is not redrawn forever."""
        notice = failure_notice()
        if self._notice != notice:
            self._notice = notice
            self._publish()

    def _choose_program(self) -> None:
        """Let the artist choose `inpaint-server`, and start it."""
        path = self._host.choose_program()
        if path:
            self.use_connection(replace(self._daemon.settings, executable=path))
            self._daemon.start()

    def connection_settings(self) -> ConnectionSettings:
        """Return the stored settings, which another program may have changed."""
        self._daemon.read_settings()
        return self._daemon.settings

    def use_connection(self, settings: ConnectionSettings) -> None:
        try:
            self._connection_file.save(settings)
        except OSError as error:
            log.warning("the settings cannot be saved: %s", error)
        self._daemon.use(settings)

    # -- images for the docker -------------------------------------------------------------

    def canvas(self) -> tuple[QtGui.QImage, Extent] | None:
        """Return a reduced view of the document for choosing the frame, and the full extent."""
        if self._session is None:
            return None
        document = self._session.document
        extent = document.extent
        scale = OVERVIEW_SIDE / extent.longest
        size = Extent(max(1, round(extent.width * scale)), max(1, round(extent.height * scale)))
        return document.overview(size), extent

    def preview(self) -> Preview | None:
        """Return what the next run would see; None without a document."""
        session, canvas = self._session, self.canvas()
        if session is None or canvas is None:
            return None
        selection = session.document.selection()
        box = None if selection is None else box_of(selection)
        model = self.state.model
        return preview(*canvas, box, self._fill_settings, model.resolution if model else 0)

    def propose_frame(self) -> None:
        """Set the custom frame to the last frame, or to a square around the selection."""
        session = self._session
        if session is None:
            return
        if session.frame is not None:
            cx, cy, side, angle = session.frame
        else:
            selection = session.document.selection()
            width, height = session.document.extent
            cx, cy, side, angle = width / 2, height / 2, float(min(width, height)), 0.0
            if selection is not None:
                cx = selection.x() + selection.width() / 2
                cy = selection.y() + selection.height() / 2
                side = min(side, 2.0 * max(selection.width(), selection.height()))
        self.set_option(frame_cx=cx, frame_cy=cy, frame_side=side, frame_angle=angle)

    # -- documents ---------------------------------------------------------------------------

    def document_changed(self) -> None:
        """Follow the active document; close the sessions of closed ones."""
        document = self._host.active_document()
        for closed in [each for each in self._sessions if not each.document.is_open]:
            self._sessions.remove(closed)
            closed.close()
            closed.deleteLater()
        if document is None:
            self._session = None
        else:
            self._session = self._session_of(document)
        self._publish()

    def _session_of(self, document: Document) -> DocumentSession:
        known = (each for each in self._sessions if each.document.is_same(document))
        return next(known, None) or self._open(document)

    def _open(self, document: Document) -> DocumentSession:
        session = DocumentSession(
            document,
            self._host.scratch(),
            self._daemon.submit,
            self._daemon.segment,
            self._limits,
            self._model_of,
            self,
        )
        connect(session.changed, self._publish)
        connect(session.failed, self._daemon.failed)
        self._sessions.append(session)
        return session

    def close(self) -> None:
        """Stop everything, since Krita or the window is closing."""
        self._watch.stop()
        if self._batch is not None:
            self._batch.abandon()
            self._batch = None
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        self._session = None

    def _limits(self) -> Limits:
        info = self._daemon.connection.info
        return info.limits if info else Limits()

    def _model_of(self, recipe: str) -> Model | None:
        return model_of(self._daemon.connection.info, recipe)

    def _check_daemon(self) -> None:
        if self._session is not None:
            sentence = self._last_killed.news(self._daemon.connection.info)
            if sentence is not None:
                self._session.tell(sentence)
        self._publish()

    def _check_document(self) -> None:
        session = self._session
        if session is not None:
            if not session.document.is_open:
                self.document_changed()
            elif session.check_layers() or self.guide.follow(self.state):
                self._publish()

    def _find_selection(self) -> bool:
        session = self._session
        return session is not None and session.document.is_open and session.selector.is_selected

    def _publish(self) -> None:
        self.guide.follow(self.state)
        self.state_changed.emit(self.state)
