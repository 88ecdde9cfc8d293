"""What newcomers see: the next step in the empty results, the example, and the tour."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_daemon import FakeDaemon, Script
from fake_krita import FakeDocument
from inpaint_client.segments import Part
from inpaint_client.session.tour import Stop
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.host.selection import KeptSelection, Selection
from inpaint_krita.runs.fill_settings import FillSettings
from inpaint_krita.ui.bubble import Side, place
from krita_docker import Docker, fill, open_docker, shut, until

DOCKER = QtCore.QRect(1000, 100, 300, 500)
SCREEN = QtCore.QRect(0, 0, 1366, 728)
BUBBLE = QtCore.QSize(250, 110)


@pytest.fixture
def selection(docker: Docker) -> KeptSelection:
    """The document's selection, which is taken away."""
    selected = docker.document.selected
    assert isinstance(selected, KeptSelection)
    docker.document.selected = None
    docker.controller.document_changed()
    return selected


def tick(docker: Docker) -> None:
    """What the docker does every 700 ms."""
    docker.controller._check_document()


def stop(docker: Docker) -> Stop | None:
    return docker.controller.state.tour.stop


def stored(folder: Path) -> FillSettings:
    return SettingsFile(folder / "krita.json", FillSettings).load()


def test_without_an_image_the_example_is_offered(
    application: QtCore.QCoreApplication,
    tmp_path: Path,
    daemon: FakeDaemon,
    failure_notice: list[str],
) -> None:
    docker = open_docker(tmp_path, ConnectionSettings(address=daemon.address), has_document=False)
    try:
        empty = docker.panel.empty
        assert "try it on the example" in empty.words.text()
        assert empty.example.isVisible()
        assert not empty.part_row.isVisible()
        empty.example.click()
        docker.controller.document_changed()  # as Krita reports it
        assert docker.controller.state.has_document
        assert not empty.example.isVisible()
        assert empty.part_row.isVisible()
    finally:
        shut(docker)


def test_the_empty_state_names_the_step_that_comes_next(
    docker: Docker, selection: KeptSelection
) -> None:
    empty = docker.panel.empty
    assert "any selection tool" in empty.words.text()
    assert empty.part_row.isVisible()
    docker.document.selected = selection
    tick(docker)
    assert empty.words.text() == (
        "Press “Inpaint the selection”. 3 candidates appear here; nothing outside the selection "
        "changes."
    )
    assert not empty.part_row.isVisible()
    docker.document.selected = None
    tick(docker)
    assert empty.part_row.isVisible()
    docker.document.selected = selection
    fill(docker)
    assert not empty.isVisible()
    assert docker.panel.results.grid.isVisible()


def test_a_model_that_makes_one_fill_is_not_said_to_make_three(
    docker: Docker, script: Script
) -> None:
    script.single_candidate = True
    before = docker.controller.state.connection.info
    docker.controller.open()
    until(lambda: docker.controller.state.connection.info is not before)
    assert "The candidate appears here" in docker.panel.empty.words.text()


def test_the_buttons_select_a_part_and_are_off_meanwhile(
    docker: Docker, selection: KeptSelection
) -> None:
    empty = docker.panel.empty
    assert list(empty.parts) == [Part.HAIR, Part.EYES, Part.MOUTH]
    button = empty.parts[Part.EYES]
    assert button.toolTip() == "Both, with lids and lashes"
    button.click()
    assert not button.isEnabled()
    assert button.toolTip() == "Finding the faces…"
    until(lambda: not docker.controller.state.is_selecting)
    assert docker.document.selected is not None
    assert "Press" in empty.words.text()  # at once, without waiting for the next tick


def test_krita_is_asked_for_its_selection_only_where_it_matters(
    docker: Docker, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    ask = FakeDocument.selection

    def selection(document: FakeDocument) -> Selection | None:
        asked.append(True)
        return ask(document)

    monkeypatch.setattr(FakeDocument, "selection", selection)
    tick(docker)
    assert asked
    docker.panel.hide()
    asked.clear()
    tick(docker)
    assert not asked, "behind another tab"
    docker.panel.show()
    script.delay_s = 0.2
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.progress.is_running)
    asked.clear()
    tick(docker)
    assert not asked, "during a run"
    until(lambda: not docker.controller.is_busy)
    asked.clear()
    tick(docker)
    assert not asked, "with candidates"


