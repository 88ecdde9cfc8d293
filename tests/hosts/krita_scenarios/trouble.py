"""Cancelling, and a daemon that dies in the middle."""

from __future__ import annotations

import os
import signal
import time

from studio import (
    app,
    coverage,
    history,
    image,
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


def steps(stage):
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = yield from image(400, 300)
    control.document_changed()
    set_option(docker, candidates=6)
    yield from select(document, 120, 80, 100, 90, feather=3)
    mask, before, steps_before = coverage(document), pixels(document), history()

    def drawn(state=None):
        return [each is not None for each in (state or control.state).strip.thumbnails]

    # -- cancel after the first candidate ------------------------------------------------------
    control.run()
    yield from until(lambda: control.state.progress.done >= 1, what="the first candidate")
    yield from until(lambda: len(tree(document)) == 2, 5, "the layers")
    assert panel.run_row.stop.isVisible()
    assert panel.run_row.words.text()
    assert len(tree(document)[1][3]) == 6
    yield from until(lambda: pixels(document) != before, 5, "the first candidate on the canvas")
    assert control.state.progress.is_running
    first = pixels(document)
    yield from until(lambda: any(drawn()[:1]), 5, "the thumbnail")
    blank = []
    control.state_changed.connect(lambda state: blank.append(drawn(state)[0] is False))
    started = time.monotonic()
    panel.run_row.stop.clicked.emit()
    took = time.monotonic() - started
    assert not control.state.progress.is_running
    assert panel.run_row.go.isVisible()
    yield from until(lambda: not control.is_busy, 5, "the last write")
    yield 300
    arrived = len(control.state.run.results)
    assert 1 <= arrived < 6
    assert blank
    assert not any(blank), "cancel made a thumbnail blank"
    assert len(tree(document)[1][3]) == arrived, tree(document)
    assert pixels(document) == first
    assert outside_is(before, first, mask)
    assert "Canceled" in control.state.notice.text
    assert len(history()) == len(steps_before) + 1, history()
    yield from undo()
    yield from shows(document, before)
    yield from redo()
    yield from shows(document, first)
    assert len(tree(document)[1][3]) == arrived
    yield from undo()

    # -- cancel before anything came ------------------------------------------------------------
    control.run()
    control.cancel()
    yield 300
    assert pixels(document) == before
    assert not control.state.progress.is_running

    # -- killed in the middle --------------------------------------------------------------------
    control.run()
    yield from until(lambda: control.state.progress.done >= 1, what="the first candidate")
    os.kill(stage.arguments["pid"], signal.SIGKILL)
    yield from until(lambda: not control.is_busy, what="the end of the run")
    yield 200
    notice = control.state.notice
    assert notice.is_problem, notice
    assert "Traceback" not in notice.text, notice
    assert panel.status.button.isVisible(), panel.status.words.text()
    after = pixels(document)
    assert after != before
    assert outside_is(before, after, mask)
    app.activeWindow().qwindow().grab().save(str(stage.out / "killed.png"))

    # -- the next run shows it, too, in one sentence ---------------------------------------------
    control.run()
    yield from until(lambda: not control.is_busy, 60, what="the end of the run")
    yield 100
    assert control.state.notice.is_problem
    return {"cancel_s": took, "arrived": arrived, "notice": notice.text}
