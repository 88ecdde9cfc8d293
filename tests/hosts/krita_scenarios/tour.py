"""A newcomer: the example, the empty state, and the tour by doing what its bubbles say."""

from __future__ import annotations

import sys
from importlib import import_module

from studio import (
    QtCore,
    QtWidgets,
    app,
    coverage,
    history,
    menu_action,
    no_problem,
    outside_is,
    pixels,
    plugin,
    ready,
    set_option,
    shows,
    tree,
    undo,
    until,
)

QtGui = sys.modules.get("PyQt5.QtGui") or sys.modules["PyQt6.QtGui"]
QtTest = import_module(QtCore.__name__.replace("QtCore", "QtTest"))
HEIGHT = 728  # what a task bar leaves of 768


def steps(stage):
    window = app.activeWindow().qwindow()
    window.move(0, 0)
    window.resize(1366, HEIGHT)
    tr = plugin("text").tr
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    empty, bubble = panel.empty, panel.tour.bubble

    def shoot(name):
        yield 400
        window.screen().grabWindow(0).save(str(stage.out / f"{name}.png"))

    def is_shown(number):
        return bubble.isVisible() and bubble.place_words.text().startswith(str(number))

    assert not bubble.isVisible(), "the tour starts by itself"
    if stage.arguments.get("again"):  # the second start of Krita
        yield 1000
        assert not bubble.isVisible()
        return {"has_link": empty.link.isVisibleTo(empty)}

    # -- no image ----------------------------------------------------------------------------
    assert empty.example.isVisibleTo(empty)
    assert not empty.part_row.isVisibleTo(empty)
    yield from shoot("no-image")
    seen = {"recent": recent()}
    for action in ("Inpaint: show me around", "Inpaint: open the example portrait"):
        assert menu_action("Tools", "Scripts", tr(action)).isEnabled(), action
    menu_action("Tools", "Scripts", tr("Inpaint: show me around")).trigger()
    yield from until(lambda: is_shown(1), 5, "the first bubble")
    assert bubble.offer.isVisible()
    yield from shoot("tour-no-image")

    # -- the example: a new image without a file, a step or a change ----------------------------
    bubble.offer.click()
    yield from until(lambda: control.state.has_document, 20, "the example")
    yield from until(lambda: app.activeDocument().activeNode() is not None, 10, "its layer")
    document = app.activeDocument()
    document.setBatchmode(True)
    yield 600
    seen["name"], seen["file"] = document.name(), document.fileName()
    seen["modified"], seen["profile"] = document.modified(), document.colorProfile()
    seen["steps"], seen["recent_after"] = history(), recent()
    before, steps_before = pixels(document), history()
    (stage.out / "example.raw").write_bytes(before)
    seen["size"] = [document.width(), document.height()]
    assert is_shown(1)
    assert not bubble.offer.isVisible()
    assert empty.part_row.isVisible()
    beside(bubble, panel)
    yield from shoot("tour-1")

    # -- the keyboard stays with Krita -----------------------------------------------------------
    window.activateWindow()
    canvas = window.findChild(QtWidgets.QMdiArea).activeSubWindow().widget()
    canvas.setFocus()
    focus = QtWidgets.QApplication.focusWidget()
    QtTest.QTest.mouseClick(bubble, QtCore.Qt.MouseButton.LeftButton, pos=bubble.words.pos())
    assert QtWidgets.QApplication.focusWidget() is focus
    assert not bubble.isActiveWindow()

    # -- it follows the docker: into its own window, behind another tab, and back ----------------
    docker.setFloating(True)
    docker.move(500, 100)
    docker.resize(300, 500)
    yield from until(lambda: is_shown(1), 5, "the bubble at a floating docker")
    yield 200
    beside(bubble, panel)
    place = bubble.pos()
    docker.move(560, 130)
    yield from until(lambda: bubble.pos() != place, 5, "the bubble follows")
    docker.setFloating(False)
    yield 300
    layers = next(each for each in app.dockers() if each.objectName() == "KisLayerBox")
    layers.raise_()
    yield from until(lambda: not bubble.isVisible(), 5, "no bubble at a hidden docker")
    docker.raise_()
    yield from until(lambda: is_shown(1), 5, "the bubble is back")
    beside(bubble, panel)

    # -- select: the next bubble ------------------------------------------------------------------
    set_option(docker, candidates=3)
    empty.parts[next(iter(empty.parts))].click()
    yield from until(lambda: is_shown(2), 20, "the second bubble")
    assert "3" in empty.words.text(), empty.words.text()
    beside(bubble, panel)
    yield from shoot("tour-2")
    assert len(history()) == len(steps_before) + 1, history()  # the selection's own
    assert pixels(document) == before
    mask = coverage(document)

    # -- fill: the last one -----------------------------------------------------------------------
    panel.run_row.go.click()
    yield from until(lambda: not bubble.isVisible(), 5, "nothing to press during the run")
    yield from until(lambda: not control.is_busy, 60, "the run")
    no_problem(docker)
    yield from until(lambda: is_shown(3), 5, "the third bubble")
    assert len(history()) == len(steps_before) + 2, history()
    assert outside_is(before, pixels(document), mask)
    assert coverage(document) == mask
    beside(bubble, panel)
    yield from shoot("tour-3")

    # -- Escape closes it, and Krita's keys work ---------------------------------------------------
    canvas.setFocus()
    QtTest.QTest.keyClick(window.windowHandle(), QtCore.Qt.Key.Key_Escape)
    yield from until(lambda: not bubble.isVisible(), 5, "Escape")
    yield 200
    assert control.state.fill_settings.toured
    yield from undo()  # one undo removes everything
    yield from shows(document, before)
    assert len(tree(document)) == 1
    assert coverage(document) == mask
    yield from undo()
    yield from until(lambda: document.selection() is None, 5, "the selection undone")
    assert pixels(document) == before

    # -- again, by the action alone; ✕ closes it ---------------------------------------------------
    menu_action("Tools", "Scripts", tr("Inpaint: show me around")).trigger()
    yield from until(lambda: is_shown(1), 5, "the tour again")
    bubble.next.click()
    yield from until(lambda: is_shown(2), 5, "on with the button")
    bubble.close_button.click()
    yield from until(lambda: not bubble.isVisible(), 5, "the cross")

    # -- an own image is not touched ---------------------------------------------------------------
    menu_action("Tools", "Scripts", tr("Inpaint: open the example portrait")).trigger()
    yield from until(lambda: app.activeDocument() != document, 20, "another example")
    yield 500
    assert not app.activeDocument().modified()
    assert not bubble.isVisible()
    assert not empty.link.isVisibleTo(empty)
    yield from shoot("taken")
    settings = plugin("runs.fill_settings").fill_settings_file().path
    seen["settings"] = settings.read_text("utf-8")
    return seen


def recent():
    """The list of recent files, as its menu shows it."""
    return [each.text() for each in app.action("file_open_recent").menu().actions()]


def beside(bubble, panel):
    """Check that the bubble covers nothing of the docker and stays on the screen."""
    own = bubble.frameGeometry()
    there = QtCore.QRect(panel.mapToGlobal(QtCore.QPoint()), panel.size())
    assert not own.intersects(there), (own, there)
    assert bubble.screen().availableGeometry().contains(own), own
