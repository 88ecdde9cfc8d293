"""The docker, its controller and its worker: runs, sliders, settings, what goes wrong."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon, Script
from fake_krita import FakeDocument
from inpaint_client.geometry import Box
from inpaint_client.requests import StyleLevel
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_krita import text
from inpaint_krita.app.connection_state import Phase, RecoveryAction
from inpaint_krita.app.state import NoticeAction
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.runs.fill_settings import FillSettings
from inpaint_krita.ui.quiet_wheel import CONTROLS
from inpaint_krita.ui.settings_dialog import SettingsDialog
from inpaint_protos.secret import Secret
from inpaint_protos.sentences import DOMAIN
from inpaint_protos.status.v1.status_pb2 import ErrorInfo
from inpaint_protos.v1 import inpaint_pb2 as pb
from krita_docker import (
    Docker,
    bgra,
    center,
    click,
    fill,
    mix_with,
    open_docker,
    press,
    shut,
    until,
)


def test_a_run_from_the_button_to_the_layers(docker: Docker) -> None:
    fill(docker)
    state = docker.controller.state
    assert state.notice is None
    assert state.run is not None
    assert [result.seed for result in state.run.results] == [5, 6, 7]
    group = docker.document.root.children[1]
    assert [layer.title for layer in group.children] == ["3 · seed 7", "2 · seed 6", "1 · seed 5"]
    assert [layer.is_visible for layer in group.children] == [False, False, True]
    assert [center(docker, i) for i in range(3)] == [bgra(5), bgra(6), bgra(7)]
    until(lambda: all(docker.controller.state.strip.thumbnails))
    assert len(docker.document.annotations) == 1


@pytest.mark.parametrize("larger", ["huge"])
def test_the_daemon_chooses_among_its_models_until_the_artist_does(
    docker: Docker, script: Script
) -> None:
    models = docker.panel.findChild(QtWidgets.QComboBox, "model")
    assert models is not None
    assert [models.itemData(i) for i in range(models.count())] == ["", "fake", "huge"]
    assert models.currentData() == ""
    fill(docker)
    assert docker.controller.state.run is not None
    assert docker.controller.state.run.model == "huge"
    models.setCurrentIndex(1)
    models.activated.emit(1)
    fill(docker)
    assert docker.controller.state.run.model == "Constant colors"
    assert "Constant colors" in docker.controller.state.run.title
    models.setCurrentIndex(0)
    models.activated.emit(0)
    assert docker.controller.state.fill_settings.model == ""
    assert models.currentData() == ""


def test_a_run_with_fewer_candidates_while_the_docker_is_painted(docker: Docker) -> None:
    docker.controller.set_option(candidates=4)
    fill(docker)
    docker.controller.set_option(candidates=2)
    docker.panel.run_row.go.click()
    grid = docker.panel.results.grid

    def painted_to_the_end() -> bool:
        grid.repaint()
        assert grid.strip == docker.controller.state.strip
        return not docker.controller.is_busy

    until(painted_to_the_end)
    assert grid.strip.count == 2


def test_thumbnails_choose_and_star(docker: Docker) -> None:
    fill(docker)
    grid = docker.panel.results.grid
    click(grid, grid.cell(1).center())
    run = docker.controller.state.run
    assert run is not None
    assert run.chosen == 1
    group = docker.document.root.children[1]
    assert [layer.is_visible for layer in group.children] == [False, True, False]
    click(grid, grid.star_box(2).center())
    run = docker.controller.state.run
    assert run is not None
    assert [result.starred for result in run.results] == [False, False, True]
    assert run.chosen == 1


def test_a_slider_renders_again_and_only_its_last_place_counts(
    docker: Docker, script: Script
) -> None:
    fill(docker)
    script.delay_s = 0.1
    slider = docker.panel.edits.sliders["smile"]
    for value in (0.2, 0.4, 0.6, 0.8, 1.0):
        slider.spin.setValue(value)
        until(lambda: docker.controller.state.is_editing)
    until(lambda: center(docker, 0) == bgra(5, 1.0))
    until(lambda: not docker.controller.state.is_editing)
    run = docker.controller.state.run
    assert run is not None
    assert run.results[0].edits == {"smile": 1.0}
    assert center(docker, 1) == bgra(6)


def test_an_edit_stays_with_its_candidate(docker: Docker, daemon: FakeDaemon) -> None:
    fill(docker)
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(docker, 0) == bgra(5, 1.0))
    until(lambda: not docker.controller.is_busy)
    assert not docker.panel.run_row.remark.isVisible()
    fill(docker)
    assert [center(docker, i) for i in range(3)] == [bgra(5), bgra(6), bgra(7)]
    assert not daemon.service.fills[-1].edits
    assert docker.panel.edits.sliders["smile"].value == 0
    # A slider that was just moved, and another candidate before the edit was sent.
    docker.panel.edits.sliders["smile"].spin.setValue(2.0)
    docker.controller.choose(1)
    assert docker.panel.edits.sliders["smile"].value == 0
    time.sleep(0.1)
    QtWidgets.QApplication.processEvents()
    assert not docker.controller.is_busy
    assert [center(docker, i) for i in range(3)] == [bgra(5), bgra(6), bgra(7)]


def test_edits_of_new_candidates_are_requested_and_shown(docker: Docker) -> None:
    edits = docker.panel.edits
    assert not edits.both.isVisibleTo(edits)
    assert not edits.sliders["smile"].isEnabled()  # there is nothing to edit
    edits.apply.click()
    assert edits.both.isVisibleTo(edits)
    assert edits.sliders["smile"].isEnabled()
    edits.sliders["smile"].spin.setValue(1.0)
    until(docker.panel.run_row.remark.isVisible)
    assert docker.panel.run_row.remark.text() == "New candidates get these edits: Smile +1.0"
    fill(docker)
    assert [center(docker, i) for i in range(3)] == [bgra(each, 1.0) for each in (5, 6, 7)]
    assert docker.controller.state.run is not None
    assert docker.controller.state.run.results[1].edits == {"smile": 1.0}
    edits.apply.click()
    assert not docker.panel.run_row.remark.isVisible()
    fill(docker)
    assert [center(docker, i) for i in range(3)] == [bgra(5), bgra(6), bgra(7)]


def test_the_wheel_changes_no_control_that_it_passes_over(docker: Docker) -> None:
    """What the docker does with it is tested in Krita, with a real wheel."""
    fill(docker)
    docker.controller.set_option(context="frame")
    docker.controller.propose_frame()
    fill_settings = docker.controller.state.fill_settings
    docker.panel.status.setFocus()
    dialog = SettingsDialog(ConnectionSettings(), docker.panel)
    for root, least in ((docker.panel, 15), (dialog, 0)):
        controls = [each for kind in CONTROLS for each in root.findChildren(kind)]
        assert len(controls) >= least
        for control in controls:
            before = _value(control)
            for angle in (120, -120):
                assert not _wheel(control, angle).isAccepted(), control
            assert _value(control) == before
            assert control.focusPolicy() != QtCore.Qt.FocusPolicy.WheelFocus
    dialog.close()
    assert docker.controller.state.fill_settings == fill_settings


def _value(control: QtWidgets.QWidget) -> object:
    if isinstance(control, QtWidgets.QComboBox):
        return control.currentIndex()
    if isinstance(control, QtWidgets.QAbstractSpinBox):
        return control.text()
    assert isinstance(control, QtWidgets.QSlider)
    return control.value()


def test_a_control_with_the_focus_takes_the_wheel(docker: Docker) -> None:
    fill(docker)
    docker.panel.activateWindow()
    candidates, slider = docker.panel.form.candidates, docker.panel.edits.sliders["smile"].slider
    until(docker.panel.isActiveWindow)
    candidates.setFocus()
    _wheel(candidates, 120)
    assert docker.controller.state.fill_settings.candidates == 4
    slider.setFocus()
    before = slider.value()
    _wheel(slider, 120)
    assert slider.value() > before


def _wheel(widget: QtWidgets.QWidget, angle: int) -> QtGui.QWheelEvent:
    """Turn the wheel over the middle of a widget."""
    place = QtCore.QPointF(widget.rect().center())
    event = QtGui.QWheelEvent(
        place,
        QtCore.QPointF(widget.mapToGlobal(place.toPoint())),
        QtCore.QPoint(),
        QtCore.QPoint(0, angle),
        QtCore.Qt.MouseButton.NoButton,
        QtCore.Qt.KeyboardModifier.NoModifier,
        QtCore.Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QtWidgets.QApplication.sendEvent(widget, event)
    return event


def test_hold_to_compare(docker: Docker) -> None:
    fill(docker)
    group = docker.document.root.children[1]
    docker.panel.results.compare.pressed.emit()
    assert not group.is_visible
    docker.panel.results.compare.released.emit()
    assert group.is_visible


def test_keep_makes_one_layer_and_the_sliders_still_work(docker: Docker) -> None:
    fill(docker)
    docker.controller.choose(2)
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.run and docker.controller.state.run.kept)
    assert [layer.kind for layer in docker.document.root.children] == ["paintlayer"] * 2
    assert "Seed 7" in docker.document.root.children[1].title
    docker.panel.edits.sliders["smile"].spin.setValue(2.0)
    until(lambda: center(docker, 2) == bgra(7, 2.0))


def test_both_versions(docker: Docker) -> None:
    fill(docker)
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(docker, 0) == bgra(5, 1.0))
    docker.controller.edit("smile", 2.0)
    docker.controller.add_variant()
    until(lambda: center(docker, 3) == bgra(5, 2.0))
    assert len(docker.document.root.children[1].children) == 4


def test_variants_come_with_every_candidate(docker: Docker) -> None:
    docker.controller.set_option(edits_for_new=True, also_without_edits=True, candidates=2)
    docker.controller.edit("smile", 1.0)
    fill(docker)
    assert [center(docker, i) for i in range(4)] == [bgra(5), bgra(5, 1.0), bgra(6), bgra(6, 1.0)]
    titles = [layer.title for layer in reversed(docker.document.root.children[1].children)]
    assert titles == ["1 · seed 5", "1 · seed 5 · edited", "2 · seed 6", "2 · seed 6 · edited"]


def test_cancel_acts_at_once_and_keeps_what_came(docker: Docker, script: Script) -> None:
    script.delay_s = 0.3
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.progress.done == 1)
    until(lambda: any(docker.controller.state.strip.thumbnails[:1]))
    docker.panel.run_row.stop.click()
    assert not docker.controller.state.progress.is_running
    until(lambda: not docker.controller.is_busy)
    state = docker.controller.state
    assert state.run is not None
    assert len(state.run.results) == len(docker.document.root.children[1].children) == 1
    assert state.notice is not None
    assert not state.notice.is_problem


def test_an_error_in_the_plug_in_is_shown_and_the_run_continues(
    docker: Docker, failure_notice: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[tuple[str, str]]:
        raise ZeroDivisionError("on demand")

    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.progress.is_running)
    with monkeypatch.context() as patch:
        patch.setattr(docker.document, "paint_layers", broken)
        until(lambda: failure_notice)
    until(lambda: not docker.controller.is_busy)
    assert "ZeroDivisionError: on demand" in failure_notice[0]
    failure_notice.clear()
    until(docker.panel.notice.isVisible)
    assert "in the plug-in" in docker.panel.notice.words.text()
    docker.panel.notice.button.click()
    assert docker.host.plugin_log_shown
    assert docker.panel.notice.isVisible(), "showing the log resolves nothing"
    docker.controller.dismiss()
    fill(docker)
    assert docker.controller.state.notice is None
    assert [center(docker, i) for i in range(3)] == [bgra(5), bgra(6), bgra(7)]


def test_a_widget_that_always_fails_to_paint_is_reported_once(
    docker: Docker, failure_notice: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("on demand")

    fill(docker)
    drawn: list[object] = []
    docker.controller.state_changed.connect(drawn.append)
    monkeypatch.setattr(docker.panel.results.grid, "_paint_cell", broken)
    for _ in range(5):
        docker.panel.results.grid.repaint()
        QtWidgets.QApplication.processEvents()
    assert len(failure_notice) >= 5
    assert len(drawn) <= 2
    failure_notice.clear()


@pytest.mark.parametrize("script", [Script(fail="INTERNAL:1")])
def test_a_failure_in_the_middle_is_a_sentence_with_a_way_on(docker: Docker) -> None:
    fill(docker)
    state = docker.controller.state
    assert state.notice is not None
    assert state.notice.action is NoticeAction.AGAIN
    assert docker.panel.notice.isVisible()
    assert state.run is not None
    assert len(state.run.results) == 1


def test_nothing_selected(docker: Docker) -> None:
    docker.document.selected = None
    docker.document.is_opaque = True
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.notice)
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.action is NoticeAction.SELECT_TRANSPARENT
    docker.panel.notice.button.click()
    assert docker.document.selected is None
    until(lambda: docker.controller.state.notice is not None)
    notice = docker.controller.state.notice
    assert notice is not None
    assert notice.action is NoticeAction.NONE
    assert "no transparent part" in notice.text
    docker.document.is_opaque = False
    docker.panel.run_row.go.click()
    until(docker.panel.notice.button.isVisible)
    docker.panel.notice.button.click()
    until(lambda: docker.document.selected is not None)
    fill(docker)
    assert docker.controller.state.notice is None


def test_a_selection_that_was_just_drawn_is_waited_for(docker: Docker) -> None:
    """Krita hands it on a moment later; the button works, and the window does not stand still."""
    drawn, docker.document.selected = docker.document.selected, None
    docker.panel.run_row.go.click()
    assert docker.controller.state.progress.is_running
    assert docker.controller.is_busy
    QtCore.QTimer.singleShot(300, lambda: setattr(docker.document, "selected", drawn))
    until(lambda: docker.controller.state.run is not None)
    until(lambda: not docker.controller.is_busy)
    assert docker.controller.state.notice is None
    assert [center(docker, i) for i in range(3)] == [bgra(5), bgra(6), bgra(7)]


def test_waiting_for_a_selection_can_be_cancelled(docker: Docker) -> None:
    docker.document.selected = None
    docker.panel.run_row.go.click()
    docker.panel.run_row.stop.click()
    assert not docker.controller.is_busy
    assert docker.panel.run_row.go.isVisible()


def test_settings_that_were_stored_meanwhile_are_used(
    application: QtCore.QCoreApplication, tmp_path: Path
) -> None:
    """`inpaint plugins install` and GIMP write the same file."""
    with FakeDaemon(Script(token="right")) as daemon:
        opened = open_docker(
            tmp_path, ConnectionSettings(address=daemon.address, token=Secret("wrong"))
        )
        try:
            until(lambda: opened.controller.state.connection.phase is Phase.FAILED)
            right = ConnectionSettings(address=daemon.address, token=Secret("right"))
            SettingsFile(tmp_path / "connection.json", ConnectionSettings).save(right)
            assert opened.controller.connection_settings() == right  # what the dialog shows
            opened.daemon_connection.start()
            until(lambda: opened.controller.state.connection.phase is Phase.READY)
        finally:
            shut(opened)


def test_reopened_documents_remember_their_runs(docker: Docker, tmp_path: Path) -> None:
    fill(docker)
    first = docker.document
    copy = FakeDocument()
    copy.annotations = first.annotations
    copy.root, copy.layers = first.root, first.layers
    docker.host.document = copy
    docker.controller.document_changed()
    run = docker.controller.state.run
    assert run is not None
    assert len(run.results) == 3
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(docker._replace(document=copy), 0) == bgra(5, 1.0))


def half_way(one: bytes, other: bytes) -> tuple[int, ...]:
    return tuple(round((a + b) / 2) for a, b in zip(one, other, strict=True))


def is_near(pixel: bytes, expected: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(pixel, expected, strict=True))


def test_a_result_takes_styles_of_another(docker: Docker, daemon: FakeDaemon) -> None:
    assert not docker.panel.sections["mix"].isVisibleTo(docker.panel)
    fill(docker)
    assert docker.panel.sections["mix"].isVisibleTo(docker.panel)
    mix_with(docker, "3 · seed 7")
    until(lambda: is_near(center(docker, 0), half_way(bgra(5), bgra(7))))
    docker.panel.mix.amount.spin.setValue(1.0)
    until(lambda: is_near(center(docker, 0), tuple(bgra(7))))
    docker.panel.mix.levels[StyleLevel.STRUCTURE].click()
    until(lambda: len(daemon.service.edits) == 3 and not docker.controller.is_busy)
    sent = daemon.service.edits[-1].mixing
    assert [StyleLevel(each) for each in sent.levels] == [StyleLevel.FEATURES, StyleLevel.COLORS]
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)  # edits come on top
    until(lambda: len(daemon.service.edits) == 4 and not docker.controller.is_busy)
    assert daemon.service.edits[-1].mixing == sent
    docker.controller.choose(1)
    assert docker.panel.mix.other.currentText() == "None"
    docker.controller.choose(0)
    assert docker.panel.mix.other.currentText() == "3 · seed 7"
    mix_with(docker, "None")
    until(lambda: center(docker, 0) == bgra(5, 1.0))


@pytest.mark.slow
def test_a_result_takes_the_style_of_a_layer(docker: Docker, daemon: FakeDaemon) -> None:
    fill(docker)
    green = docker.document.add_paint("A green one", Box(10, 20, 30, 20), bytes([0, 200, 0, 255]))
    docker.document.add_paint("An empty one")
    until(lambda: docker.panel.mix.other.findText("Layer: A green one") > 0)
    mix_with(docker, "Layer: A green one")
    until(lambda: is_near(center(docker, 0), half_way(bgra(5), bytes([0, 200, 0, 255]))))
    sent = daemon.service.edits[-1].mixing
    assert (sent.picture.width, sent.picture.height, sent.picture.channels) == (30, 20, 4)
    box = sent.picture_box
    assert (box.x, box.y, box.width, box.height) == green.box
    assert [StyleLevel(each) for each in sent.levels] == [StyleLevel.COLORS]
    mix_with(docker, "Layer: An empty one")
    notice = docker.controller.state.notice
    assert notice is not None
    assert "empty" in notice.text
    assert docker.panel.mix.other.currentText() == "Layer: A green one"
    docker.document.root.children.remove(green)
    until(lambda: docker.panel.mix.other.currentText() == "Deleted layer")
    mix_with(docker, "None")
    until(lambda: center(docker, 0) == bgra(5))


def test_a_reopened_document_mixes_from_what_was_there_before(
    docker: Docker, daemon: FakeDaemon
) -> None:
    fill(docker)
    mix_with(docker, "2 · seed 6")
    until(lambda: is_near(center(docker, 0), half_way(bgra(5), bgra(6))))
    until(lambda: not docker.controller.is_busy)
    copy = FakeDocument()
    copy.annotations = docker.document.annotations
    copy.root, copy.layers = docker.document.root, docker.document.layers
    docker.host.document = copy
    docker.controller.document_changed()
    assert docker.controller.state.mix.is_on
    docker.panel.mix.amount.spin.setValue(1.0)
    until(lambda: len(daemon.service.edits) == 2 and not docker.controller.is_busy)
    sent = daemon.service.edits[-1]
    assert json.loads(sent.source.recipe)["mixed"] is False
    assert sent.mixing.amount == 1.0


def test_settings_survive(docker: Docker, tmp_path: Path) -> None:
    docker.panel.form.candidates.setValue(7)
    docker.panel.form.variety.spin.setValue(0.5)
    docker.panel.form.dice.click()
    docker.panel.form.fitting.switches["detail"].trigger()
    stored = SettingsFile(tmp_path / "krita.json", FillSettings).load()
    assert (stored.candidates, stored.variety, stored.new_seed) == (7, 0.5, True)
    assert stored.detail is False


def test_large_seeds_can_be_typed_and_copied(docker: Docker) -> None:
    box = docker.panel.form.seed
    edit = box.lineEdit()
    assert edit is not None
    edit.setText("4294967295")
    box.editingFinished.emit()
    assert docker.controller.state.fill_settings.seed == 4294967295
    docker.panel.form.copy.click()
    clipboard = QtWidgets.QApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text() == "4294967295"
    box.stepBy(1)
    assert docker.controller.state.fill_settings.seed == 0


def test_a_missing_daemon_is_reported_with_an_offer_to_start_it(
    application: QtCore.QCoreApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    opened = open_docker(tmp_path, ConnectionSettings(executable="/nowhere/inpaint-server"))
    try:
        until(lambda: opened.controller.state.connection.phase is Phase.MISSING)
        assert opened.panel.status.button.text() == "Start"
        fill(opened)
        notice = opened.controller.state.notice
        assert notice is not None
        assert "/nowhere/inpaint-server" in notice.text
        assert notice.action is NoticeAction.CHOOSE_PROGRAM
        assert opened.panel.status.button.text() == "Choose program…"

        opened.controller.recover()  # the artist opens the dialog and cancels
        assert opened.controller.connection_settings().executable == "/nowhere/inpaint-server"
        server = tmp_path / "inpaint-server"
        server.write_text("#!/bin/sh\necho no GPU 7; exit 2\n")
        server.chmod(0o755)
        opened.host.program = str(server)
        opened.controller.run_notice_action()
        assert opened.controller.connection_settings().executable == str(server)
        until(lambda: opened.controller.state.connection.recover is RecoveryAction.SHOW_LOG)
        assert "no GPU 7" in opened.controller.state.connection.explanation
    finally:
        shut(opened)


def test_a_wrong_token_leads_to_the_settings(
    application: QtCore.QCoreApplication, tmp_path: Path
) -> None:
    with FakeDaemon(Script(token="right")) as daemon:
        opened = open_docker(
            tmp_path, ConnectionSettings(address=daemon.address, token=Secret("wrong"))
        )
        try:
            until(lambda: opened.controller.state.connection.phase is Phase.FAILED)
            assert opened.panel.status.button.text() == "Settings…"
            opened.controller.use_connection(
                ConnectionSettings(address=daemon.address, token=Secret("right"))
            )
            until(lambda: opened.controller.state.connection.phase is Phase.READY)
        finally:
            shut(opened)


def test_without_a_document_the_button_waits(
    application: QtCore.QCoreApplication, tmp_path: Path
) -> None:
    with FakeDaemon() as daemon:
        opened = open_docker(tmp_path, ConnectionSettings(address=daemon.address), False)
        try:
            assert not opened.panel.run_row.go.isEnabled()
            opened.controller.run()
            assert opened.controller.state.notice is not None
        finally:
            shut(opened)


def test_candidates_come_into_view_in_a_low_docker(docker: Docker) -> None:
    docker.panel.resize(300, 330)
    fill(docker)
    QtWidgets.QApplication.processEvents()
    bar = docker.panel._scroll.verticalScrollBar()
    assert bar is not None
    assert bar.value() > 0


@pytest.mark.parametrize("script", [Script(warning="Only the part inside is filled.")])
def test_a_message_stays_in_sight_until_it_is_dismissed(docker: Docker, script: Script) -> None:
    panel = docker.panel
    panel.resize(300, 330)
    fill(docker)
    QtWidgets.QApplication.processEvents()
    bar = panel._scroll.verticalScrollBar()
    assert bar is not None
    assert bar.value() > 0  # the candidates came into view

    def in_sight() -> bool:
        place = QtCore.QRect(panel.notice.mapTo(panel, QtCore.QPoint()), panel.notice.size())
        return panel.notice.isVisible() and panel.rect().contains(place)

    assert in_sight()
    assert not panel._scroll.isAncestorOf(panel.notice)
    assert panel.notice.words.text() == script.warning
    bar.setValue(bar.maximum())
    docker.controller.choose(2)
    panel.edits.sliders["smile"].spin.setValue(1.0)
    until(lambda: center(docker, 2) == bgra(7, 1.0))
    until(lambda: not docker.controller.is_busy)
    assert in_sight()
    script.fail = "INTERNAL"
    panel.edits.sliders["smile"].spin.setValue(2.0)
    until(lambda: panel.notice.words.text() != script.warning)
    assert panel.notice.words.text().startswith(f"{script.warning} INTERNAL on demand")
    assert panel.notice.button.text() == "Try again"
    docker.controller.dismiss()
    assert not panel.notice.isVisible()


def test_what_asks_for_no_decision_is_no_message(docker: Docker, script: Script) -> None:
    values = {"resolution": "256", "times": "2.1"}
    enlarged = pb.Notice(code="ENLARGED", values=values, text="Enlarged.", is_detail=True)
    script.notices = (enlarged,)
    fill(docker)
    panel = docker.panel
    assert not panel.notice.isVisible()
    assert panel.run_row.details.text() == "Filled at 256 px and enlarged 2.1 times."
    assert panel.run_row.details.isVisible()
    script.notices = ()
    fill(docker)
    assert not panel.run_row.details.isVisible()


def test_what_the_last_daemon_was_killed_at_is_reported_once(
    docker: Docker, script: Script
) -> None:
    work = ["Fill model=portrait crop=8192x8192x3 seeds=4"]
    script.last_killed = pb.LastKilled(work=work, began_unix_s=5.0)
    docker.controller.open()
    until(docker.panel.notice.isVisible)
    words = docker.panel.notice.words.text()
    assert words.startswith(f"The previous daemon was killed while it was working ({work[0]}).")
    docker.controller.dismiss()
    asked = docker.controller.state.connection
    docker.controller.open()
    script.last_killed = None
    docker.controller.open()
    until(lambda: docker.controller.state.connection != asked)
    assert not docker.panel.notice.isVisible()


def test_a_message_of_the_daemon_is_in_the_artists_language(docker: Docker, script: Script) -> None:
    script.notices = (pb.Notice(code="ONLY_INSIDE", text="Only inside."),)
    text.CATALOG.use_languages(["de"])
    try:
        fill(docker)
        assert docker.panel.notice.words.text() == (
            "Die Auswahl reicht über den Rahmen hinaus. Nur der Teil im Rahmen wird gefüllt."
        )
        script.fail = "RESOURCE_EXHAUSTED"
        script.reason = ErrorInfo(reason="QUEUE_FULL", domain=DOMAIN, metadata={"limit": "32"})
        docker.controller.run()
        until(lambda: "Warteschlange" in docker.panel.notice.words.text())
    finally:
        text.CATALOG.use_languages(["en"])


def test_keys_walk_through_the_thumbnails_and_star(docker: Docker) -> None:
    fill(docker)
    grid = docker.panel.results.grid
    key = QtCore.Qt.Key
    press(grid, key.Key_Right)
    press(grid, key.Key_Right)
    press(grid, key.Key_Right)  # the last one: stays
    run = docker.controller.state.run
    assert run is not None
    assert run.chosen == 2
    press(grid, key.Key_Asterisk, "*")
    press(grid, key.Key_Left)
    run = docker.controller.state.run
    assert run is not None
    assert run.chosen == 1
    assert run.results[2].starred
    docker.controller.step(-2)
    run = docker.controller.state.run
    assert run is not None
    assert run.chosen == 2


def test_the_rectangle_is_proposed_dragged_and_sent(docker: Docker) -> None:
    form = docker.panel.form
    form.context.setCurrentIndex(2)
    form.context.activated.emit(2)
    fill_settings = docker.controller.state.fill_settings
    assert fill_settings.context == "frame"
    assert fill_settings.frame.side == 48  # twice the selection
    assert (fill_settings.frame.cx, fill_settings.frame.cy) == (42, 28)
    QtWidgets.QApplication.processEvents()
    image = form.frame.image
    scale = image._scale()
    _drag(image, image._to_screen(42, 28), QtCore.QPointF(5 * scale, 0))
    assert docker.controller.state.fill_settings.frame.cx == pytest.approx(47, abs=1 / scale)
    corner = image._to_screen(*image.frame.corners()[2])
    _drag(image, corner, (image._to_screen(*image.frame[:2]) - corner) / 2)
    assert docker.controller.state.fill_settings.frame.side == pytest.approx(24, abs=2 / scale)
    form.frame.angle.setValue(30)
    fill(docker)
    assert docker.controller.state.fill_settings.frame.angle == 30


def _drag(widget: QtWidgets.QWidget, start: QtCore.QPointF, way: QtCore.QPointF) -> None:
    left, none = QtCore.Qt.MouseButton.LeftButton, QtCore.Qt.KeyboardModifier.NoModifier
    kinds = QtCore.QEvent.Type
    for kind, place in (
        (kinds.MouseButtonPress, start),
        (kinds.MouseMove, start + way),
        (kinds.MouseButtonRelease, start + way),
    ):
        event = QtGui.QMouseEvent(kind, place, place, left, left, none)
        QtWidgets.QApplication.sendEvent(widget, event)


def test_the_fitting_of_the_fill_can_be_switched(docker: Docker) -> None:
    fitting = docker.panel.form.fitting
    assert fitting.text() == "Colors, Edges, Grain, Detail"
    fitting.switches["gradient"].trigger()
    assert fitting.text() == "Colors, Grain, Detail"
    fitting.switches["detail"].trigger()
    assert fitting.text() == "Colors, Grain"
    blending = docker.controller.state.fill_settings.blending
    assert (blending.gradient, blending.detail) == (False, False)
