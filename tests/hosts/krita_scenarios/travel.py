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
    at, done = {}, []
    turns, drawings = [0.0], [0.0]  # of the plug-in without Krita's drawings, and these
    computing, drawing_cpu = [0.0], [0.0]  # the CPU time of both, which no other program lengthens

    def time_turns(owner, name):
        """Time every call of a method in which the plug-in blocks the window."""
        method = getattr(owner, name)

        def timed(*args):
            began, drawn = time.perf_counter(), sum(drawings)
            used, drawn_cpu = time.thread_time(), sum(drawing_cpu)
            try:
                return method(*args)
            finally:
                turns.append(time.perf_counter() - began - (sum(drawings) - drawn))
                computing.append(time.thread_time() - used - (sum(drawing_cpu) - drawn_cpu))

        setattr(owner, name, timed)

    def time_drawing(owner, name):
        """Time a call in which Krita draws the entire image."""
        method = getattr(owner, name)

        def timed(*args):
            began, used = time.perf_counter(), time.thread_time()
            try:
                return method(*args)
            finally:
                drawings.append(time.perf_counter() - began)
                drawing_cpu.append(time.thread_time() - used)

        setattr(owner, name, timed)

    run_of = plugin("runs.run_fill").FillRun
    handle = run_of._handle

    def handled(self, message):
        if isinstance(message, client("events").Accepted):
            at.setdefault("sent", time.perf_counter())
        if isinstance(message, client("events").Done):
            done.append(message)
        handle(self, message)

    run_of._handle = handled
    for owner, name in (
        (run_of, "_handle"),
        (plugin("runs.cooperative_task").CooperativeTask, "_step"),
        (type(control), "run"),
        (type(control), "choose"),
        (plugin("app.sliders").Sliders, "_take_rendered"),
    ):
        time_turns(owner, name)
    for name in ("insert_run", "refresh"):
        time_drawing(plugin("host.document").KritaDocument, name)
    session_of = plugin("app.session").DocumentSession
    arrived = session_of._take_arrived

    def noted(self, position):
        at.setdefault("first", time.perf_counter())
        at["last"] = time.perf_counter()
        arrived(self, position)

    session_of._take_arrived = noted
    started = time.perf_counter()
    control.run()
    yield from until(lambda: not control.is_busy, 300, "the run")
    yield from until(lambda: None not in control.state.strip.thumbnails, 60, "the thumbnails")
    control.choose(1)
    control.edit(control.state.model.directions[0].name, 0.5)
    yield from until(lambda: not control.is_busy, 300, "the edit")
    yield 200
    return {
        **{name: moment - started for name, moment in at.items()},
        "blocked_ms": 1000 * max(turns),
        "computing_ms": 1000 * max(computing),
        "drawing_ms": 1000 * max(drawings),
        "daemon_first_ms": done[0].first_candidate_ms,
        "daemon_total_ms": done[0].total_ms,
    }
