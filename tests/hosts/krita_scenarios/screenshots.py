"""The images of docs/guide/krita.md: a run in progress, its results, and the frame set by hand."""

from __future__ import annotations

from studio import (
    QtCore,
    QtWidgets,
    app,
    below_layers,
    no_problem,
    ready,
    select,
    set_option,
    show,
    until,
)

KEPT = ("KisLayerBox", "ToolBox", "inpaint_stylegan_docker")


def steps(stage):
    window = app.activeWindow().qwindow()
    window.resize(1366, 768)
    for each in app.dockers():
        if each.objectName() not in KEPT:
            each.hide()
    docker = yield from ready()
    control = docker.controller
    document = app.openDocument(str(stage.out / "image.png"))
    yield from show(document)
    yield 600  # the docker's first place
    below_layers(window, docker)
    window.resizeDocks([docker], [300], QtCore.Qt.Orientation.Horizontal)
    control.document_changed()
    set_option(docker, candidates=4)
    docker.panel.sections["settings"].set_open(False)
    yield from select(document, *stage.arguments["box"], feather=10)

    def shoot(name):
        yield 1500  # Krita draws its dockers late
        window.grab().save(str(stage.out / f"krita-{name}.png"))

    control.run()
    yield from until(lambda: control.state.progress.is_running, what="the run")
    yield 150
    window.grab().save(str(stage.out / "krita-running.png"))
    yield from until(lambda: not control.is_busy, 60, "the run")
    no_problem(docker)
    control.choose(1)
    control.star(1)
    for name, value in stage.arguments["edits"].items():
        control.edit(name, value)
        yield from until(lambda: not control.is_busy, what=name)
    yield from shoot("results")
    set_option(docker, context="frame", smooth="auto")
    control.propose_frame()
    docker.panel.sections["settings"].set_open(True)
    yield 300
    area = docker.panel.form.frame
    next(
        scroll for scroll in docker.findChildren(QtWidgets.QScrollArea) if scroll.isAncestorOf(area)
    ).ensureWidgetVisible(area)
    yield from shoot("frame")
