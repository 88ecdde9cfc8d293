"""For any order of events, the docker stays consistent and never fails.

The artist's, Krita's and the daemon's events come in random interleavings, with paintings between
them. Krita is a document in memory; the daemon is in the test's hands.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PyQt6.QtWidgets", reason="PyQt6 is not installed (pip install PyQt6)")

from fake_krita import FakeDocument, FakeHost, FakeLayer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from inpaint_client.errors import ConnectionLostError, InpaintError, InputError, NotFoundError
from inpaint_client.events import Method
from inpaint_client.recipe import parse_recipe
from inpaint_client.requests import StyleLevel
from inpaint_client.session.history import Mix
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_krita.app.controller import Controller
from inpaint_krita.app.daemon_connection import DaemonConnection
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.runs.fill_settings import FillSettings
from inpaint_krita.ui.panel import Panel
from krita_alarms import Listening
from scripted_connection import ScriptedConnection, ScriptedJob

pytestmark = pytest.mark.slow
APPLICATION = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["test"])
REST_S = 0.045  # longer than a slider that is dragged rests
FAILURES: tuple[InpaintError, ...] = (
    ConnectionLostError("The daemon went away."),
    NotFoundError("The session has expired."),
    InputError("The hole is too large."),
)
ARTIST = (
    "cancel",
    "keep",
    "more",
    "next",
    "previous",
    "hold",
    "let go",
    "reset",
    "both versions",
    "structure",
    "answer",
    "dismiss",
)
KRITA = (
    "paint",
    "resize",
    "select_nothing",
    "select",
    "undo",
    "redo",
    "delete_a_layer",
    "look",
    "other_document",
    "close_the_document",
)


class Docker(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        self.listening = Listening(logging.ERROR)
        logging.getLogger("inpaint_krita").addHandler(self.listening)
        self.documents = [FakeDocument(), FakeDocument()]
        self.undone: dict[int, list[tuple[FakeLayer, int]]] = {0: [], 1: []}
        self.host = FakeHost(self.documents[0])
        self.daemon_connection = ScriptedConnection()
        fill_settings = SettingsFile(folder / "krita.json", FillSettings)
        fill_settings.save(FillSettings(seed=5, new_seed=False, candidates=3))
        connections = SettingsFile(folder / "connection.json", ConnectionSettings)
        self.controller = Controller(
            self.host, cast(DaemonConnection, self.daemon_connection), fill_settings, connections
        )
        self.panel = Panel(self.controller)
        self.controller.state_changed.connect(self.panel.draw)
        self.panel.resize(300, 720)
        self.panel.show()
        self.controller.open()

    # -- what the machine checks -----------------------------------------------------------------

    @property
    def document(self) -> FakeDocument:
        assert self.host.document is not None
        return self.host.document

    @property
    def grid(self) -> Any:
        return self.panel.results.grid

    @property
    def open_jobs(self) -> list[ScriptedJob]:
        return [job for job in self.daemon_connection.jobs if not job.is_over]

    @property
    def smooth_place(self) -> int | None:
        """Where the smooth candidate of the shown run is in the strip."""
        run = self.grid.strip.run
        results = run.results if run is not None else ()
        return next((i for i, result in enumerate(results) if result.is_smooth), None)

    @invariant()
    def nothing_failed(self) -> None:
        assert not self.listening.seen, self.listening.seen[0]

    @invariant()
    def the_strip_is_one_run(self) -> None:
        strip, state = self.grid.strip, self.controller.state
        assert strip == state.strip
        assert len(strip.thumbnails) == strip.count
        if strip.run is not None:
            assert strip.run in state.runs
            assert strip.count == 0 or 0 <= strip.run.chosen < strip.count

    @invariant()
    def a_smooth_candidate_stays_as_it_is(self) -> None:
        state = self.controller.state
        for run in state.runs:
            for result in run.results:
                if result.recipe:  # else it has not come yet
                    is_smooth = parse_recipe(result.recipe).method is Method.SMOOTH
                    assert result.is_smooth == is_smooth
                if result.is_smooth:
                    assert (dict(result.edits), result.mix, result.variant) == ({}, Mix(), -1)
        if state.is_smooth_chosen:
            assert state.mix == Mix()
            assert not self.panel.edits.add.isEnabled()
            assert not self.panel.mix.other.isEnabled()

    # -- the artist ------------------------------------------------------------------------------

    @rule(
        count=st.integers(1, 6),
        edited=st.booleans(),
        plain_too=st.booleans(),
        smooth=st.sampled_from(["always", "never"]),
        is_read=st.booleans(),
    )
    def start(self, count: int, edited: bool, plain_too: bool, smooth: str, is_read: bool) -> None:
        """Another run; the daemon may have its request already, or not."""
        self.controller.set_option(
            candidates=count, edits_for_new=edited, also_without_edits=plain_too, smooth=smooth
        )
        self.panel.run_row.go.click()
        if is_read:
            self.turn(4)

    @rule(
        act=st.sampled_from(["chosen", "starred", "mixed", "shown"]),
        position=st.integers(0, 8),
    )
    def point(self, act: str, position: int) -> None:
        """Click a candidate or its star; choose in a list."""
        if act in ("chosen", "starred") and position >= self.grid.strip.count:
            self._press(self.grid.rect().bottomRight())
        elif act == "chosen":
            self._press(self.grid.cell(position).center())
        elif act == "starred":
            self._press(self.grid.star_box(position).center())
        else:
            box = self.panel.mix.other if act == "mixed" else self.panel.history
            if position < box.count():
                box.setCurrentIndex(position)
                box.activated.emit(position)

    @rule(key=st.sampled_from(["Left", "Right", "Up", "Down", "Asterisk", "Delete"]))
    def type(self, key: str) -> None:
        code = getattr(QtCore.Qt.Key, f"Key_{key}")
        none = QtCore.Qt.KeyboardModifier.NoModifier
        text = "*" if key == "Asterisk" else ""
        event = QtGui.QKeyEvent(QtCore.QEvent.Type.KeyPress, code, none, text)
        QtWidgets.QApplication.sendEvent(self.grid, event)

    @rule(name=st.sampled_from(["smile", "light"]), value=st.sampled_from([-1.0, 0.0, 1.5]))
    def slide(self, name: str, value: float) -> None:
        self.panel.edits.sliders[name].spin.setValue(value)
        time.sleep(REST_S)
        QtWidgets.QApplication.processEvents()

    @rule(act=st.sampled_from(ARTIST))
    def press(self, act: str) -> None:
        panel, controller = self.panel, self.controller
        {
            "cancel": panel.run_row.stop.click,
            "keep": panel.results.keep.click,
            "more": panel.results.more.click,
            "next": lambda: controller.step(1),
            "previous": lambda: controller.step(-1),
            "hold": panel.results.compare.pressed.emit,
            "let go": panel.results.compare.released.emit,
            "reset": panel.reset.click,
            "both versions": panel.edits.add.click,
            "structure": panel.mix.levels[StyleLevel.STRUCTURE].click,
            "answer": panel.notice.button.click,
            "dismiss": controller.dismiss,
        }[act]()

    @precondition(lambda self: self.smooth_place is not None)
    @rule(
        act=st.sampled_from(["slide", "mix", "more", "both versions", "keep"]),
        has_come=st.booleans(),
    )
    def try_to_change_the_smooth_one(self, act: str, has_come: bool) -> None:
        """Click it, and then what changes others."""
        if has_come:
            self._settle()
        if self.smooth_place is None:
            return
        self._press(self.grid.cell(self.smooth_place).center())
        if act == "slide":
            self.slide("smile", 1.5)
        elif act == "mix":
            self.point("mixed", self.panel.mix.other.count() - 1)
        else:
            self.press(act)

    # -- Krita -----------------------------------------------------------------------------------

    @rule(act=st.sampled_from(KRITA))
    def krita(self, act: str) -> None:
        getattr(self, f"_{act}")()

    @rule(turns=st.integers(1, 4))
    def turn(self, turns: int) -> None:
        for _ in range(turns):
            QtWidgets.QApplication.processEvents()

    def _paint(self) -> None:
        self.grid.repaint()

    def _resize(self) -> None:
        self.panel.resize(520 if self.panel.width() < 400 else 240, 720)
        self.panel.grab()

    def _select_nothing(self) -> None:
        self.document.selected = None

    def _select(self) -> None:
        self.document.selected = FakeDocument().selected

    def _undo(self) -> None:
        """The newest layer or group of layers is taken out."""
        children = self.document.root.children
        if len(children) > 1:
            at = len(children) - 1
            self.undone[self._number].append((children.pop(at), at))
            self.document.active = children[0]

    def _redo(self) -> None:
        undone = self.undone[self._number]
        if undone:
            layer, at = undone.pop()
            self.document.root.children.insert(at, layer)

    def _delete_a_layer(self) -> None:
        candidates = (e for e in self.document.root.walk() if e.title[0].isdigit())
        layer = next(candidates, None)
        if layer is not None and layer.parent is not None and layer in layer.parent.children:
            layer.parent.children.remove(layer)
            self.document.active = self.document.root.children[0]

    def _look(self) -> None:
        self.controller._check_document()

    def _other_document(self) -> None:
        self.host.document = self.documents[1 - self._number]
        self.controller.document_changed()

    def _close_the_document(self) -> None:
        number = self._number
        self.document.is_open = False
        self.documents[number] = FakeDocument()
        self.undone[number] = []
        self.host.document = None
        self.controller.document_changed()
        self.host.document = self.documents[number]
        self.controller.document_changed()

    # -- the daemon ------------------------------------------------------------------------------

    @precondition(lambda self: self.open_jobs)
    @rule(data=st.data(), count=st.integers(1, 4))
    def deliver(self, data: st.DataObject, count: int) -> None:
        """The next messages of one answer arrive."""
        job = data.draw(st.sampled_from(self.open_jobs))
        for _ in range(count):
            job.deliver()

    @precondition(lambda self: self.open_jobs)
    @rule()
    def deliver_all(self) -> None:
        """Every answer arrives, with a turn of the event loop after each message."""
        while self.open_jobs:
            for job in self.open_jobs:
                job.deliver()
                QtWidgets.QApplication.processEvents()

    @precondition(lambda self: self.open_jobs)
    @rule(data=st.data(), error=st.sampled_from(FAILURES))
    def fail(self, data: st.DataObject, error: InpaintError) -> None:
        data.draw(st.sampled_from(self.open_jobs)).fail(error)

    # -- the end ---------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self._nothing_stands_still()
            self.nothing_failed()
        finally:
            logging.getLogger("inpaint_krita").removeHandler(self.listening)
            self.controller.close()
            self.panel.close()
            self.panel.deleteLater()
            self.controller.deleteLater()
            QtWidgets.QApplication.processEvents()
            self.folder.cleanup()

    def _nothing_stands_still(self) -> None:
        """Once the daemon has sent all its messages, another run completes."""
        for document in self.documents:
            self.host.document = document
            self.controller.document_changed()
            self._settle()
            document.selected = FakeDocument().selected
            self.controller.set_option(candidates=2, also_without_edits=False, smooth="always")
            before = self.controller.state.run
            self.panel.run_row.go.click()
            self._settle()
            run = self.controller.state.run
            assert run is not None
            assert run != before
            assert [result.is_smooth for result in run.results] == [False, False, True]
            assert None not in self.grid.strip.thumbnails

    def _settle(self) -> None:
        end = time.monotonic() + 20
        QtWidgets.QApplication.processEvents()
        while self.open_jobs or self.controller.is_busy:
            assert time.monotonic() < end, "something stands still"
            for job in self.open_jobs:
                job.deliver()
            QtWidgets.QApplication.processEvents()
        for _ in range(10):
            QtWidgets.QApplication.processEvents()

    @property
    def _number(self) -> int:
        return next(i for i, each in enumerate(self.documents) if each is self.host.document)

    def _press(self, place: QtCore.QPoint) -> None:
        left = QtCore.Qt.MouseButton.LeftButton
        event = QtGui.QMouseEvent(
            QtCore.QEvent.Type.MouseButtonPress,
            QtCore.QPointF(place),
            QtCore.QPointF(self.grid.mapToGlobal(place)),
            left,
            left,
            QtCore.Qt.KeyboardModifier.NoModifier,
        )
        QtWidgets.QApplication.sendEvent(self.grid, event)


Docker.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    # Without shrinking: that takes minutes for forty steps, and the traceback says more.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestDocker = Docker.TestCase
