"""How long the window stands still while a 4096 px document is read, filled and edited."""

from __future__ import annotations

import time
from pathlib import Path

from studio import QtCore, app, plugin, ready, select, set_option, show, until

SIDE = 4096


class Clock(QtCore.QObject):
    """The longest time between two turns of the event loop, for each stage of a run."""

    def __init__(self, stage_of, log):
        super().__init__()
        self.log = log
        self._stage_of = stage_of
        self._stage = stage_of()
        self._last = time.perf_counter()
        self.worst = {}
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._tick)
        self._timer.start(2)

    def stop(self):
        self._timer.stop()

    def _tick(self):
        now = time.perf_counter()
        if self._stage_of() != self._stage:
            self.log(self._stage_of())
        for stage in {self._stage, self._stage_of()}:
            self.worst[stage] = max(self.worst.get(stage, 0.0), 1000 * (now - self._last))
        self._stage, self._last = self._stage_of(), now


def place_of(generator):
    """Where a generator waits, innermost: file and line."""
    while getattr(generator, "gi_yieldfrom", None) is not None:
        generator = generator.gi_yieldfrom
    frame = getattr(generator, "gi_frame", None)
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}" if frame else "the end"


def steps(stage):
    docker = yield from ready()
    control = docker.controller
    document = app.createDocument(
        SIDE, SIDE, "large", "RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc", 300.0
    )
    yield from show(document)
    control.document_changed()
    set_option(docker, candidates=3)
    yield from select(document, 1500, 1500, 1000, 1000, feather=8)
    yield 1000
    # What Krita itself takes for the two calls that cannot be cut into strips.
    layer = document.createNode("trial", "paintlayer")
    started = time.perf_counter()
    document.rootNode().addChildNode(layer, None)
    add_ms = 1000 * (time.perf_counter() - started)
    started = time.perf_counter()
    document.refreshProjection()
    refresh_ms = 1000 * (time.perf_counter() - started)
    yield 500

    idle = Clock(lambda: "idle", stage.log)
    yield 4000
    idle.stop()

    turns = []
    steps_of = plugin("runs.cooperative_task").CooperativeTask
    go_on = steps_of._go_on

    def timed(self):
        started, before = time.perf_counter(), place_of(self._generator)
        try:
            return go_on(self)
        finally:
            took = 1000 * (time.perf_counter() - started)
            turns.append((took, f"{before} to {place_of(self._generator)}"))

    steps_of._go_on = timed
    clock = Clock(lambda: control.state.progress.stage.name, stage.log)
    control.run()
    yield from until(lambda: not control.is_busy, 120, "the run")
    yield 200
    steps_of._go_on = go_on
    return {
        "idle_ms": idle.worst["idle"],
        "longest_turn_ms": max(turns)[0],
        "longest_turns": sorted(turns, reverse=True)[:5],
        "turns": len(turns),
        "gaps_ms": clock.worst,
        "add_layer_ms": add_ms,
        "refresh_ms": refresh_ms,
    }
