"""The daemon dies in the middle of a fill, and another one takes over."""

from __future__ import annotations

import os
import signal

from studio import (
    coverage,
    history,
    image,
    outside_is,
    pixels,
    ready,
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
    set_option(docker, candidates=5)
    yield from select(document, 120, 80, 100, 90, feather=3)
    mask, before, steps_before = coverage(document), pixels(document), history()

    control.run()
    yield from until(lambda: control.state.progress.done >= 2, what="the second candidate")
    os.kill(stage.arguments["pid"], signal.SIGKILL)
    yield from until(lambda: not control.is_busy, 60, what="the end of the run")
    yield from until(lambda: control.state.notice is not None, 10, what="the notice")
    yield 300
    notice, results = control.state.notice, control.state.run.results
    layers = tree(document)
    panel.window().grab().save(str(stage.out / "resumed.png"))
    assert outside_is(before, pixels(document), mask)
    assert len(history()) == len(steps_before) + 1, history()
    yield from undo()
    yield from shows(document, before)
    return {
        "notice": notice.text,
        "is_problem": notice.is_problem,
        "seeds": [result.seed for result in results],
        "layers": len(layers[1][3]),
        "groups": len(layers),
    }
