"""A real wheel, turned over every control of the docker."""

from __future__ import annotations

import shutil
import subprocess

from studio import (
    QtCore,
    QtWidgets,
    app,
    image,
    inpaint,
    plugin,
    ready,
    select,
    set_option,
    until,
)

UP, DOWN = "4", "5"  # the X server's buttons


def steps(stage):
    assert shutil.which("xdotool"), "xdotool is missing (apt-get install xdotool)"
    window = app.activeWindow().qwindow()
    window.move(0, 0)
    window.resize(1366, 768)
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = yield from image()
    for each in app.dockers():
        if each is not docker:
            each.setVisible(False)
    docker.setVisible(True)
    window.resizeDocks([docker], [300], QtCore.Qt.Orientation.Horizontal)
    control.document_changed()
    set_option(docker, candidates=3, sections_closed="")
    yield from select(document, 200, 150, 180, 160)
    yield from inpaint(docker)
    panel.results.grid.setFocus()
    bar = panel._scroll.verticalScrollBar()
    yield from until(lambda: bar.maximum() > 100, 5, "something to scroll")
    fill_settings, edits = control.state.fill_settings, control.state.edits
    seen = []
    for each in controls(panel):
        panel._scroll.ensureWidgetVisible(each)
        yield 50
        before, value = bar.value(), shown(each)
        button = DOWN if before < bar.maximum() - 10 else UP
        yield from mouse(each, "click", button)
        seen.append([type(each).__name__, button, bar.value() - before, shown(each) == value])
    yield 200  # longer than a slider rests
    assert control.state.fill_settings == fill_settings
    assert control.state.edits == edits
    assert not control.is_busy

    candidates = panel.form.candidates
    panel._scroll.ensureWidgetVisible(candidates)
    yield from x_server("windowfocus", "--sync", str(int(window.winId())))
    candidates.setFocus()
    yield from until(candidates.hasFocus, 5, "the focus")
    before = bar.value()
    yield from mouse(candidates, "click", UP)
    return {"seen": seen, "focused": [candidates.value(), bar.value() - before]}


def controls(panel):
    kinds = plugin("ui.quiet_wheel").CONTROLS
    found = [each for kind in kinds for each in panel.findChildren(kind)]
    return [each for each in found if each.isVisible()]


def shown(control):
    if isinstance(control, QtWidgets.QComboBox):
        return control.currentIndex()
    return control.value() if isinstance(control, QtWidgets.QSlider) else control.text()


def mouse(control, *words):
    """Do something with the mouse over the middle of a control."""
    place = control.mapToGlobal(control.rect().center())
    yield from x_server("mousemove", str(place.x()), str(place.y()), *words)


def x_server(*words):
    process = subprocess.Popen(["xdotool", *words])
    yield from until(lambda: process.poll() is not None, 10, "xdotool")
    assert process.returncode == 0
    yield 80
