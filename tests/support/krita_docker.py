"""Krita's docker under PyQt6 with a document in memory, and actions for tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fake_daemon import color_of
from fake_krita import FakeDocument, FakeHost
from inpaint_client.settings import ConnectionSettings, SettingsFile
from inpaint_krita.app.controller import Controller
from inpaint_krita.app.daemon_connection import DaemonConnection
from inpaint_krita.host.qt import QtCore, QtGui, QtWidgets
from inpaint_krita.runs.fill_settings import FillSettings
from inpaint_krita.ui.panel import Panel


class Docker(NamedTuple):
    document: FakeDocument
    host: FakeHost
    daemon_connection: DaemonConnection
    controller: Controller
    panel: Panel


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the wait timed out"
        QtWidgets.QApplication.processEvents()
        time.sleep(0.005)


def open_docker(folder: Path, settings: ConnectionSettings, has_document: bool = True) -> Docker:
    document = FakeDocument()
    host = FakeHost(document if has_document else None)
    connection = SettingsFile(folder / "connection.json", ConnectionSettings)
    connection.save(settings)
    daemon_connection = DaemonConnection(connection)
    fill_settings = SettingsFile(folder / "krita.json", FillSettings)
    fill_settings.save(FillSettings(seed=5, new_seed=False, candidates=3))
    controller = Controller(host, daemon_connection, fill_settings, connection)
    panel = Panel(controller)
    controller.state_changed.connect(panel.draw)
    panel.resize(300, 720)
    panel.show()
    controller.open()
    return Docker(document, host, daemon_connection, controller, panel)


def shut(docker: Docker) -> None:
    docker.controller.close()
    docker.daemon_connection.close()
    docker.panel.close()
    QtWidgets.QApplication.processEvents()


def fill(docker: Docker) -> None:
    docker.panel.run_row.go.click()
    until(lambda: docker.controller.state.progress.is_running)
    until(lambda: not docker.controller.is_busy)


def center(docker: Docker, position: int) -> bytes:
    """Return BGRA in the middle of a result's layer."""
    run = docker.controller.state.run
    assert run is not None
    layer = docker.document.layers[run.kept or run.results[position].layer]
    start = 4 * (28 * docker.document.extent.width + 42)
    return bytes(layer.data[start : start + 4])


def bgra(seed: int, smile: float = 0.0) -> bytes:
    red, green, blue = (round(255 * each) for each in color_of(seed, {"smile": smile}))
    return bytes([blue, green, red, 255])


def click(widget: QtWidgets.QWidget, place: QtCore.QPoint) -> None:
    left = QtCore.Qt.MouseButton.LeftButton
    event = QtGui.QMouseEvent(
        QtCore.QEvent.Type.MouseButtonPress,
        QtCore.QPointF(place),
        QtCore.QPointF(widget.mapToGlobal(place)),
        left,
        left,
        QtCore.Qt.KeyboardModifier.NoModifier,
    )
    QtWidgets.QApplication.sendEvent(widget, event)


def press(widget: QtWidgets.QWidget, key: QtCore.Qt.Key, text: str = "") -> None:
    none = QtCore.Qt.KeyboardModifier.NoModifier
    QtWidgets.QApplication.sendEvent(
        widget, QtGui.QKeyEvent(QtCore.QEvent.Type.KeyPress, key, none, text)
    )


def mix_with(docker: Docker, label: str) -> None:
    """Choose an entry of the list, as the artist does."""
    other = docker.panel.mix.other
    at = other.findText(label)
    assert at >= 0, [other.itemText(i) for i in range(other.count())]
    other.setCurrentIndex(at)
    other.activated.emit(at)


def seeds(docker: Docker) -> list[int]:
    run = docker.controller.state.run
    assert run is not None
    return [result.seed for result in run.results]


def chosen_seed(docker: Docker) -> int:
    """Check that only the chosen candidate is visible, and return its seed."""
    run = docker.controller.state.run
    assert run is not None
    for position, result in enumerate(run.results):
        assert docker.document.is_shown(result.layer) == (position == run.chosen)
    return run.results[run.chosen].seed


def add_more(docker: Docker) -> None:
    docker.panel.results.more.click()
    assert docker.controller.state.progress.is_running
    until(lambda: not docker.controller.is_busy)
