"""For any selection and active layer: the result that an artist expects, or a notice."""

from __future__ import annotations

from krita import Selection
from studio import (
    QtCore,
    app,
    close,
    coverage,
    history,
    image,
    inpaint,
    menu_action,
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
    control = docker.controller
    set_option(docker, candidates=1)

    # -- no document, no selection, a selection beyond the canvas ----------------------------
    control.run()
    assert "Open an image" in control.state.notice.text
    document = yield from image(320, 240)
    control.document_changed()
    menu_action("Tools", "Scripts", "Inpaint (StyleGAN)").trigger()
    yield from until(lambda: control.state.notice is not None, 5, "the notice")
    notice = control.state.notice
    assert notice.text.startswith("Nothing is selected"), notice
    assert notice.action_label, notice
    assert docker.panel.notice.isVisible()
    assert len(tree(document)) == 1
    yield from select(document, 1000, 1000, 50, 50)
    control.run()
    assert "outside" in control.state.notice.text, control.state.notice
    control.dismiss()

    # -- partly beyond the canvas, and a vector selection -------------------------------------
    yield from select(document, -40, -30, 120, 100)
    mask, before = coverage(document), pixels(document)
    yield from inpaint(docker)
    assert control.state.run.hole_box == (0, 0, 80, 70), control.state.run.hole_box
    assert outside_is(before, pixels(document), mask)
    yield from undo()
    yield from select(document, 100, 60, 80, 90)
    app.action("convert_to_vector_selection").trigger()
    document.waitForDone()
    # Krita draws the shape into the selection some 100 ms later; until then it is empty.
    before = pixels(document)
    yield from inpaint(docker)
    mask = coverage(document)
    assert any(mask)
    assert control.state.run.hole_box == (100, 60, 80, 90), control.state.run.hole_box
    assert outside_is(before, pixels(document), mask)
    yield from undo()

    # -- every kind of active layer, as the source ---------------------------------------------
    yield from select(document, 100, 60, 80, 90)
    root, base = document.rootNode(), document.topLevelNodes()[0]
    group = document.createGroupLayer("a group")
    inner = document.createNode("inner", "paintlayer")
    group.setChildNodes([inner])
    vector = document.createVectorLayer("a vector layer")
    mask_node = document.createNode("a mask", "transparencymask")
    for parent, node in ((root, group), (root, vector), (base, mask_node)):
        parent.addChildNode(node, None)
        document.waitForDone()
        yield 50
    hidden = document.createNode("hidden", "paintlayer")
    root.addChildNode(hidden, None)
    hidden.setVisible(False)
    locked = document.createNode("locked", "paintlayer")
    root.addChildNode(locked, None)
    locked.setLocked(True)
    invert = document.createFilterLayer("a filter layer", app.filter("invert"), Selection())
    root.addChildNode(invert, None)
    document.waitForDone()
    yield 100
    answers = {}
    for source in (True, False):
        set_option(docker, candidates=1, all_visible=source)
        for node in (base, inner, group, vector, mask_node, hidden, locked, invert):
            document.setActiveNode(node)
            document.waitForDone()
            yield from until(lambda n=node: document.activeNode().name() == n.name())
            before = pixels(document)
            # Krita 5.2.9 crashed here, in its own code, twice in about fifty runs: log where.
            stage.log(node.name(), "visible" if source else "layer", "is filled")
            yield from inpaint(docker)
            yield from until(
                lambda n=node: document.activeNode().name() == n.name(),
                what=f"{node.name()} to be the active layer again",
            )
            added = control._session.document.find(control.state.run.group)
            notice = control.state.notice
            siblings = [each.name() for each in added.parentNode().childNodes()]
            below = siblings[siblings.index(added.name()) - 1]
            answers[f"{node.name()} {'visible' if source else 'layer'}"] = [
                added.parentNode().name(),
                below,
                notice.text if notice else "",
                document.activeNode().name(),
            ]
            stage.log("and taken back")
            yield from undo()
            yield from shows(document, before, f"{node.name()} as before, all visible: {source}")

    # -- inside a hidden group, inside a locked one ---------------------------------------------
    for change, name in ((group.setVisible, "hidden"), (group.setLocked, "locked")):
        change(name == "locked")
        document.setActiveNode(inner)
        yield from until(lambda: document.activeNode().name() == inner.name())
        yield 150
        yield from inpaint(docker)
        added = control._session.document.find(control.state.run.group)
        assert added.parentNode().name() == root.name(), name
        assert name in control.state.notice.text, control.state.notice
        yield from undo()
        change(name == "hidden")

    # -- the transparent part of a layer, offered where nothing is selected ---------------------
    app.action("deselect").trigger()
    document.waitForDone()
    yield from close(document)
    document = yield from image(200, 160)
    control.document_changed()
    before = history()
    control.run()
    yield from until(lambda: control.state.notice is not None, 5, "the offer")
    docker.panel.notice.action.emit()
    yield from until(lambda: control.state.notice is not None, 10, "the answer")
    assert "no transparent part" in control.state.notice.text, control.state.notice
    assert document.selection() is None
    assert history() == before
    yield from close(document)
    document = yield from image(200, 160)
    layer = document.topLevelNodes()[0]
    layer.setPixelData(QtCore.QByteArray(bytes(4 * 50 * 40)), 60, 70, 50, 40)
    document.refreshProjection()
    document.waitForDone()
    control.document_changed()
    control.run()
    yield from until(lambda: control.state.notice is not None, 5, "the offer")
    before = history()
    docker.panel.notice.action.emit()
    yield from until(lambda: document.selection() is not None, what="the selection")
    yield 100
    assert len(history()) <= len(before) + 1, history()
    yield from inpaint(docker)
    assert control.state.run.hole_box == (60, 70, 50, 40), control.state.run.hole_box
    assert pixels(document)[4 * (90 * 200 + 80) + 3] == 255
    return answers
