"""Ctrl+Z in the docker undoes sliders and mixing; without any changes it is Krita's."""

from __future__ import annotations

from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from krita_docker import Docker, bgra, center, fill, mix_with, until

CTRL = QtCore.Qt.KeyboardModifier.ControlModifier
SHIFT = QtCore.Qt.KeyboardModifier.ShiftModifier


def keys(widget: QtWidgets.QWidget, modifiers: QtCore.Qt.KeyboardModifier) -> bool:
    """Press Z as an editor's window gets it: who wants it, and if the docker does, the key."""
    widget.setFocus()
    until(widget.hasFocus)
    kinds = QtCore.QEvent.Type
    claim = QtGui.QKeyEvent(kinds.ShortcutOverride, QtCore.Qt.Key.Key_Z, modifiers)
    claim.ignore()
    QtWidgets.QApplication.sendEvent(widget, claim)
    if not claim.isAccepted():
        return False
    QtWidgets.QApplication.sendEvent(
        widget, QtGui.QKeyEvent(kinds.KeyPress, QtCore.Qt.Key.Key_Z, modifiers)
    )
    return True


def rest(docker: Docker) -> None:
    until(lambda: not docker.panel.edits._pending and not docker.panel.mix._timer.isActive())
    until(lambda: not docker.controller.is_busy)


def drag(docker: Docker, name: str, *values: float) -> None:
    slider = docker.panel.edits.sliders[name]
    slider.slider.setSliderDown(True)
    for value in values:
        slider.slider.setValue(round(value * 10))
        rest(docker)
    slider.slider.setSliderDown(False)


def test_one_drag_is_one_step_back(docker: Docker) -> None:
    fill(docker)
    grid, sliders = docker.panel.results.grid, docker.panel.edits.sliders
    drag(docker, "smile", 0.5, 1.0, 2.0)
    drag(docker, "age", -1.0)
    until(lambda: center(docker, 0) == bgra(5, 1.0))
    assert keys(grid, CTRL)
    until(lambda: center(docker, 0) == bgra(5, 2.0))
    assert sliders["age"].value == 0
    assert keys(sliders["smile"].slider, CTRL)
    until(lambda: center(docker, 0) == bgra(5))
    assert sliders["smile"].value == 0
    assert not keys(grid, CTRL), "now it is Krita's"
    assert keys(grid, CTRL | SHIFT)
    until(lambda: center(docker, 0) == bgra(5, 2.0))
    assert keys(grid, CTRL | SHIFT)
    until(lambda: center(docker, 0) == bgra(5, 1.0))
    assert not keys(grid, CTRL | SHIFT)


def test_the_candidate_that_was_changed_is_shown_again(docker: Docker) -> None:
    fill(docker)
    drag(docker, "smile", 1.0)
    docker.controller.choose(2)
    mix_with(docker, "2 · seed 6")
    rest(docker)
    assert keys(docker.panel.results.grid, CTRL)
    until(lambda: center(docker, 2) == bgra(7))
    assert docker.panel.mix.other.currentText() == "None"
    assert keys(docker.panel.results.grid, CTRL)
    until(lambda: center(docker, 0) == bgra(5))
    run = docker.controller.state.run
    assert run is not None
    assert run.chosen == 0


def test_what_makes_a_step_in_krita_is_taken_back_by_krita(docker: Docker) -> None:
    fill(docker)
    drag(docker, "smile", 1.0)
    assert docker.controller.state.can_undo
    fill(docker)
    assert not keys(docker.panel.run_row.go, CTRL)


def test_a_number_that_is_being_typed_is_taken_back_by_its_box(docker: Docker) -> None:
    fill(docker)
    drag(docker, "smile", 1.0)
    spin = docker.panel.edits.sliders["smile"].spin
    line = spin.lineEdit()
    assert line is not None
    line.setModified(True)
    keys(spin, CTRL)
    QtWidgets.QApplication.processEvents()
    assert docker.controller.state.can_undo
    assert docker.panel.edits.sliders["smile"].value == 1.0
