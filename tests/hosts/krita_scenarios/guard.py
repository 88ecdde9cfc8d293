"""Errors in every kind of handler: the artist can continue working."""

from __future__ import annotations

import logging

from studio import QtWidgets, image, inpaint, plugin, ready, select, set_option, until


def broken(*_):
    raise ZeroDivisionError("on demand")


def steps(stage):
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = yield from image()
    control.document_changed()
    set_option(docker, candidates=4)
    yield from select(document, 200, 150, 180, 160)
    yield from inpaint(docker)
    set_option(docker, candidates=2)
    yield from inpaint(docker)  # fewer than before: the strip changes while it is painted
    assert control.state.strip.count == 2
    stage.failures = []

    grid = type(panel.results.grid)
    painted, grid._paint_cell = grid._paint_cell, broken  # an overridden method
    panel.results.grid.repaint()
    yield from told(stage, control, panel, "Grid.paintEvent")
    set_option(docker, candidates=3)
    yield from inpaint(docker)
    grid._paint_cell = painted
    control.dismiss()

    session = type(control._session)
    check, session.check_layers = session.check_layers, broken  # a timer's slot
    yield from told(stage, control, panel, "Controller._check_document")
    session.check_layers = check
    control.dismiss()

    control.canvas = broken  # a button's slot
    stage.failures.clear()
    panel.form.frame_wanted.emit()
    yield from told(stage, control, panel, "Panel._propose_frame")
    del control.canvas
    control.dismiss()

    control.document_changed = broken  # a method that Krita calls
    stage.failures.clear()
    docker.canvasChanged(None)
    yield from told(stage, control, panel, "InpaintDocker.canvasChanged")
    del control.document_changed
    panel.notice.button.click()  # "Show log"
    yield 200
    shown = [
        each.toPlainText()
        for window in QtWidgets.QApplication.topLevelWidgets()
        for each in window.findChildren(QtWidgets.QPlainTextEdit)
        if window.isVisible()
    ]
    assert any("ZeroDivisionError: on demand" in text for text in shown), shown
    assert control.state.notice is not None  # until it is dismissed
    control.dismiss()

    stage.failures = None
    yield from inpaint(docker)
    assert control.state.strip.count == 3
    assert control.state.notice is None or not control.state.notice.is_problem
    logging.shutdown()
    return plugin("host.plugin_log").plugin_log().read_text("utf-8")


def told(stage, control, panel, place):
    """It was logged, the docker shows it, and no modal window of Krita is open."""
    yield from until(lambda: any(f"{place} failed" in each for each in stage.failures), 5, place)
    yield from until(panel.notice.isVisible, 5, "the notice")
    assert "in the plug-in" in panel.notice.words.text()
    assert QtWidgets.QApplication.activeModalWidget() is None
