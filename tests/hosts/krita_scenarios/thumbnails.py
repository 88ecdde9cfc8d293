"""What the docker's thumbnails show, compared with the layers' own pixels."""

from __future__ import annotations

from studio import (
    QtCore,
    app,
    close,
    flat_image,
    inpaint,
    no_problem,
    ready,
    select,
    set_option,
    until,
)

# Neither the box nor its corner lies on Krita's tiles of 64 px; the first one spans several.
BOXES = ((70, 45, 150, 105), (3, 5, 40, 60))
KINDS = (
    ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc"),
    ("RGBA", "U16", "sRGB-elle-V2-srgbtrc.icc"),
    ("RGBA", "F32", "sRGB-elle-V2-g10.icc"),
    ("GRAYA", "U8", "Gray-D50-elle-V2-srgbtrc.icc"),
    ("CMYKA", "U8", "Chemical proof"),
)


def marked(document, box, image):
    """Where the thumbnail shows the marks below, and what it should show there."""
    x, y, width, height = box
    region = client_region(document, box)
    scale = image.width() / region[2]
    found = []
    for left, top, color in MARKS:
        cx = x + (left + 0.125) * width
        cy = y + (top + 0.125) * height
        place = round((cx - region[0]) * scale), round((cy - region[1]) * scale)
        seen = image.pixelColor(*place)
        found.append([[seen.red(), seen.green(), seen.blue()], list(color)])
    return found


MARKS = (
    (0.0, 0.0, (230, 30, 40)),
    (0.75, 0.0, (30, 200, 60)),
    (0.0, 0.75, (40, 60, 220)),
    (0.75, 0.75, (240, 230, 30)),
)


def client_region(document, box):
    from studio import client, plugin

    geometry, thumbnails = client("geometry"), plugin("runs.thumbnails")
    canvas = geometry.Box(0, 0, document.width(), document.height())
    return thumbnails.region(geometry.Box(*box), canvas)


def paint_marks(layer, box):
    """A color in each corner of the box, a quarter of it wide and high; gray between."""
    x, y, width, height = box
    data = bytearray(bytes([128, 128, 128, 255]) * (width * height))
    for left, top, (red, green, blue) in MARKS:
        for row in range(int(top * height), int(top * height) + height // 4):
            start = 4 * (row * width + int(left * width))
            data[start : start + 4 * (width // 4)] = bytes([blue, green, red, 255]) * (width // 4)
    layer.setPixelData(QtCore.QByteArray(bytes(data)), x, y, width, height)


def steps(stage):
    docker = yield from ready()
    control = docker.controller
    answer = {"marks": [], "flat": []}
    for box in BOXES:
        document, _ = yield from flat_image(*KINDS[0], 300, 200)
        control.document_changed()
        set_option(docker, candidates=2)
        yield from select(document, *box)
        yield from inpaint(docker)
        no_problem(docker)
        run = control.state.run
        for position in (0, 1):
            paint_marks(node(document, run.results[position].layer), box)
        redraw(control)
        yield from until(lambda: None not in control.state.strip.thumbnails, 20, "the thumbnails")
        for image in control.state.strip.thumbnails:
            answer["marks"].append(marked(document, box, image))
        control.state.strip.thumbnails[0].save(str(stage.out / f"thumbnail-{box[0]}.png"))
        yield from close(document)
    for kind in KINDS:
        if kind[2] not in app.profiles(kind[0], kind[1]):
            profile = sorted(app.profiles(kind[0], kind[1]))[0]
            kind = (*kind[:2], profile)
        document, _ = yield from flat_image(*kind, 300, 200)
        control.document_changed()
        yield from select(document, *BOXES[0])
        yield from inpaint(docker)
        no_problem(docker)
        control.choose(0)
        document.waitForDone()
        yield from until(lambda: None not in control.state.strip.thumbnails, 20, "the thumbnails")
        image = control.state.strip.thumbnails[0]
        region = client_region(document, BOXES[0])
        scale = image.width() / region[2]
        x, y = BOXES[0][0] + 60, BOXES[0][1] + 50
        seen = image.pixelColor(round((x - region[0]) * scale), round((y - region[1]) * scale))
        shown = document.projection(x, y, 1, 1).pixelColor(0, 0)
        answer["flat"].append(
            [
                kind,
                [seen.red(), seen.green(), seen.blue()],
                [shown.red(), shown.green(), shown.blue()],
            ]
        )
        yield from close(document)
    return answer


def redraw(control):
    """Forget the thumbnails and draw them again, as when the document is opened."""
    session = control._session
    session._queue.thumbnails.forget(session.results.shown)
    session._queue.draw_missing(session.results.shown)


def node(document, layer_id):
    def below(parent):
        for child in parent.childNodes():
            yield child
            yield from below(child)

    return next(
        each for each in below(document.rootNode()) if each.uniqueId().toString() == layer_id
    )
