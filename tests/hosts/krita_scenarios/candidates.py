"""Candidates are added to a run, deleted and kept, each in one undo step."""

from __future__ import annotations

import sys
from importlib import import_module

from studio import (
    QtCore,
    QtWidgets,
    app,
    close,
    coverage,
    history,
    image,
    inpaint,
    no_problem,
    outside_is,
    pixels,
    ready,
    redo,
    save,
    select,
    set_option,
    shows,
    tree,
    undo,
    until,
)

QtGui = sys.modules.get("PyQt5.QtGui") or sys.modules["PyQt6.QtGui"]
WIDTH = 320


def steps(stage):
    docker = yield from ready()
    control, results = docker.controller, docker.panel.results
    document = yield from image(WIDTH, 240)
    control.document_changed()
    set_option(docker, candidates=3)
    yield from select(document, 100, 60, 80, 60)
    mask, before, steps_before = coverage(document), pixels(document), len(history())
    seen = {}

    def color():
        start = 4 * (90 * WIDTH + 140)
        return list(pixels(document)[start : start + 3])

    def seeds():
        return [result.seed for result in control.state.run.results]

    def chosen():
        return control.state.run.results[control.state.run.chosen].seed

    def shows_run(expected, seed, what):
        """After undo or redo, which the docker notices within a second."""
        yield from until(
            lambda: (seeds(), chosen()) == (expected, seed),
            5,
            lambda: f"{what}: {seeds()}, {chosen()}",
        )
        yield 100
        assert (seeds(), chosen()) == (expected, seed), what

    def base_is_active():
        yield from until(lambda: document.activeNode().name() == "Background", 5, "active layer")

    def steps_made():
        assert outside_is(before, pixels(document), mask)
        return len(history()) - steps_before

    # -- more candidates ---------------------------------------------------------------------
    yield from inpaint(docker)
    yield from base_is_active()
    first = pixels(document)
    set_option(docker, candidates=2)
    results.more.click()
    assert control.state.progress.is_running
    yield from until(lambda: not control.is_busy, 60, "more candidates")
    yield from base_is_active()
    no_problem(docker)
    assert (seeds(), chosen()) == ([5, 6, 7, 8, 9], 5)
    assert pixels(document) == first
    assert steps_made() == 2, history()
    results.grid.chosen.emit(4)
    seen["more"] = color()
    with_more = pixels(document)
    layers = tree(document)
    group = next(each for each in layers if each[1] == "grouplayer")
    assert [each[0] for each in group[3]] == [
        "3 · seed 7",
        "2 · seed 6",
        "1 · seed 5",
        "Seed 8 · more",
    ], group
    yield from undo()
    yield from shows_run([5, 6, 7], 7, "the addition undone")
    seen["more undone"] = color()
    yield from redo()
    yield from shows_run([5, 6, 7, 8, 9], 9, "the addition redone")
    yield from shows(document, with_more)

    # -- deleting, with the key: Krita's own Delete would clear pixels -------------------------
    results.grid.chosen.emit(1)
    seen["second"] = color()
    second = pixels(document)
    docker.panel.window().activateWindow()
    results.grid.setFocus()
    yield from until(lambda: QtWidgets.QApplication.focusWidget() is results.grid, 5, "the focus")
    base = document.topLevelNodes()[0]
    untouched = bytes(base.pixelData(0, 0, WIDTH, 240))
    press(results.grid, QtCore.Qt.Key.Key_Delete)
    yield 200
    assert bytes(base.pixelData(0, 0, WIDTH, 240)) == untouched, "Krita took the key"
    assert (seeds(), chosen()) == ([5, 7, 8, 9], 7)
    seen["its neighbor"] = color()
    assert steps_made() == 3, history()
    yield from undo()
    yield from shows_run([5, 6, 7, 8, 9], 6, "the deletion undone")
    yield from shows(document, second)
    yield from redo()
    yield from shows_run([5, 7, 8, 9], 7, "the deletion redone")

    # -- keeping what is starred -------------------------------------------------------------
    results.grid.chosen.emit(3)
    for place in (0, 3):
        results.grid.starred.emit(place)
    assert results.keep.text() == "Keep starred (2)", results.keep.text()
    starred = pixels(document)
    run_group = control._session.document.find(control.state.run.group)
    run_group.setOpacity(128)
    faded = tree(document)
    results.keep.click()
    yield from until(lambda: control.state.notice is not None, 5, "the refusal")
    assert "opacity" in control.state.notice.text, control.state.notice
    assert tree(document) == faded
    control.dismiss()
    run_group.setOpacity(255)
    document.refreshProjection()
    yield from shows(document, starred)
    document.setActiveNode(base)  # redo made a neighbor of the deleted layer the active one
    yield from base_is_active()
    results.keep.click()
    yield from until(lambda: control.state.run_is_kept, 10, "keep")
    yield 1000
    yield from base_is_active()
    no_problem(docker)
    kept = tree(document)
    assert [each[1] for each in kept] == ["paintlayer"] * 3, kept
    assert sorted(each[0].split(" · ")[0] for each in kept[1:]) == ["Seed 5", "Seed 9"], kept
    assert [each[2] for each in kept if "Seed" in each[0]].count(True) == 1, kept
    assert steps_made() == 4, history()
    yield from shows(document, starred)
    assert (seeds(), chosen()) == ([5, 9], 9)
    save(document, stage.out / "kept.kra")
    yield from undo()
    yield from shows_run([5, 7, 8, 9], 9, "keep undone")
    yield from shows(document, starred)
    yield from redo()
    yield from shows_run([5, 9], 9, "keep redone")
    yield from shows(document, starred)

    # -- all the way back, and all the way there ---------------------------------------------
    for _ in range(4):
        yield from undo()
    yield from shows(document, before)
    assert [each[0] for each in tree(document)] == ["Background"], tree(document)
    for _ in range(4):
        yield from redo()
    yield from until(lambda: len(tree(document)) == 3, 5, "all redone")
    yield from until(lambda: chosen() == 9, 5)
    yield from shows(document, starred)
    assert sorted(each[0].split(" · ")[0] for each in tree(document)[1:]) == ["Seed 5", "Seed 9"]

    # -- a kept one can still be edited ------------------------------------------------------
    results.grid.chosen.emit(0)
    seen["kept"] = color()
    docker.panel.edits.sliders["smile"].spin.setValue(1.0)
    yield from until(lambda: control.state.run.results[0].edits, 20, "the slider")
    yield 100
    seen["kept and edited"] = color()
    yield 1000  # Krita crashes if its layers docker still has something to redraw
    yield from close(document)
    again = app.openDocument(str(stage.out / "kept.kra"))
    app.activeWindow().addView(again)
    yield from until(lambda: control.state.run is not None, what="the run from the file")
    seen["from the file"] = seeds()
    return seen


def press(widget, key):
    """A key as the keyboard sends it: as a shortcut first."""
    QtTest = import_module(QtGui.__name__.replace("QtGui", "QtTest"))
    QtTest.QTest.keyClick(widget, key)
