"""Drag the dot of the mixer pad with a real mouse; undo the drag; mix again after reopening."""

from __future__ import annotations

import shutil
import subprocess

from studio import (
    QtCore,
    app,
    coverage,
    image,
    inpaint,
    pixels,
    ready,
    select,
    set_option,
    show,
    until,
)


def steps(stage):
    assert shutil.which("xdotool"), "xdotool is missing (apt-get install xdotool)"
    window = app.activeWindow().qwindow()
    window.move(0, 0)
    window.resize(1366, 768)
    docker = yield from ready()
    control, form = docker.controller, docker.panel.mix
    document = yield from image(320, 240)
    for each in app.dockers():
        if each is not docker:
            each.setVisible(False)
    docker.setVisible(True)
    window.resizeDocks([docker], [240], QtCore.Qt.Orientation.Horizontal)
    control.document_changed()
    set_option(docker, candidates=4, sections_closed="settings,results,edits")
    (stage.out / "known.raw").write_bytes(pixels(document))
    yield from select(document, 100, 60, 80, 60)
    before = coverage(document)
    yield from inpaint(docker)
    seen = {}

    def color():
        run = control.state.run
        node = control._session.document.find(run.results[0].layer)
        return list(bytes(node.pixelData(140, 90, 1, 1)))

    def rests():
        return not control.is_busy and not form._timer.isActive()

    def at(x, y):
        return x_server("mousemove", "--sync", *place_of(form.pad, x, y))

    seen["plain"] = color()
    yield from until(lambda: form.other.findText("Several: mixer pad") > 0, what="the entry")
    form.other.setCurrentIndex(form.other.findText("Several: mixer pad"))
    form.other.activated.emit(form.other.currentIndex())
    yield from until(rests, what="the pad")
    yield 300
    docker.panel._scroll.ensureWidgetVisible(form.pad)
    yield 200
    yield from at(0, 0)
    yield from x_server("mousedown", "1")
    for x, y in ((0.2, 0.1), (0.4, 0.3), (0.5, 0.5)):
        yield from at(x, y)
        yield 80
    yield from until(rests, what="the middle, while the button is down")
    yield from until(lambda: form.pad.pad.x > 0.45, what="the dot in the middle")
    seen["is_held"] = form.pad.is_held
    seen["middle"] = color()
    yield from at(1.0, 0.0)
    yield from until(lambda: form.pad.pad.x == 1, what="the dot in the corner")
    yield from x_server("mouseup", "1")
    yield from until(rests, what="the top right corner")
    yield from until(lambda: not form.pad.is_held, what="the release")
    seen["corner"] = color()
    window.grab().save(str(stage.out / "pad.png"))
    (stage.out / "mixed.raw").write_bytes(pixels(document))
    seen["selection_stays"] = coverage(document) == before
    yield from until(lambda: control.state.can_undo, what="a step to undo")
    control.undo()
    yield from until(rests, what="undo")
    seen["undone"] = color()
    seen["dot"] = [form.pad.pad.x, form.pad.pad.y]
    control.redo()
    yield from until(rests, what="redo")
    seen["redone"] = color()

    path = str(stage.out / "pad.kra")
    assert document.saveAs(path)
    document.waitForDone()
    document.setModified(False)
    document.close()
    yield 300
    document = app.openDocument(path)
    yield from show(document)
    control.document_changed()
    yield from until(lambda: control.state.run is not None, what="the run")
    seen["reopened"] = [form.other.currentText(), form.pad.pad.x, form.pad.pad.y]
    form.pad.moved.emit(form.pad.pad.moved(0, 1))
    yield from until(lambda: color() != seen["corner"], what="a mixture of what was reopened")
    yield from until(rests, what="the bottom left corner")
    seen["below"] = color()
    return seen


def place_of(pad, x, y):
    place = pad.mapToGlobal(pad.place(x, y).toPoint())
    return str(place.x()), str(place.y())


def x_server(*words):
    process = subprocess.Popen(["xdotool", *words])
    yield from until(lambda: process.poll() is not None, 10, "xdotool")
    assert process.returncode == 0, words
    yield 50
