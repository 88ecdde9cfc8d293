"""Select a part of a portrait and fill it, from two menu entries; `benchmarks.parts` times it."""

from __future__ import annotations

import time

from studio import (
    app,
    coverage,
    history,
    menu_action,
    no_problem,
    outside_is,
    pixels,
    plugin,
    ready,
    save,
    set_option,
    show,
    tree,
    undo,
    until,
)


def steps(stage):
    docker = yield from ready()
    control = docker.controller
    times = []
    for part in stage.arguments["parts"]:
        times.append((yield from once(stage, docker, part)))
    return {"times": times, "model": control.state.model.name}


def once(stage, docker, part):
    """Return the seconds from the first click to the selection, the first layer and the last."""
    control = docker.controller
    tr = plugin("text").tr
    document = app.openDocument(str(stage.out / "image.png"))
    yield from show(document)
    control.document_changed()
    set_option(docker, candidates=4)
    yield 1000
    before, known = history(), pixels(document)
    clicked = time.perf_counter()
    menu_action("Tools", "Scripts", tr(f"Inpaint: select {part}")).trigger()
    assert control.state.is_selecting, control.state.notice
    yield from until(lambda: not control.state.is_selecting, 60, "the selection")
    selected = time.perf_counter() - clicked
    assert control.state.notice is None, control.state.notice
    assert len(history()) == len(before) + 1, history()
    menu_action("Tools", "Scripts", "Inpaint (StyleGAN)").trigger()
    assert control.state.progress.is_running, control.state.notice
    yield from until(lambda: control.state.progress.done or not control.is_busy, 90, "a candidate")
    first = time.perf_counter() - clicked
    yield from until(lambda: not control.is_busy, 90, "the run")
    filled = time.perf_counter() - clicked
    yield 100
    no_problem(docker)
    assert len(history()) == len(before) + 2, history()
    mask, after = coverage(document), pixels(document)
    (stage.out / f"{part}.raw").write_bytes(mask)
    assert after != known
    assert outside_is(known, after, mask), "pixels outside the part changed"
    assert len(tree(document)[-1][3]) == 4, tree(document)
    save(document, stage.out / f"{part}.kra")
    yield from undo()
    yield from until(lambda: pixels(document) == known, 10, "the portrait")
    document.setModified(False)
    document.close()
    yield 300
    return {"part": part, "selected_s": selected, "first_s": first, "filled_s": filled}
