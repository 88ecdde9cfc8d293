"""A first start on 1366 x 768: the docker's place, its width, its actions and its own undo."""

from __future__ import annotations

import sys
from importlib import import_module

from studio import (
    QtCore,
    QtWidgets,
    app,
    history,
    image,
    inpaint,
    menu_action,
    pixels,
    plugin,
    ready,
    select,
    set_option,
    until,
)

QtGui = sys.modules.get("PyQt5.QtGui") or sys.modules["PyQt6.QtGui"]
ACTIONS = (
    "Inpaint (StyleGAN)",
    "Inpaint: cancel",
    "Inpaint: next candidate",
    "Inpaint: previous candidate",
    "Inpaint: more candidates",
    "Inpaint: keep candidates",
    "Inpaint several…",
    "Inpaint: save contact sheet…",
    "Inpaint: show me around",
    "Inpaint: open the example portrait",
    "Inpaint: select hair",
    "Inpaint: select skin",
    "Inpaint: select eyes",
    "Inpaint: select brows",
    "Inpaint: select mouth",
    "Inpaint: select glasses",
    "Inpaint: select background",
)
HEIGHT = 728  # what a task bar leaves


def steps(stage):
    tr = plugin("text").tr
    window = app.activeWindow().qwindow()
    window.move(0, 0)
    window.resize(1366, HEIGHT)
    document = yield from image()
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    layers = next(each for each in app.dockers() if each.objectName() == "KisLayerBox")
    yield from until(lambda: docker in window.tabifiedDockWidgets(layers), 5, "a tab at Layers")
    yield 500
    seen = {"height": docker.height(), "width": docker.width()}
    assert docker.isVisible()
    assert not docker.visibleRegion().isEmpty(), "another tab is in front"
    window.grab().save(str(stage.out / "first.png"))

    # -- every action is in the menu, and no default shortcut is anybody else's ----------------
    ours = [menu_action("Tools", "Scripts", tr(text)) for text in ACTIONS]
    seen["shortcuts"] = [each.shortcut().toString() for each in ours]
    taken = [each for each in app.actions() if each not in ours]
    for action in ours:
        for other in taken:
            if not action.shortcut().isEmpty() and other.objectName() != action.objectName():
                assert action.shortcut() not in other.shortcuts(), other.text()

    # -- narrow ------------------------------------------------------------------------------
    for each in app.dockers():
        if each not in (docker, layers) and window.dockWidgetArea(each) == 2:
            each.setVisible(False)
    control.document_changed()
    set_option(docker, candidates=3, sections_closed="")
    yield from select(document, 200, 150, 180, 160)
    yield from inpaint(docker)
    window.resizeDocks([docker], [240], QtCore.Qt.Orientation.Horizontal)
    yield 500
    seen["narrow"] = docker.width()
    area, inner = panel._scroll.viewport(), panel._scroll.widget()
    assert inner.width() <= area.width()
    assert inner.minimumSizeHint().width() <= area.width()
    sliders = [each for each in panel.findChildren(QtWidgets.QSlider) if each.isVisible()]
    seen["slider"] = min(each.width() for each in sliders)
    bar = panel._scroll.verticalScrollBar()
    for name, place in (("top", 0), ("bottom", bar.maximum())):
        bar.setValue(place)
        yield 200
        window.grab().save(str(stage.out / f"narrow-{name}.png"))

    # -- what the button will do ---------------------------------------------------------------
    tip, go = panel.frame_tip, panel.run_row.go
    for context in ("auto", "box"):
        set_option(docker, context=context)
        place = go.rect().center()
        event = QtGui.QHelpEvent(QtCore.QEvent.Type.ToolTip, place, go.mapToGlobal(place))
        QtWidgets.QApplication.sendEvent(go, event)
        assert tip.isVisible()
        assert (tip.image.frame.side > 0) == (context == "box")
        yield 200
        window.screen().grabWindow(0).save(str(stage.out / f"tip-{context}.png"))
    set_option(docker, context="auto")
    QtWidgets.QApplication.sendEvent(go, QtCore.QEvent(QtCore.QEvent.Type.Leave))
    assert not tip.isVisible()

    # -- the actions act ----------------------------------------------------------------------
    first = pixels(document)
    ours[2].trigger()
    yield 100
    assert control.state.run.chosen == 1
    assert pixels(document) != first
    ours[3].trigger()
    yield 100
    assert control.state.run.chosen == 0

    # -- Ctrl+Z in the docker undoes the slider, then Krita's step -------------------------------
    steps_before = history()
    window.activateWindow()
    slider = panel.edits.sliders["smile"]
    slider.spin.setValue(1.0)
    yield from until(lambda: control.state.run.results[0].edits, 20, "the edit")
    yield from until(lambda: not control.is_busy, 20)
    edited = pixels(document)
    assert edited != first
    panel.results.grid.setFocus()
    yield from until(panel.results.grid.hasFocus, 5, "the focus")
    press(panel.results.grid, QtCore.Qt.KeyboardModifier.ControlModifier)
    yield from until(lambda: pixels(document) == first, 10, "the slider taken back")
    assert control.state.run_is_attached
    press(
        panel.results.grid,
        QtCore.Qt.KeyboardModifier.ControlModifier | QtCore.Qt.KeyboardModifier.ShiftModifier,
    )
    yield from until(lambda: pixels(document) == edited, 10, "the slider set again")
    assert history() == steps_before
    press(panel.results.grid, QtCore.Qt.KeyboardModifier.ControlModifier)
    yield from until(lambda: pixels(document) == first, 10, "the slider taken back")
    press(panel.results.grid, QtCore.Qt.KeyboardModifier.ControlModifier)
    yield from until(lambda: not control.state.run_is_attached, 10, "Krita's own undo")

    # -- a place that the artist chose stays ----------------------------------------------------
    docker.setFloating(True)
    docker.setVisible(False)
    yield 200
    docker.setVisible(True)
    yield 500
    assert docker.isFloating()
    return seen


def press(widget, modifiers):
    """Z as the keyboard sends it: as a shortcut first."""
    QtTest = import_module(QtCore.__name__.replace("QtCore", "QtTest"))
    QtTest.QTest.keyClick(widget, QtCore.Qt.Key.Key_Z, modifiers)
