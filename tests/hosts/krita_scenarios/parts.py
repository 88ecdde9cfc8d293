"""Parts of faces: selected from the docker and from the menu, undone, and not found."""

from __future__ import annotations

from studio import (
    app,
    coverage,
    history,
    image,
    menu_action,
    plugin,
    ready,
    redo,
    select,
    undo,
    until,
)

WIDTH, HEIGHT = 2000, 801


def steps(stage):
    tr = plugin("text").tr
    docker = yield from ready()
    control, button = docker.controller, docker.panel.form.select
    document = yield from image(WIDTH, HEIGHT)
    control.document_changed()
    yield from select(document, 10, 20, 300, 200, feather=5)
    own = coverage(document)
    before = history()

    # -- from the docker: one step, and its undo brings back what was selected ----------------
    entry = next(each for each in button.menu().actions() if each.text() == tr("Hair"))
    entry.trigger()
    assert not button.isEnabled()
    assert not docker.panel.run_row.go.isEnabled()
    assert docker.panel.status.words.text() == tr("Finding the faces…")
    yield from finished(control)
    hair = coverage(document)
    assert hair != own
    (stage.out / "hair.raw").write_bytes(hair)
    assert len(history()) == len(before) + 1, history()
    yield from undo()
    yield from until(lambda: coverage(document) == own, 5, "the artist's own selection")
    yield from redo()

    # -- from the menu, with nothing selected ----------------
    document.setSelection(None)
    yield 100
    before = history()
    menu_action("Tools", "Scripts", tr("Inpaint: select eyes")).trigger()
    yield from finished(control)
    (stage.out / "eyes.raw").write_bytes(coverage(document))
    yield from undo()
    yield from until(lambda: document.selection() is None, 5, "nothing selected again")

    # -- a document whose size changes meanwhile keeps its selection ----------------------------
    yield from select(document, 10, 20, 300, 200)
    control.select(part("MOUTH"))
    document.crop(0, 0, WIDTH - 1, HEIGHT)
    yield from finished(control)
    selection = document.selection()
    box = (selection.x(), selection.y(), selection.width(), selection.height())
    assert box == (10, 20, 300, 200), box

    # -- no face -----------------------------------------------------------------------------
    plain = app.createDocument(64, 64, "plain", "RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc", 300.0)
    plain.setBatchmode(True)
    app.activeWindow().addView(plain)
    yield from until(lambda: plain.activeNode() is not None, what="active node")
    yield 200
    control.select(part("SKIN"))
    yield from until(lambda: not control.state.is_selecting, what="the answer")
    assert "No face" in control.state.notice.text, control.state.notice
    assert plain.selection() is None


def part(name):
    return plugin("_vendor.inpaint_client.segments").Part[name]


def finished(control):
    assert control.state.is_selecting, control.state.notice
    yield from until(lambda: not control.state.is_selecting, what="the selection")
    assert control.state.notice is None, control.state.notice
    yield 200
