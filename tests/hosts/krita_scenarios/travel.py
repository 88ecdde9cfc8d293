"""How long a fill of a given image takes, and the plug-in's part in it; `benchmarks.travel`."""

from __future__ import annotations

import time

from studio import QtCore, app, client, plugin, ready, select, set_option, show, until


def steps(stage):
    docker = yield from ready()
    control = docker.controller
    # Not opened from the file: of a PNG of 16 bits without a profile Krita asks what it means.
    side, depth = stage.arguments["side"], stage.arguments["depth"]
    document = app.createDocument(
        side, side, "image", "RGBA", depth, "sRGB-elle-V2-srgbtrc.icc", 300.0
    )
    data = QtCore.QByteArray((stage.out / "image.bgra").read_bytes())
    document.topLevelNodes()[0].setPixelData(data, 0, 0, side, side)
    document.refreshProjection()
    document.waitForDone()
    yield from show(document)
    control.document_changed()
    set_option(docker, candidates=4)
    yield from select(document, *stage.arguments["box"], feather=16)
    yield 2000
    at, turns, done = {}, [0.0], []

    steps_of = plugin("runs.cooperative_task").CooperativeTask
    go_on = steps_of._go_on

    def timed(self):
        started = time.perf_counter()
        try:
            return go_on(self)
        finally:
            turns.append(time.perf_counter() - started)

    steps_of._go_on = timed
    run_of = plugin("runs.run_fill").FillRun
    handle = run_of._handle

    def handled(self, message):
        if isinstance(message, client("events").Accepted):
            at.setdefault("sent", time.perf_counter())
        if isinstance(message, client("events").Done):
            done.append(message)
        began = time.perf_counter()
        handle(self, message)
        turns.append(time.perf_counter() - began)

    run_of._handle = handled
    session_of = plugin("app.session").DocumentSession
    arrived = session_of._take_arrived

    def noted(self, position):
        at.setdefault("first", time.perf_counter())
        at["last"] = time.perf_counter()
        arrived(self, position)

    session_of._take_arrived = noted
    started = time.perf_counter()
    control.run()
    turns.append(time.perf_counter() - started)
    yield from until(lambda: not control.is_busy, 300, "the run")
    yield 200
    return {
        **{name: moment - started for name, moment in at.items()},
        "blocked_ms": 1000 * max(turns),
        "daemon_first_ms": done[0].first_candidate_ms,
        "daemon_total_ms": done[0].total_ms,
    }
