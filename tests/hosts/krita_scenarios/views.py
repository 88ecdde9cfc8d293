"""Photographs the window in its main states, 1366 x 768."""

from __future__ import annotations

import os
import signal

from studio import (
    QtCore,
    app,
    below_layers,
    ready,
    select,
    set_option,
    show,
    undo,
    until,
)


def steps(stage):
    window = app.activeWindow().qwindow()
    window.move(0, 0)
    window.resize(1366, 768)
    docker = yield from ready()
    control, panel = docker.controller, docker.panel

    def photograph(name, place=None):
        panel.draw(control.state)
        panel._scroll.verticalScrollBar().setValue(0)
        if place is not None:
            panel._scroll.ensureWidgetVisible(place)
        window.grab().save(str(stage.out / f"{name}.png"))

    yield 600
    photograph("empty-no-image", panel.empty)
    document = app.openDocument(str(stage.out / "image.png"))
    yield from show(document)
    for each in app.dockers():  # 5.2 shows them again when the first document opens
        if each is not docker and each.objectName() not in ("KisLayerBox", "ToolBox"):
            each.setVisible(False)
    layers = next(each for each in app.dockers() if each.objectName() == "KisLayerBox")
    docker.setVisible(True)
    yield 600  # its first place
    below_layers(window, docker)  # both are in the images
    yield 200
    window.resizeDocks([layers, docker], [150, 520], QtCore.Qt.Orientation.Vertical)
    window.resizeDocks([layers, docker], [300, 300], QtCore.Qt.Orientation.Horizontal)
    control.document_changed()
    set_option(docker, candidates=4, sections_closed="")
    yield from newcomer(stage, window, docker, photograph)
    control.run()
    yield from until(lambda: control.state.notice is not None, 10, "the notice")
    yield 300
    photograph("nothing-selected")
    control.dismiss()
    x, y, width, height = stage.arguments["selection"]
    yield from select(document, x, y, width, height, feather=max(2, width // 20))
    set_option(docker, candidates=4, seed=stage.arguments.get("seed", 5), sections_closed="")
    yield 1200
    photograph("empty-selected", panel.empty)
    photograph("idle")

    for name, frame in (
        ("preview", {"context": "box"}),
        (
            "preview-warning",
            {
                "context": "frame",
                "frame_cx": x,
                "frame_cy": y,
                "frame_side": width,
                "frame_angle": 0,
            },
        ),
    ):
        set_option(docker, candidates=4, seed=stage.arguments.get("seed", 5), **frame)
        panel._show_preview()
        yield 300
        panel.frame_tip.grab().save(str(stage.out / f"{name}-tip.png"))
        window.screen().grabWindow(0).save(str(stage.out / f"{name}.png"))
        panel.run_row.left.emit()
    control.run()
    yield from until(lambda: not control.is_busy, 60, "a run with a frame")
    yield 300
    photograph("notice")
    control.dismiss()
    yield from undo()
    yield from until(lambda: not control.state.run_is_attached, 10, "the undo")
    yield 300
    photograph("undone", panel.results)
    set_option(docker, candidates=4, seed=stage.arguments.get("seed", 5), context="auto")

    control.run()
    yield from until(lambda: control.state.progress.done >= 1, 60, "a candidate")
    yield 40
    photograph("running")
    yield from until(lambda: not control.is_busy, 60, "the run")
    set_option(docker, sections_closed="settings")
    control.choose(1)
    control.star(1)
    yield 200
    slider = next(iter(panel.edits.sliders.values()), None)
    if slider is not None:  # a model may have none
        slider.spin.setValue(1.2)
        yield from until(lambda: control.state.run.results[1].edits, 60, "the edit")
    yield from until(lambda: not control.is_busy, 60)
    yield 500
    photograph("results")

    control.remix(control.state.mix.with_pad(control.state.first_pad))
    yield from until(lambda: not control.is_busy, 60, "the mixer pad")
    yield 500
    control.remix(control.state.mix.with_pad(control.state.mix.pad.moved(0.6, 0.4)))
    yield from until(lambda: not control.is_busy, 60, "a mixture")
    yield 500
    photograph("pad", panel.mix.pad)
    control.mix_with("")
    yield from until(lambda: not control.is_busy, 60, "no mixture")

    set_option(docker, candidates=2)
    panel.results.more.click()
    yield from until(lambda: not control.is_busy, 60, "more candidates")
    control.star(4)
    control.dismiss()
    yield 500
    photograph("more", panel.results.more)

    panel.results.keep.click()
    yield from until(lambda: control.state.run_is_kept, 20, "keep")
    yield 500
    photograph("kept", panel.results)

    set_option(docker, candidates=2, smooth="always")
    control.run()
    yield from until(lambda: not control.is_busy, 60, "a run with a smooth candidate")
    control.choose(2)
    control.dismiss()
    yield 500
    photograph("smooth", panel.mix)
    set_option(docker, candidates=4)

    set_option(docker, sections_closed="results,edits", context="frame", smooth="auto")
    panel._propose_frame()
    yield 300
    photograph("frame")
    set_option(docker, sections_closed="settings", context="auto", smooth="auto")

    os.kill(stage.arguments["pid"], signal.SIGKILL)
    yield from until(lambda: control.state.connection.phase.name != "READY", 30, "it is noticed")
    set_option(docker, sections_closed="", smooth="auto")
    yield 300
    photograph("no-daemon")
    return [panel.status.words.text(), panel.status.button.text()]


def newcomer(stage, window, docker, photograph):
    """The empty state before anything is selected, and the bubbles of the tour."""
    control, bubble = docker.controller, docker.panel.tour.bubble
    photograph("empty-nothing-selected", docker.panel.empty)
    control.guide.start()
    for number in (1, 2, 3):
        yield from until(bubble.isVisible, 5, "the bubble")
        yield 400
        window.screen().grabWindow(0).save(str(stage.out / f"tour-{number}.png"))
        control.guide.go_on()
    control.set_option(toured=False)
