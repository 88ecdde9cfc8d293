"""Of several faces, the selection says whose part is meant."""

from __future__ import annotations

from studio import client, coverage, image, ready, select, until

WIDTH, HEIGHT = 2000, 800  # what is sent is half as large


def steps(stage):
    docker = yield from ready()
    document = yield from image(WIDTH, HEIGHT)
    docker.controller.document_changed()
    for name, box in stage.arguments["selections"].items():
        yield from select(document, *box)
        docker.controller.select(client("segments").Part.EYES)
        yield from until(lambda: not docker.controller.state.is_selecting, what="the selection")
        assert docker.controller.state.notice is None, docker.controller.state.notice
        yield 200
        (stage.out / f"{name}.raw").write_bytes(coverage(document))
