"""A fill in every kind of document that Krita has."""

from __future__ import annotations

from studio import (
    client,
    coverage,
    flat_image,
    history,
    inpaint,
    outside_is,
    pixels,
    ready,
    save,
    select,
    set_option,
)

LINEAR = "sRGB-elle-V2-g10.icc"
KINDS = [  # model, depth, profile; whether the daemon's bytes come through as they are
    ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc", True),
    ("RGBA", "U16", "sRGB-elle-V2-srgbtrc.icc", True),
    ("RGBA", "U16", LINEAR, True),
    ("RGBA", "F16", LINEAR, True),
    ("RGBA", "F32", LINEAR, True),
    ("RGBA", "U8", "ClayRGB-elle-V4-srgbtrc.icc", False),
    ("GRAYA", "U8", "Gray-D50-elle-V2-srgbtrc.icc", True),
    ("GRAYA", "U16", "Gray-D50-elle-V2-g10.icc", True),
    ("GRAYA", "F32", "", True),
    ("CMYKA", "U8", "", False),
    ("CMYKA", "U16", "", False),
    ("LABA", "U16", "", False),
    ("XYZA", "F32", "", False),
    ("YCbCrA", "U8", "", False),
]


def steps(stage):
    docker = yield from ready()
    control = docker.controller
    set_option(docker, candidates=1)
    answers = []
    for number, (model, depth, profile, direct) in enumerate(KINDS):
        document, size = yield from flat_image(model, depth, profile)
        control.document_changed()
        yield from select(document, 40, 30, 70, 60, feather=4)
        mask, before, steps_before = coverage(document), pixels(document), history()
        yield from inpaint(docker)
        assert control.state.notice is None, (model, depth, control.state.notice)
        after = pixels(document)
        assert after != before, (model, depth)
        assert outside_is(before, after, mask, size), (model, depth, "changed outside")
        assert len(history()) == len(steps_before) + 1, (model, depth, history())
        run = control.state.run
        layer = control._session.document.find(run.results[0].layer)
        x, y, width, height = run.hole_box
        data = bytes(layer.pixelData(x, y, width, height))
        kind = client("requests").SampleType[depth]
        alpha = client("pixels").encode_coverage(run.coverage, kind)
        step = size // kind.size
        planes = [data[i::size] for i in range(size - kind.size, size)]
        assert all(p == alpha[i :: kind.size] for i, p in enumerate(planes)), (model, depth, step)
        shown = document.projection(75, 60, 1, 1).pixelColor(0, 0)
        answers.append(
            {
                "model": model,
                "depth": depth,
                "profile": document.colorProfile(),
                "direct": direct,
                "layer": bytes(layer.pixelData(75, 60, 1, 1)).hex(),
                "shown": [shown.red(), shown.green(), shown.blue()],
                "layer_space": [layer.colorModel(), layer.colorDepth(), layer.colorProfile()],
            }
        )
        assert history()[-1] == "Add Layer", history()
        save(document, stage.out / f"kind-{number:02d}.kra")
        # Not closed: Document.close() followed by quitting can crash Krita.
    return answers
