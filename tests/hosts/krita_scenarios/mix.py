"""Mix a candidate with another one, then with layers, using the docker's widgets."""

from __future__ import annotations

from studio import QtCore, image, inpaint, ready, select, set_option, until

RED = bytes([20, 40, 220, 255])  # BGRA


def steps(stage):
    docker = yield from ready()
    control, form = docker.controller, docker.panel.mix
    document = yield from image(320, 240)
    control.document_changed()
    layer = document.createNode("Reference", "paintlayer")
    document.rootNode().addChildNode(layer, None)
    layer.setPixelData(QtCore.QByteArray(RED * (100 * 80)), 90, 50, 100, 80)
    layer.setVisible(False)
    empty = document.createNode("Empty", "paintlayer")
    document.rootNode().addChildNode(empty, None)
    document.setActiveNode(document.topLevelNodes()[0])
    document.waitForDone()
    yield 100
    set_option(docker, candidates=2)
    yield from select(document, 100, 60, 80, 60)
    yield from inpaint(docker)

    def color():
        run = control.state.run
        node = control._session.document.find(run.results[0].layer)
        return list(bytes(node.pixelData(140, 90, 1, 1)))

    def mix_with(label):
        yield from until(lambda: form.other.findText(label) >= 0, what=label)
        form.other.setCurrentIndex(form.other.findText(label))
        form.other.activated.emit(form.other.currentIndex())
        yield from until(lambda: not control.is_busy)

    seen = {"plain": color()}
    yield from mix_with("2 · seed 6")
    seen["half"] = color()
    form.amount.spin.setValue(1.0)
    yield from until(lambda: color() != seen["half"], what="the other candidate's color")
    seen["other"] = color()
    yield from mix_with("Layer: Reference")
    seen["layer"] = color()
    yield from mix_with("Layer: Empty")
    seen["notice"] = control.state.notice.text
    yield from mix_with("None")
    seen["back"] = color()
    return seen
