"""Two holes whose boxes overlap: a fill, then an edit by a slider."""

from __future__ import annotations

from studio import QtCore, Selection, image, inpaint, no_problem, ready, save, set_option, until


def steps(stage):
    docker = yield from ready()
    control = docker.controller
    document = yield from image(480, 400)
    control.document_changed()
    selection = Selection()
    mask = (stage.out / "mask.raw").read_bytes()
    selection.setPixelData(QtCore.QByteArray(mask), 0, 0, 480, 400)
    document.setSelection(selection)
    document.waitForDone()
    yield 50
    set_option(docker, candidates=1)
    yield from inpaint(docker)
    no_problem(docker)
    save(document, stage.out / "filled.kra")
    docker.panel.edits.sliders[stage.arguments["slider"]].spin.setValue(1.0)
    yield from until(lambda: control.state.run.results[0].edits, what="the edited rendering")
    yield 100
    no_problem(docker)
    save(document, stage.out / "edited.kra")
    return control.state.run.results[0].recipe
