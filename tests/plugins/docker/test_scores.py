"""Candidates of faces with scores: their order, the one that is shown first, and the gauge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_daemon import Script
from inpaint_krita import text
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.ui.results import GAUGE, Grid
from krita_docker import Docker, add_more, chosen_seed, click, fill, press, seeds, until


@pytest.fixture(autouse=True)
def scored(script: Script) -> Iterator[None]:
    script.scored = True
    yield
    text.CATALOG.use_languages(["en"])


def shown_order(grid: Grid) -> list[int]:
    """Return the seeds from left to right and top to bottom."""
    assert grid.strip.run is not None
    cells = [
        (grid.cell(i).top(), grid.cell(i).left(), result.seed)
        for i, result in enumerate(grid.strip.run.results)
    ]
    return [seed for _, _, seed in sorted(cells)]


def test_the_most_natural_candidate_is_first_and_chosen(docker: Docker) -> None:
    fill(docker)
    grid = docker.panel.results.grid
    assert seeds(docker) == [5, 6, 7]
    assert shown_order(grid) == [7, 6, 5]
    assert chosen_seed(docker) == 7
    group = docker.document.root.children[1]
    assert [layer.is_visible for layer in group.children] == [True, False, False]
    assert docker.panel.results.note.text() == "The most natural candidate is first."
    assert docker.panel.results.note.isVisibleTo(docker.panel)


def test_mouse_and_keys_follow_the_order(docker: Docker) -> None:
    fill(docker)
    grid = docker.panel.results.grid
    press(grid, QtCore.Qt.Key.Key_Right)
    assert chosen_seed(docker) == 6
    click(grid, grid.cell(0).center())
    assert chosen_seed(docker) == 5
    press(grid, QtCore.Qt.Key.Key_Right)
    assert chosen_seed(docker) == 5  # the last one


def test_the_actions_follow_the_order_and_wrap_around(docker: Docker) -> None:
    fill(docker)
    found = []
    for by in (1, 1, 1, -1):
        docker.controller.step(by)
        found.append(chosen_seed(docker))
    assert found == [6, 5, 7, 5]


def test_what_the_artist_chose_meanwhile_stays_chosen(docker: Docker, script: Script) -> None:
    script.delay_s = 0.2
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.strip.count == 3)
    docker.controller.choose(1)
    until(lambda: not docker.controller.is_busy)
    assert chosen_seed(docker) == 6


def test_added_candidates_join_the_order_and_the_choice_stays(docker: Docker) -> None:
    fill(docker)
    docker.controller.choose(0)
    docker.controller.set_option(candidates=2)
    add_more(docker)
    assert shown_order(docker.panel.results.grid) == [9, 8, 7, 6, 5]
    assert chosen_seed(docker) == 5


def test_an_edit_changes_the_likeness_and_not_the_order(docker: Docker) -> None:
    fill(docker)
    docker.controller.choose(0)
    docker.panel.edits.sliders["smile"].spin.setValue(2.0)
    run = docker.controller.state.run
    assert run is not None

    def likeness() -> float | None:
        run = docker.controller.state.run
        return run.results[0].scores.likeness if run else None

    until(lambda: likeness() == pytest.approx(0.7))
    assert shown_order(docker.panel.results.grid) == [7, 6, 5]


def test_the_gauge_shows_the_likeness(docker: Docker) -> None:
    fill(docker)
    until(lambda: all(docker.controller.state.strip.thumbnails))
    grid = docker.panel.results.grid
    grid.resize(300, grid.heightForWidth(300))
    image = grid.grab().toImage()
    cell = grid.cell(1)
    ratio = image.width() / grid.width()
    y = round((cell.top() + cell.width() - GAUGE // 2) * ratio)
    filled = grid.palette().color(QtGui.QPalette.ColorRole.Highlight)
    pixels = [image.pixelColor(round((cell.left() + k) * ratio), y) for k in range(cell.width())]
    assert sum(pixel == filled for pixel in pixels) == pytest.approx(0.9 * cell.width(), abs=3)


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Likeness 90%"), ("de", "Ähnlichkeit 90 %")]
)
def test_tooltips_explain_the_scores(docker: Docker, language: str, words: str) -> None:
    fill(docker)
    text.CATALOG.use_languages([language])
    grid = docker.panel.results.grid
    place = grid.cell(0).center()
    kind = QtCore.QEvent.Type.ToolTip
    QtWidgets.QApplication.sendEvent(grid, QtGui.QHelpEvent(kind, place, grid.mapToGlobal(place)))
    assert QtWidgets.QToolTip.text().startswith(words)
    assert "50%" in QtWidgets.QToolTip.text().replace(" %", "%")


def test_without_scores_nothing_is_claimed(docker: Docker, script: Script) -> None:
    script.scored = False
    fill(docker)
    assert shown_order(docker.panel.results.grid) == [5, 6, 7]
    assert chosen_seed(docker) == 5
    assert docker.panel.results.note.text() == ""
