"""An artist's session: select, fill, view, undo, edit, star, compare, keep, save, reopen."""

from __future__ import annotations

from studio import (
    app,
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
    show,
    shows,
    tree,
    undo,
    until,
)


def steps(stage):
    docker = yield from ready()
    control, panel = docker.controller, docker.panel
    document = yield from image()
    control.document_changed()
    set_option(docker, candidates=3, smooth="always")
    yield from select(document, 200, 150, 180, 160, feather=6)
    mask, before, steps_before = coverage(document), pixels(document), history()
    (stage.out / "mask.raw").write_bytes(mask)
    (stage.out / "before.raw").write_bytes(before)

    # -- fill --------------------------------------------------------------------------------
    yield from inpaint(docker)
    state = control.state
    no_problem(docker)
    layers = tree(document)
    assert len(layers) == 2, layers
    name, kind, visible, children = layers[1]
    assert (kind, visible) == ("grouplayer", True), layers
    assert "Seed 5" in name, layers
    names = ["4 · smooth", "3 · seed 7", "2 · seed 6", "1 · seed 5"]
    assert [child[0] for child in children] == names, children
    assert [child[2] for child in children] == [False, False, False, True], children
    yield from until(lambda: document.activeNode().name() == layers[0][0], 5, "the active layer")
    filled = pixels(document)
    assert filled != before
    assert outside_is(before, filled, mask), "pixels outside the selection changed"
    assert len(history()) == len(steps_before) + 1, history()
    save(document, stage.out / "filled.kra")
    results = [[each.seed, each.recipe] for each in state.run.results]

    # -- one undo, one redo ------------------------------------------------------------------
    yield from undo()
    yield from shows(document, before)
    assert len(tree(document)) == 1
    control._check_document()
    assert not control.state.run_is_attached
    assert "Krita can restore it" in panel.results.note.text()
    assert not panel.results.grid.isEnabled()
    yield from redo()
    yield from shows(document, filled)
    assert tree(document) == layers
    control._check_document()
    assert control.state.run_is_attached

    # -- the smooth candidate: nothing changes it --------------------------------------------
    panel.results.grid.chosen.emit(3)
    yield 50
    smooth = pixels(document)
    assert smooth not in (before, filled)
    assert outside_is(before, smooth, mask)
    sliders = list(panel.edits.sliders.values())
    assert not any(slider.isEnabled() for slider in sliders)
    assert not panel.mix.other.isEnabled()
    assert "without the model" in panel.edits._empty.text(), panel.edits._empty.text()
    panel.results.grid.chosen.emit(0)
    yield 50
    assert pixels(document) == filled
    assert all(slider.isEnabled() for slider in sliders)

    # -- another candidate, stars, compare ---------------------------------------------------
    panel.results.grid.chosen.emit(1)
    second = pixels(document)
    assert second != filled
    assert outside_is(before, second, mask)
    panel.results.grid.starred.emit(1)
    assert [each.starred for each in control.state.run.results] == [False, True, False, False]
    panel.results.compare.pressed.emit()
    yield 50
    assert pixels(document) == before
    panel.results.compare.released.emit()
    yield 50
    assert pixels(document) == second

    # -- a slider ----------------------------------------------------------------------------
    name = stage.arguments["slider"]
    panel.edits.sliders[name].spin.setValue(1.0)
    yield from until(lambda: control.state.run.results[1].edits, what="the edited rendering")
    yield 100
    edited = pixels(document)
    assert edited != second
    assert outside_is(before, edited, mask)
    no_problem(docker)
    assert len(history()) == len(steps_before) + 1, history()
    yield 6000  # the watch that keeps the artist's layer the active one after a run is over
    yield from undo()
    yield from shows(document, before)
    yield from until(lambda: not control.state.run_is_attached, 5, "the undo is noticed")
    yield from redo()
    yield from shows(document, edited)
    yield from until(lambda: document.activeNode().name() == "2 · seed 6", 5, "the candidate")
    document.setActiveNode(document.topLevelNodes()[0])
    save(document, stage.out / "edited.kra")

    # -- keep, and undo that -----------------------------------------------------------------
    panel.results.keep.clicked.emit()
    yield from until(lambda: control.state.run.kept, what="keep")
    yield 100
    assert pixels(document) == edited
    kept = tree(document)
    assert [each[1] for each in kept] == ["paintlayer", "paintlayer"], kept
    assert "Seed 6" in kept[1][0], kept
    assert len(history()) == len(steps_before) + 2, history()
    save(document, stage.out / "kept.kra")
    yield from undo()
    assert len(tree(document)[1][3]) == 4
    yield from shows(document, edited)
    yield from redo()
    yield from shows(document, edited)
    assert len(tree(document)[1][3]) == 0

    # -- close, reopen, continue with the slider ---------------------------------------------
    save(document, stage.out / "kept.kra")
    document.close()
    yield 300
    again = app.openDocument(str(stage.out / "kept.kra"))
    yield from show(again)
    yield from until(lambda: control.state.run is not None, what="the run from the file")
    run = control.state.run
    assert [each.seed for each in run.results] == [6]  # the others are gone for good
    assert panel.results.note.text() == "One candidate was kept."
    yield from until(lambda: None not in control.state.strip.thumbnails, 10, "the thumbnail")
    assert control.state.edits == {name: 1.0}, control.state.edits
    assert panel.edits.sliders[name].value == 1.0
    reopened = pixels(again)
    panel.edits.sliders[name].spin.setValue(-1.0)
    yield from until(
        lambda: list(control.state.run.results[0].edits.values()) == [-1.0],
        what="the rendering from the recipe",
    )
    yield 100
    no_problem(docker)
    changed = pixels(again)
    assert changed != reopened
    assert outside_is(before, changed, mask)
    return {"results": results, "layers": layers, "size": [again.width(), again.height()]}