def test_the_tour_follows_the_artist_and_is_remembered(
    docker: Docker, selection: KeptSelection, tmp_path: Path
) -> None:
    empty, bubble = docker.panel.empty, docker.panel.tour.bubble
    assert stop(docker) is None
    assert not bubble.isVisible()
    empty.link.click()
    until(bubble.isVisible)
    assert bubble.place_words.text() == "1 of 3"
    assert not empty.link.isVisible()
    assert not bubble.offer.isVisible()
    docker.document.selected = selection
    tick(docker)
    until(lambda: bubble.place_words.text() == "2 of 3" and bubble.isVisible())
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.progress.is_running)
    assert not bubble.isVisible()  # there is nothing to press
    until(lambda: bubble.isVisible() and bubble.place_words.text() == "3 of 3")
    until(lambda: not docker.controller.is_busy)
    assert bubble.next.text() == "Done"
    assert not stored(tmp_path).toured
    bubble.next.click()
    assert not bubble.isVisible()
    assert stored(tmp_path).toured


def test_the_first_bubble_offers_the_example_if_there_is_no_image(
    docker: Docker, selection: KeptSelection
) -> None:
    bubble = docker.panel.tour.bubble
    docker.host.document = None
    docker.controller.document_changed()
    docker.controller.guide.start()
    until(bubble.isVisible)
    assert bubble.offer.isVisible()
    bubble.offer.click()
    docker.controller.document_changed()
    assert stop(docker) is Stop.SELECTION
    assert not bubble.offer.isVisible()
    assert "any selection tool" in bubble.words.text()


def test_what_was_selected_before_the_tour_does_not_skip_a_bubble(docker: Docker) -> None:
    selected = docker.document.selected
    assert selected is not None
    docker.controller.guide.start()
    tick(docker)
    assert stop(docker) is Stop.SELECTION
    docker.document.selected = None
    tick(docker)
    docker.document.selected = selected
    tick(docker)
    assert stop(docker) is Stop.FILL


def test_a_run_that_fails_at_once_leaves_the_bubble_at_the_button(
    docker: Docker, script: Script
) -> None:
    script.fail = "NOT_FOUND"
    docker.controller.guide.start()
    docker.controller.guide.go_on()
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.notice is not None)
    assert stop(docker) is Stop.FILL
    until(docker.panel.tour.bubble.isVisible)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_cross_ends_the_tour_at_every_bubble(
    docker: Docker, tmp_path: Path, number: int
) -> None:
    bubble = docker.panel.tour.bubble
    docker.controller.guide.start()
    for _ in range(number - 1):
        bubble.next.click()
    until(lambda: bubble.isVisible() and bubble.place_words.text() == f"{number} of 3")
    bubble.close_button.click()
    assert not bubble.isVisible()
    assert stored(tmp_path).toured
    assert not docker.panel.empty.link.isVisible()
    docker.controller.guide.start()  # from the menu, as often as wanted
    until(bubble.isVisible)


def test_escape_in_the_window_ends_the_tour_and_reaches_the_window_too(docker: Docker) -> None:
    class Seen(QtCore.QObject):
        keys = 0

        def eventFilter(  # noqa: N802 (Qt's name)
            self, watched: QtCore.QObject | None, event: QtCore.QEvent | None
        ) -> bool:
            self.keys += event is not None and event.type() == QtCore.QEvent.Type.KeyPress
            return False

    window, bubble = docker.panel.windowHandle(), docker.panel.tour.bubble
    assert window is not None
    seen = Seen()
    window.installEventFilter(seen)
    docker.controller.guide.start()
    until(bubble.isVisible)
    for key in (QtCore.Qt.Key.Key_B, QtCore.Qt.Key.Key_Escape):
        assert bubble.isVisible()
        event = QtGui.QKeyEvent(
            QtCore.QEvent.Type.KeyPress, key, QtCore.Qt.KeyboardModifier.NoModifier
        )
        QtWidgets.QApplication.sendEvent(window, event)
    assert not bubble.isVisible()
    assert seen.keys == 2


