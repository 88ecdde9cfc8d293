"""The frame of the next run is shown while the pointer rests on the button."""

from __future__ import annotations

from inpaint_client.geometry import Box, Frame
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.host.selection import KeptSelection
from krita_docker import Docker


def rest_on_the_button(docker: Docker) -> None:
    go, place = docker.panel.run_row.go, QtCore.QPoint(9, 9)
    event = QtGui.QHelpEvent(QtCore.QEvent.Type.ToolTip, place, go.mapToGlobal(place))
    QtWidgets.QApplication.sendEvent(go, event)


def test_the_square_around_the_selection(docker: Docker) -> None:
    docker.controller.set_option(context="box")
    rest_on_the_button(docker)
    tip = docker.panel.frame_tip
    assert tip.isVisible()
    assert tip.image.frame == Frame(42, 28, 48)
    assert tip.words.text().startswith("The model sees the square around the selection.")
    QtWidgets.QApplication.sendEvent(
        docker.panel.run_row.go, QtCore.QEvent(QtCore.QEvent.Type.Leave)
    )
    assert not tip.isVisible()


def test_what_the_daemon_will_find_is_not_shown(docker: Docker) -> None:
    rest_on_the_button(docker)
    assert docker.panel.frame_tip.image.frame.side == 0
    assert "The daemon finds the frame" in docker.panel.frame_tip.words.text()


def test_a_selection_that_leaves_the_drawn_square_is_a_warning(docker: Docker) -> None:
    frame = {"frame_cx": 42.0, "frame_cy": 28.0, "frame_side": 30.0}
    docker.controller.set_option(context="frame", **frame)
    rest_on_the_button(docker)
    words = docker.panel.frame_tip.words
    assert words.text() == "The model sees the frame shown here."
    assert docker.panel.frame_tip.image.frame == Frame(42, 28, 30)
    docker.document.selected = KeptSelection(Box(30, 20, 40, 16), b"\xff" * (40 * 16))
    rest_on_the_button(docker)
    assert words.text().startswith("⚠ The selection extends beyond the frame")


def test_nothing_selected_is_shown_before_the_click(docker: Docker) -> None:
    docker.document.selected = None
    rest_on_the_button(docker)
    assert docker.panel.frame_tip.words.text() == "⚠ Nothing is selected."
    assert docker.panel.frame_tip.image.frame.side == 0
