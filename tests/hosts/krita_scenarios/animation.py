"""An artist's mouse selects, fills, views the candidates, drags a slider and keeps one.

scripts/record-animation records it. It returns what was kept, and the scenes: from which moment
(of the monotonic clock) on, and how many seconds of the animation each may take.
"""

from __future__ import annotations

import math
import subprocess
import time

from studio import QtCore, QtWidgets, app, no_problem, ready, set_option, show, until

STEPS_PER_S = 25  # of the pointer
DRAG_S = 2  # from value to value
DOCKER_PX = 410  # four thumbnails beside each other
CANVASES = ("KisOpenGLCanvas2", "KisQPainterCanvas")


class Mouse:
    """The X server's pointer, which starts and stops gently, as a hand does."""

    def __init__(self, place):
        self.place = place

    def glide(self, place, *then, seconds=0.5):
        """Go straight to a place; then do what these words say to xdotool."""
        (x0, y0), (x1, y1) = self.place, place
        eased = [(1 - math.cos(math.pi * share)) / 2 for share in ratios(seconds)]
        yield from self.follow([(x0 + s * (x1 - x0), y0 + s * (y1 - y0)) for s in eased], *then)

    def follow(self, places, *then):
        words = []
        for x, y in places:
            words += ["mousemove", str(round(x)), str(round(y)), "sleep", str(1 / STEPS_PER_S)]
        self.place = places[-1]
        yield from x_server(*words, *then)

    def click(self, place):
        yield from self.glide(place, "sleep", "0.1", "click", "1")

    def drag(self, places):
        yield from self.glide(places[0], "sleep", "0.2", "mousedown", "1")
        yield from self.follow(places, "sleep", "0.2", "mouseup", "1")


def steps(stage):
    wanted = stage.arguments
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = app.openDocument(str(stage.out / "image.png"))
    yield from show(document)
    window = app.activeWindow().qwindow()
    yield from lay_out(window, docker, wanted["window"])
    set_option(docker, candidates=4, seed=wanted["seed"], sections_closed="settings,mix")
    control.document_changed()
    app.action("KisToolSelectOutline").trigger()
    app.action("zoom_to_100pct").trigger()
    yield from x_server("windowfocus", "--sync", str(int(window.winId())))
    on_screen = from_image(window, document)
    corner = on_screen(0.9 * document.width(), 0.93 * document.height())
    mouse = Mouse(corner)
    yield from mouse.follow([corner])
    yield 1500  # Krita draws its dockers late
    panel._scroll.verticalScrollBar().setValue(0)

    scenes = []

    def scene(seconds):
        scenes.append([time.monotonic(), seconds])

    scene(0.6)
    yield 600
    scene(3.0)
    outline = ellipse(*wanted["box"], seconds=2.2)
    yield from mouse.drag([on_screen(*point) for point in outline])
    yield from until(lambda: document.selection() is not None, what="the selection")
    yield 300

    scene(2.4)
    yield from mouse.click(middle_of(panel.run_row.go, panel.run_row.go.rect()))

    # A small model may have filled everything already.
    yield from until(
        lambda: control.state.progress.is_running or control.state.run is not None, what="the run"
    )
    scene(2.4)
    yield from until(lambda: not control.is_busy, 120, "the run")
    no_problem(docker)

    scene(0.8)
    app.action("toggle_display_selection").trigger()
    yield 800
    grid = panel.results.grid
    for position in wanted["order"]:
        scene(1.5)
        yield from mouse.click(middle_of(grid, grid.cell(position)))
        yield from until(lambda at=position: control.state.run.chosen == at, what="the candidate")
        yield 900

    name, *values = wanted["edit"]
    scene(0)
    panel._scroll.ensureWidgetVisible(panel.edits.sliders[name])
    yield 300
    scene(5.0)
    yield from mouse.drag(way(panel.edits.sliders[name], [0, *values]))
    yield from until(lambda: not control.is_busy, 60, "the edit")
    yield 500

    scene(2.8)
    panel._scroll.ensureWidgetVisible(panel.results.keep)
    yield 200
    yield from mouse.click(middle_of(panel.results.keep, panel.results.keep.rect()))
    yield from until(lambda: control.state.run.kept, what="keep")
    yield from mouse.glide(corner)
    yield 1500
    scene(0)
    chosen = control.state.run.results[control.state.run.chosen]
    layers = [each.name() for each in document.topLevelNodes() if each.type() == "paintlayer"]
    return {"scenes": scenes, "seed": chosen.seed, "edits": control.state.edits, "layers": layers}


def lay_out(window, docker, size):
    """Leave the menus, the image and the docker."""
    yield 600  # the docker's first place
    for each in app.dockers():
        each.setVisible(each is docker)
    for bar in window.findChildren(QtWidgets.QToolBar):
        bar.hide()
    window.statusBar().hide()
    yield 300  # until then the window is as high as all of them need
    window.move(0, 0)
    window.resize(*size)
    window.resizeDocks([docker], [DOCKER_PX], QtCore.Qt.Orientation.Horizontal)
    yield 300


def from_image(window, document):
    """A function that says where a point of the image is on the screen, at 100 %."""
    canvas = next(
        each
        for each in window.findChildren(QtWidgets.QWidget)
        if each.metaObject().className() in CANVASES and each.isVisible()
    )
    left, top = middle_of(canvas, canvas.rect())
    left, top = left - document.width() / 2, top - document.height() / 2
    return lambda x, y: (left + x, top + y)


def middle_of(widget, area):
    place = widget.mapToGlobal(area.center())
    return place.x(), place.y()


def ratios(seconds):
    """From just above 0 to 1, one for each step of the pointer."""
    count = max(2, round(seconds * STEPS_PER_S))
    return [(i + 1) / count for i in range(count)]


def ellipse(x, y, width, height, seconds):
    """Once around, from the top."""
    return [
        (
            x + width / 2 * (1 + math.sin(2 * math.pi * share)),
            y + height / 2 * (1 - math.cos(2 * math.pi * share)),
        )
        for share in ratios(seconds)
    ]


def way(control, values):
    """The way of a slider's handle on the screen, with a second to see each value."""
    slider, places = control.slider, []
    for value in values:
        x = slider._place(value / control._step)
        place = slider.mapToGlobal(QtCore.QPoint(round(x), slider.height() // 2))
        x0 = places[-1][0] if places else place.x()
        places += [(x0 + share * (place.x() - x0), place.y()) for share in ratios(DRAG_S)]
        places += [(place.x(), place.y())] * STEPS_PER_S
        if value == values[0]:
            places = places[-1:]
    return places


def x_server(*words):
    process = subprocess.Popen(["xdotool", *words])
    yield from until(lambda: process.poll() is not None, 60, "xdotool")
    assert process.returncode == 0, words