def test_those_who_have_kept_candidates_are_not_asked_to_take_the_tour(
    docker: Docker, tmp_path: Path
) -> None:
    fill(docker)
    assert not stored(tmp_path).toured
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.run_is_kept)
    assert stored(tmp_path).toured


def test_the_bubble_goes_where_its_target_goes(docker: Docker) -> None:
    bubble, panel = docker.panel.tour.bubble, docker.panel
    docker.controller.guide.start()
    docker.controller.guide.go_on()
    until(bubble.isVisible)
    before = bubble.pos()
    panel.move(panel.x(), panel.y() + 80)
    until(lambda: bubble.y() > before.y())
    panel.hide()
    until(lambda: not bubble.isVisible())
    panel.show()
    until(bubble.isVisible)
    panel.run_row.hide()
    until(lambda: not bubble.isVisible())


def test_a_bubble_hides_behind_a_dialog(docker: Docker) -> None:
    bubble = docker.panel.tour.bubble
    docker.controller.guide.start()
    until(bubble.isVisible)
    docker.panel.open_settings()
    until(lambda: not bubble.isVisible())
    (dialog,) = docker.panel.findChildren(QtWidgets.QDialog)
    dialog.close()
    until(bubble.isVisible)


def test_a_bubble_hides_while_another_application_is_in_front(docker: Docker) -> None:
    bubble, application = docker.panel.tour.bubble, QtWidgets.QApplication.instance()
    assert isinstance(application, QtWidgets.QApplication)
    docker.controller.guide.start()
    until(bubble.isVisible)
    states = QtCore.Qt.ApplicationState
    application.applicationStateChanged.emit(states.ApplicationInactive)
    until(lambda: not bubble.isVisible())
    docker.controller.document_changed()  # does not bring it back
    QtWidgets.QApplication.processEvents()
    assert not bubble.isVisible()
    application.applicationStateChanged.emit(states.ApplicationActive)
    until(bubble.isVisible)


def test_the_first_step_is_scrolled_into_sight(docker: Docker) -> None:
    panel = docker.panel
    docker.document.selected = None
    docker.controller.document_changed()
    panel.resize(240, 180)  # too low for the settings, and for the drawing
    row = panel.empty.part_row
    until(lambda: row.visibleRegion().boundingRect() == row.rect())
    assert not panel.empty.words.visibleRegion().isEmpty()


@pytest.mark.parametrize(
    ("docker_at", "side"),
    [
        (DOCKER, Side.RIGHT),
        (DOCKER.translated(-1000, 0), Side.LEFT),
        (QtCore.QRect(100, 0, 1200, 700), Side.TOP),
    ],
)
def test_a_bubble_is_placed_beside_the_docker_where_there_is_room(
    docker_at: QtCore.QRect, side: Side
) -> None:
    target = QtCore.QRect(docker_at.left() + 20, 300, 200, 30)
    found = place(target, docker_at, BUBBLE, SCREEN)
    area = QtCore.QRect(found.corner, BUBBLE)
    assert found.side is side
    assert SCREEN.contains(area)
    assert not area.intersects(target)
    if side is Side.TOP:
        assert area.left() + found.tip == target.center().x()
    else:
        assert not area.intersects(docker_at)
        assert area.top() + found.tip == target.center().y()


@pytest.mark.parametrize("y", [0, 40, 690, 725])
def test_a_bubble_stays_on_the_screen_at_its_edges(y: int) -> None:
    found = place(QtCore.QRect(1020, y, 200, 3), DOCKER, BUBBLE, SCREEN)
    assert SCREEN.contains(QtCore.QRect(found.corner, BUBBLE))
    assert 0 < found.tip < BUBBLE.height()
