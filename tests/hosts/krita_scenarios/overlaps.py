"""Fill, and fill again where it overlaps: what was made last is seen, also after undo and redo."""

from __future__ import annotations

from studio import (
    coverage,
    image,
    inpaint,
    outside_is,
    pixels,
    ready,
    redo,
    select,
    set_option,
    shows,
    tree,
    undo,
    until,
)

WIDTH = 320


def steps(stage):
    docker = yield from ready()
    control, grid = docker.controller, docker.panel.results.grid
    document = yield from image(WIDTH, 240)
    control.document_changed()
    base = document.topLevelNodes()[0]

    def color(x=140, y=90):
        start = 4 * (y * WIDTH + x)
        return list(pixels(document)[start : start + 3])

    def fill(seed, *box):
        set_option(docker, candidates=2, seed=seed)
        yield from select(document, *box)
        yield from inpaint(docker)

    def names():
        return [each[0].split(" ")[:2][-1] for each in tree(document)]

    def activate(node):
        document.setActiveNode(node)
        yield from until(lambda: document.activeNode().name() == node.name())

    seen = {}
    yield from fill(5, 100, 60, 80, 60)
    seen["first"] = color()
    first_only = pixels(document)

    # -- the same selection again ------------------------------------------------------------
    yield from activate(base)
    yield from fill(7, 100, 60, 80, 60)
    assert names() == ["Background", "5", "7"], names()
    seen["second"] = color()
    grid.chosen.emit(1)
    seen["another candidate"] = color()
    grid.chosen.emit(0)
    second = pixels(document)
    yield from undo()
    yield from shows(document, first_only)
    yield from redo()
    yield from shows(document, second)

    # -- a part of it, with a layer of the first run active, after undo and redo -----------------
    first_run = next(run for run in control.state.runs if run.seeds[0] == 5)
    yield from activate(control._session.document.find(first_run.results[0].layer))
    yield from fill(9, 120, 70, 100, 80)
    assert names() == ["Background", "5", "7", "9"], names()
    mask = coverage(document)
    assert outside_is(second, pixels(document), mask)
    seen["third"] = color()
    grid.chosen.emit(1)
    seen["another candidate of the third"] = color()

    # -- elsewhere: above the active layer, as ever ------------------------------------------
    yield from activate(base)
    yield from fill(11, 10, 150, 50, 40)
    assert names() == ["Background", "11", "5", "7", "9"], names()
    seen["elsewhere"] = color(30, 170)

    # -- what was kept is an earlier fill, too -----------------------------------------------
    docker.panel.results.keep.clicked.emit()
    yield from until(lambda: control.state.run.kept, what="keep")
    yield from activate(base)
    yield from fill(13, 10, 150, 50, 40)
    assert names() == ["Background", "11", "13", "5", "7", "9"], names()
    seen["above the kept one"] = color(30, 170)
    return seen
