"""Images of a run in progress, its results, texture, a frame set by hand, and a lost daemon."""

from __future__ import annotations

import math
import os
import signal

from krita import Selection
from studio import QtCore, QtWidgets, app, below_layers, no_problem, ready, set_option, show, until

KEPT = ("KisLayerBox", "ToolBox", "inpaint_stylegan_docker")


def steps(stage):
    window = app.activeWindow().qwindow()
    window.move(0, 0)
    window.resize(1366, 768)
    for each in app.dockers():
        if each.objectName() not in KEPT:
            each.hide()
    layers = next(each for each in app.dockers() if each.objectName() == "KisLayerBox")
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = app.openDocument(str(stage.out / "image.png"))
    yield from show(document)
    yield 600  # the docker's first place
    below_layers(window, docker)
    yield 200
    window.resizeDocks([layers, docker], [150, 560], QtCore.Qt.Orientation.Vertical)
    window.resizeDocks([layers, docker], [300, 300], QtCore.Qt.Orientation.Horizontal)
    control.document_changed()
    set_option(docker, candidates=4, seed=stage.arguments["seed"])
    panel.sections["settings"].set_open(False)
    control.guide.start()
    yield from until(panel.tour.bubble.isVisible, 5, "the bubble")
    yield 1500
    window.screen().grabWindow(0, 0, 0, 1366, 768).save(str(stage.out / "krita-tour.png"))
    control.guide.end()
    yield from select_ellipse(document, *stage.arguments["box"])
    yield 1500  # Krita draws its dockers late

    def shoot(name):
        yield 1500
        window.grab().save(str(stage.out / f"krita-{name}.png"))

    control.run()
    yield from until(lambda: control.state.progress.done >= 1, what="a candidate")
    yield 40
    window.grab().save(str(stage.out / "krita-running.png"))
    yield from until(lambda: not control.is_busy, 60, "the run")
    no_problem(docker)
    control.choose(1)
    control.star(1)
    for name, value in stage.arguments["edits"].items():
        control.edit(name, value)
        yield from until(lambda: not control.is_busy, what=name)
    yield from shoot("results")

    painting = app.openDocument(str(stage.out / "linen.png"))
    yield from show(painting)
    control.document_changed()
    app.action("zoom_to_100pct").trigger()
    scale = painting.width() / document.width()
    yield from select_ellipse(painting, *(round(scale * px) for px in stage.arguments["box"]))
    control.run()
    yield from until(lambda: not control.is_busy, 60, "the fill of the painting")
    no_problem(docker)
    control.choose(0)
    painting.setSelection(None)
    yield from shoot("texture")
    painting.setModified(False)
    painting.close()
    yield 500

    set_option(docker, context="frame", smooth="auto")
    control.propose_frame()
    panel.sections["settings"].set_open(True)
    yield 300
    area = panel.form.frame
    next(
        scroll for scroll in docker.findChildren(QtWidgets.QScrollArea) if scroll.isAncestorOf(area)
    ).ensureWidgetVisible(area)
    yield from shoot("frame")

    set_option(docker, context="auto")
    panel.sections["settings"].set_open(False)
    os.kill(stage.arguments["pid"], signal.SIGKILL)
    yield from until(lambda: control.state.connection.phase.name != "READY", 30, "it is noticed")
    yield from shoot("no-daemon")


def select_ellipse(document, x, y, width, height):
    """What an artist draws around a face."""
    row = bytearray()
    for i in range(height):
        half = width / 2 * math.sqrt(1 - (2 * (i + 0.5) / height - 1) ** 2)
        inside = 2 * round(half)
        edge = (width - inside) // 2
        row += bytes(edge) + b"\xff" * inside + bytes(width - edge - inside)
    selection = Selection()
    selection.select(x, y, width, height, 255)
    selection.setPixelData(QtCore.QByteArray(bytes(row)), x, y, width, height)
    document.setSelection(selection)
    document.waitForDone()
    yield 50
