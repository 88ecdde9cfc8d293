"""What the scenarios share: a document, the docker, and ways to wait. Runs inside Krita."""

from __future__ import annotations

import importlib
import sys
import time

from krita import Krita, Selection

QtCore = sys.modules.get("PyQt5.QtCore") or sys.modules["PyQt6.QtCore"]
QtWidgets = sys.modules.get("PyQt5.QtWidgets") or sys.modules["PyQt6.QtWidgets"]
app = Krita.instance()


def pattern(width, height, pixel_bytes=4):
    """Opaque pixels that differ everywhere, as bytes of an integer space with alpha last."""
    row = bytes((37 * x + 11 * (x // 7)) % 251 for x in range(width * pixel_bytes))
    return bytearray(b"".join(row[-(y % 97) :] + row[: -(y % 97)] for y in range(height)))


def opaque(data, pixel_bytes, alpha):
    """Set the alpha, the last sample of each pixel."""
    size = len(alpha)
    for i, byte in enumerate(alpha):
        data[pixel_bytes - size + i :: pixel_bytes] = bytes([byte]) * (len(data) // pixel_bytes)
    return bytes(data)


def until(condition, seconds=20.0, what=""):
    """Let Krita's event loop turn until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain: {what or condition}")
        yield 20


def show(document):
    """Open a view on it and wait until it has an active layer."""
    document.setBatchmode(True)
    app.activeWindow().addView(document)
    yield from until(lambda: document.activeNode() is not None, what="active node")
    yield 100


def image(width=640, height=480):
    """An 8-bit sRGB document with a pattern, shown."""
    document = app.createDocument(
        width, height, "image", "RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc", 300.0
    )
    layer = document.topLevelNodes()[0]
    data = opaque(pattern(width, height), 4, b"\xff")
    layer.setPixelData(QtCore.QByteArray(data), 0, 0, width, height)
    document.refreshProjection()
    document.waitForDone()
    yield from show(document)
    return document


def select(document, x, y, width, height, feather=0):
    selection = Selection()
    selection.select(x, y, width, height, 255)
    if feather:
        selection.feather(feather)
    document.setSelection(selection)
    document.waitForDone()
    yield 50


def coverage(document):
    """The selection over the entire canvas."""
    return bytes(document.selection().pixelData(0, 0, document.width(), document.height()))


def pixels(document):
    document.waitForDone()
    return bytes(document.pixelData(0, 0, document.width(), document.height()))


def shows(document, expected, what=""):
    """After an undo or a redo, which Krita draws some turns later: these pixels, and they stay."""
    yield from until(lambda: pixels(document) == expected, 10, what or "the expected pixels")
    yield 100
    assert pixels(document) == expected, what


def docker():
    found = [each for each in app.dockers() if each.objectName() == "inpaint_stylegan_docker"]
    assert len(found) == 1, [each.objectName() for each in app.dockers()]
    from inpaint_krita.ui.docker import InpaintDocker

    return InpaintDocker.instances[-1]


def ready():
    """Show the docker and wait until it has found the daemon."""
    found = docker()
    found.setVisible(True)
    found.raise_()
    control = found.controller
    yield from until(lambda: control.state.connection.phase.name == "READY", what="the daemon")
    return found


def below_layers(window, docker):
    """Move the docker out of the tab next to Layers; Qt's `splitDockWidget` refuses that."""
    window.removeDockWidget(docker)
    window.addDockWidget(QtCore.Qt.DockWidgetArea.RightDockWidgetArea, docker)
    docker.setVisible(True)


def menu_action(*path):
    """Return the action at a path in the menu bar, by its texts."""
    actions = app.activeWindow().qwindow().menuBar().actions()
    for word in path[:-1]:
        menu = next(a for a in actions if a.text().replace("&", "") == word).menu()
        actions = menu.actions()
    return next(a for a in actions if a.text().replace("&", "") == path[-1])


def inpaint(docker, seconds=60.0):
    """Choose Tools > Scripts > Inpaint (StyleGAN), and wait until the run is over."""
    before = len(docker.controller.state.runs)
    menu_action("Tools", "Scripts", "Inpaint (StyleGAN)").trigger()
    # The action starts the run, or shows why it cannot, before it returns.
    assert docker.controller.state.progress.is_running, docker.controller.state.notice
    yield from until(lambda: not docker.controller.is_busy, seconds, "the run")
    yield 100
    state = docker.controller.state
    assert len(state.runs) == before + 1, (state.notice, before, state.runs)


def no_problem(docker):
    """Return whether there is no notice, or only a remark (how far the fill is enlarged)."""
    notice = docker.controller.state.notice
    assert notice is None or not notice.is_problem, notice


def undo():
    app.activeDocument().waitForDone()  # while Krita works, it takes an undo for that work's
    app.action("edit_undo").trigger()
    app.activeDocument().waitForDone()
    yield 200


def redo():
    app.activeDocument().waitForDone()
    app.action("edit_redo").trigger()
    app.activeDocument().waitForDone()
    yield 200


def history():
    """The steps in Krita's own undo history."""
    dock = next(each for each in app.dockers() if each.objectName() == "History")
    model = dock.findChildren(QtWidgets.QListView)[0].model()
    return [model.index(i, 0).data() for i in range(model.rowCount())]


def tree(document):
    """Layers from the lowest to the highest: (name, type, visible, children)."""

    def below(node):
        return [[c.name(), c.type(), c.visible(), below(c)] for c in node.childNodes()]

    return [each for each in below(document.rootNode()) if each[1] != "selectionmask"]


def outside_is(before, after, mask, pixel_bytes=4):
    """Whether every pixel that is not selected is the same to the bit."""
    for i, covered in enumerate(mask):
        if not covered:
            start = i * pixel_bytes
            if before[start : start + pixel_bytes] != after[start : start + pixel_bytes]:
                return False
    return True


def set_option(docker, **changes):
    """Apply these settings, with fixed seeds and without a smooth candidate."""
    docker.controller.set_option(**{"new_seed": False, "seed": 5, "smooth": "never", **changes})


def save(document, path):
    document.setBatchmode(True)
    assert document.saveAs(str(path))
    document.waitForDone()


def plugin(name):
    """A module of the plug-in."""
    return importlib.import_module(f"inpaint_krita.{name}")


def client(name):
    """A module of the client as the plug-in carries it."""
    return plugin(f"_vendor.inpaint_client.{name}")


def flat_image(model, depth, profile, width=160, height=120):
    """A document of any kind, with a pattern that is valid in it, shown."""
    document = app.createDocument(width, height, "image", model, depth, profile, 300.0)
    layer = document.topLevelNodes()[0]
    size = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}[depth]
    channels = {"GRAYA": 2, "CMYKA": 5}.get(model, 4)
    if depth.startswith("U"):
        data = pattern(width, height, channels * size)
        one = b"\xff" * size
    else:
        import struct

        letter = "e" if depth == "F16" else "f"
        values = [struct.pack(f"<{letter}", i / 40) for i in range(41)]
        data = bytearray(
            b"".join(values[(3 * i + i // width) % 41] for i in range(width * height * channels))
        )
        one = struct.pack(f"<{letter}", 1.0)
    data = opaque(data, channels * size, one)
    layer.setPixelData(QtCore.QByteArray(data), 0, 0, width, height)
    document.refreshProjection()
    document.waitForDone()
    yield from show(document)
    return document, channels * size


def close(document):
    document.waitForDone()
    document.setModified(False)
    document.close()
    yield 150
