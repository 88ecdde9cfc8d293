"""What the docker shows of results whose layers are not in the image: undone, kept, cut short."""

from __future__ import annotations

import pytest
from fake_daemon import Script
from fake_krita import FakeDocument
from inpaint_krita.app.state import State
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from krita_docker import Docker, chosen_seed, fill, seeds, until


def test_cancel_leaves_the_thumbnails_that_are_there(docker: Docker, script: Script) -> None:
    script.delay_s = 0.2
    shown: list[State] = []
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.progress.done == 2)
    until(lambda: None not in docker.controller.state.strip.thumbnails[:2])
    docker.controller.state_changed.connect(shown.append)
    docker.panel.run_row.stop.click()
    until(lambda: not docker.controller.is_busy)
    for _ in range(20):
        QtWidgets.QApplication.processEvents()
    assert seeds(docker) == [5, 6]
    assert shown
    for state in shown:
        assert None not in state.strip.thumbnails[:2]


def test_a_run_that_is_undone_is_shown_as_gone_until_it_is_redone(docker: Docker) -> None:
    fill(docker)
    docker.controller.choose(1)
    base, group = docker.document.root.children
    results = docker.panel.results
    docker.document.root.children.remove(group)  # as undo does
    until(lambda: not docker.controller.state.run_is_attached)
    assert "was undone or deleted" in results.note.text()
    assert "Krita can restore it" in results.note.text()
    assert results.note.isVisible()
    assert not results.grid.isEnabled()
    for control in (results.compare, results.keep, results.more):
        assert not control.isVisible()
    assert not docker.panel.sections["mix"].isVisible()
    assert not docker.panel.edits.sliders["smile"].isEnabled()

    docker.document.root.children.append(group)  # as redo does, which goes to the group
    docker.document.active = group
    until(lambda: docker.controller.state.run_is_attached)
    assert not results.note.isVisible()
    assert results.grid.isEnabled()
    assert chosen_seed(docker) == 6
    assert docker.document.active.title == "2 · seed 6"
    assert docker.document.root.children == [base, group]


def test_redo_leaves_the_layer_that_the_artist_went_to(docker: Docker) -> None:
    fill(docker)
    base, group = docker.document.root.children
    docker.document.root.children.remove(group)
    until(lambda: not docker.controller.state.run_is_attached)
    docker.document.root.children.append(group)
    until(lambda: docker.controller.state.run_is_attached)
    assert docker.document.active is base


def reopen(docker: Docker) -> None:
    """Save the image, close it and open it again: its history of undo is gone."""
    copy = FakeDocument()
    copy.annotations = dict(docker.document.annotations)
    copy.root.children = list(docker.document.root.children)
    copy.active = copy.root.children[0]
    for child in copy.root.children:
        child.parent = copy.root
    copy.layers = {layer.key: layer for layer in copy.root.walk()}
    docker.document.is_open = False
    docker.host.document = copy
    docker.controller.document_changed()
    assert docker.controller.state.run is not None


def all_drawn(docker: Docker) -> bool:
    return None not in docker.controller.state.strip.thumbnails


@pytest.mark.parametrize(("starred", "kept"), [((), [6]), ((0, 2), [5, 7])])
def test_what_was_kept_is_all_that_a_reopened_image_has(
    docker: Docker, starred: tuple[int, ...], kept: list[int]
) -> None:
    fill(docker)
    docker.controller.choose(1)
    for place in starred:
        docker.controller.star(place)
    docker.panel.results.keep.click()
    until(lambda: docker.controller.state.run_is_kept and not docker.controller.is_busy)
    assert "restores the others" in docker.panel.results.note.text()
    reopen(docker)
    note = docker.panel.results.note.text()
    assert note in ("One candidate was kept.", "These candidates were kept.")
    assert seeds(docker) == kept
    until(lambda: all_drawn(docker))


def test_a_run_that_was_undone_before_saving_is_empty_afterwards(docker: Docker) -> None:
    fill(docker)
    docker.document.root.children.pop()
    until(lambda: not docker.controller.state.run_is_attached)
    reopen(docker)
    assert seeds(docker) == []
    assert not docker.panel.results.grid.isVisible()
    assert "no longer in the image" in docker.panel.results.note.text()
    docker.controller.keep()  # all of them do nothing
    docker.controller.add_candidates()
    docker.controller.step(1)
    docker.controller.compare(True)
    docker.controller.compare(False)
    fill(docker)
    assert seeds(docker) == [5, 6, 7]


@pytest.mark.parametrize(("button", "text"), [("#474747", "#c8c8c8"), ("#f0f0f0", "#202020")])
def test_the_disabled_button_is_readable(docker: Docker, button: str, text: str) -> None:
    """In Krita's dark theme and in its bright one."""
    palette = docker.panel.palette()
    role = QtGui.QPalette.ColorRole
    for each, color in ((role.Button, button), (role.ButtonText, text), (role.Mid, "#3c3c3c")):
        palette.setColor(each, QtGui.QColor(color))
    go = docker.panel.run_row.go
    docker.panel.setPalette(palette)
    go.setEnabled(False)
    QtWidgets.QApplication.processEvents()
    image = go.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB32)
    box = QtCore.QRect(8, 4, image.width() - 16, image.height() - 8)
    lights = [
        luminance(image.pixelColor(x, y))
        for x in range(box.left(), box.right())
        for y in range(box.top(), box.bottom())
    ]
    assert (max(lights) + 0.05) / (min(lights) + 0.05) > 3  # what WCAG asks of controls


def luminance(color: QtGui.QColor) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (color.redF(), color.greenF(), color.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
