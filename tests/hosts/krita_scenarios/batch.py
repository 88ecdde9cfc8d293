"""Several images and several layers, filled one after the other from the menu and its dialog."""

from __future__ import annotations

from studio import (
    QtCore,
    QtWidgets,
    app,
    client,
    close,
    coverage,
    history,
    image,
    menu_action,
    opaque,
    outside_is,
    pattern,
    pixels,
    plugin,
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
    set_option(docker, candidates=2)

    # -- three images, one of which has no selection -------------------------------------------
    documents = []
    for size in ((300, 200), (260, 240), (320, 180)):
        document = yield from image(*size)
        documents.append(document)
    first, second, third = documents
    yield from select(first, 60, 50, 80, 70, feather=4)
    yield from select(third, 100, 20, 90, 120)
    masks = {id(each): coverage(each) for each in (first, third)}
    befores = [pixels(each) for each in documents]
    titles = [each.title for each in control._host.open_documents()]
    dialog = yield from opened(docker)
    assert dialog.scope.currentText() == "All open images (3)", dialog.scope.currentText()
    dialog.ok.click()
    assert control.state.progress.is_running
    words = docker.panel.run_row.batch
    yield from until(lambda: words.text() == f"3 of 3: {titles[2]}", 60, "the third image")
    yield from done(control)
    notice = control.state.notice
    assert notice.text.startswith("2 images were filled, 1 was skipped. "), notice
    assert "Nothing is selected." in notice.text
    assert not notice.is_problem
    for document, before in zip(documents, befores, strict=True):
        layers, after = tree(document), pixels(document)
        if document is second:
            assert len(layers) == 1
            assert after == before
            continue
        assert [each[1] for each in layers] == ["paintlayer", "grouplayer"], layers
        assert [each[0] for each in layers[1][3]] == ["2 · seed 6", "1 · seed 5"], layers
        assert coverage(document) == masks[id(document)], "the selection changed"
        assert after != before
        assert outside_is(before, after, masks[id(document)]), "pixels outside changed"
        assert document.activeNode().name() == layers[0][0], "the active layer changed"

    # -- one undo each, in the image that is active and in one that was not ----------------------
    for document, before in ((third, befores[2]), (first, befores[0])):
        yield from activate(document)
        yield from undo()
        yield from shows(document, before)
        assert len(tree(document)) == 1

    # -- a part of the faces: no selection changes, and that is no step either -------------------
    own, steps_before = coverage(first), history()
    dialog = yield from opened(docker)
    tr = plugin("text").tr
    dialog.what.setCurrentIndex(dialog.what.findText(tr("Eyes")))
    dialog.candidates.setValue(1)
    dialog.ok.click()
    yield from until(lambda: control.state.is_selecting, 10, "the search")
    yield from done(control)
    assert control.state.notice.text == "3 images were filled.", control.state.notice
    assert coverage(first) == own
    assert second.selection() is None
    assert history() == steps_before, history()  # the run instead of the one that was undone
    part = client("segments").Part.EYES
    for document, before in zip(documents, befores, strict=True):
        (group,) = tree(document)[1:]
        assert [each[0] for each in group[3]] == ["1 · seed 5"], group
        after = pixels(document)
        width, height = document.width(), document.height()
        x, y, part_width, part_height = stage.arguments["boxes"][f"{width}x{height}"]
        mask = bytearray(width * height)
        for row in range(y, y + part_height):
            mask[row * width + x : row * width + x + part_width] = b"\xff" * part_width
        assert after != before, (document, part)
        assert outside_is(before, after, bytes(mask)), "pixels outside the part changed"
    yield from undo()
    yield from shows(first, befores[0])

    # -- canceled in the middle: what is done stays, the rest is not begun -----------------------
    yield from activate(third)
    yield from undo()
    yield from select(second, 60, 50, 80, 70)
    control.document_changed()
    dialog = yield from opened(docker)
    dialog.ok.click()
    yield from until(lambda: control.state.batch.number == 2, 60, "the second image")
    menu_action("Tools", "Scripts", tr("Inpaint: cancel")).trigger()
    yield from done(control)
    assert "not reached" in control.state.notice.text, control.state.notice
    assert len(tree(first)) == 2
    assert len(tree(third)) == 1
    assert pixels(third) == befores[2]

    # -- an image that is closed in the middle ----------------------------------------------------
    yield from activate(third)
    dialog = yield from opened(docker)
    dialog.candidates.setValue(8)  # it takes long enough to close the image meanwhile
    dialog.ok.click()
    yield from until(lambda: control.state.progress.done >= 1, 60, "a candidate of the first")
    yield from close(first)
    yield from done(control)
    said = control.state.notice.text
    assert said.startswith("2 images were filled, 1 failed. "), said
    assert "The image was closed." in said, said
    yield from close(second)
    yield from close(third)

    yield from layers_of_one_image(docker)


def layers_of_one_image(docker):
    """Three layers with portraits of their own, a hidden one, a group and a filter layer."""
    control = docker.controller
    document = yield from image(240, 200)
    root = document.rootNode()
    own = {"Background": None}
    for number, name in enumerate(("second", "third", "hidden")):
        layer = document.createNode(name, "paintlayer")
        root.addChildNode(layer, None)
        data = opaque(pattern(240, 200)[number + 1 :] + bytes(number + 1), 4, b"\xff")
        layer.setPixelData(QtCore.QByteArray(data), 0, 0, 240, 200)
        own[name] = data
    document.nodeByName("hidden").setVisible(False)
    root.addChildNode(document.createGroupLayer("a group"), None)
    document.refreshProjection()
    yield 300  # until Krita's views know the layers
    document.setActiveNode(document.nodeByName("second"))
    yield from until(lambda: document.activeNode().name() == "second", 5, "the active layer")
    yield from select(document, 60, 50, 80, 70, feather=3)
    yield 200
    control.document_changed()
    mask, before, steps_before = coverage(document), pixels(document), history()
    lowest = tree(document)[0][0]
    dialog = yield from opened(docker)
    dialog.scope.setCurrentIndex(1)
    assert dialog.scope.currentText() == "Paint layers of this image (3)"
    dialog.ok.click()
    yield from done(control)
    said = control.state.notice.text
    assert said == "3 layers were filled, 1 was skipped. “hidden”: It is hidden.", said
    layers = tree(document)
    names = [each[0] for each in layers]
    assert [names[i] for i in (0, 2, 4, 6, 7)] == [
        lowest,
        "second",
        "third",
        "hidden",
        "a group",
    ], names
    for place in (1, 3, 5):
        assert [each[0] for each in layers[place][3]] == ["2 · seed 6", "1 · seed 5"], layers
    active = document.activeNode().name()
    assert active == "second", active
    assert coverage(document) == mask
    for name in ("second", "third", "hidden"):
        layer = document.nodeByName(name)
        assert bytes(layer.pixelData(0, 0, 240, 200)) == own[name], name
    assert outside_is(before, pixels(document), mask)
    assert len(history()) == len(steps_before) + 3, history()
    for left in (2, 1, 0):
        yield from undo()
        groups = [each for each in tree(document) if each[3]]
        assert len(groups) == left, groups
    yield from shows(document, before)

    # -- a part, which is looked for in each layer -----------------------------------------------
    dialog = yield from opened(docker)
    dialog.scope.setCurrentIndex(1)
    dialog.what.setCurrentIndex(dialog.what.findText(plugin("text").tr("Mouth")))
    dialog.ok.click()
    yield from done(control)
    assert control.state.notice.text == said, control.state.notice
    assert coverage(document) == mask
    assert len([each for each in tree(document) if each[3]]) == 3, tree(document)


def activate(document):
    """Bring the view of a document to the front."""
    window = app.activeWindow()
    area = window.qwindow().findChild(QtWidgets.QMdiArea)
    at = [view.document() == document for view in window.views()].index(True)
    area.setActiveSubWindow(area.subWindowList()[at])
    yield from until(lambda: app.activeDocument() == document, 5, "the view")
    yield 200


def opened(docker):
    """Choose the menu entry, and return its dialog."""
    menu_action("Tools", "Scripts", plugin("text").tr("Inpaint several…")).trigger()
    kind = plugin("ui.batch_dialog").BatchDialog
    yield from until(lambda: docker.panel.findChildren(kind), 5, "the dialog")
    yield 100
    return docker.panel.findChildren(kind)[-1]


def done(control):
    yield from until(lambda: not control.is_busy, 90, "the batch")
    yield 300
