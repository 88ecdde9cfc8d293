"""Several documents and views; closing one, or deleting its layers, during a run."""

from __future__ import annotations

from studio import (
    app,
    close,
    coverage,
    image,
    inpaint,
    outside_is,
    pixels,
    ready,
    select,
    set_option,
    tree,
    until,
)


def steps(stage):
    docker = yield from ready()
    control = docker.controller
    set_option(docker, candidates=3)

    # -- a run continues in its own document while the artist works in another -------------------
    first = yield from image(300, 200)
    yield from select(first, 60, 50, 80, 70)
    mask, before = coverage(first), pixels(first)
    control.document_changed()
    control.run()
    yield from until(lambda: control.state.progress.is_running)
    second = yield from image(260, 240)
    control.document_changed()
    assert not control.state.progress.is_running
    assert control.state.run is None
    untouched = pixels(second)
    sessions = control._sessions
    yield from until(lambda: all(each.fill is None for each in sessions), 60, "the run")
    assert pixels(second) == untouched
    assert len(tree(second)) == 1
    assert len(tree(first)) == 2
    after = pixels(first)
    assert after != before
    assert outside_is(before, after, mask)

    # -- two views of one document are one session -------------------------------------------------
    app.activeWindow().addView(first)
    yield 300
    control.document_changed()
    assert len(control._sessions) == 2
    assert len(control.state.runs) == 1

    # -- the layer that the result goes above is deleted in the middle ---------------------------
    yield from close(second)
    extra = first.createNode("extra", "paintlayer")
    first.rootNode().addChildNode(extra, None)
    first.setActiveNode(extra)
    yield 300
    control.document_changed()
    control.run()
    yield from until(lambda: control.state.progress.is_running)
    extra.remove()
    yield from until(lambda: not control.is_busy, 60, "the run")
    assert len(control.state.runs) == 2
    assert control.state.run_is_attached

    # -- closed in the middle ----------------------------------------------------------------------
    control.run()
    yield from until(lambda: control.state.progress.done >= 1, 60, "the first candidate")
    yield from close(first)
    yield 1500
    control.document_changed()
    assert control._sessions == []
    assert not control.state.has_document
    third = yield from image(200, 160)
    yield from select(third, 60, 50, 80, 70)
    control.document_changed()
    yield from inpaint(docker)
    return len(tree(third))
