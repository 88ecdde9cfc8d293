"""Start and quit."""

from __future__ import annotations


def steps(stage):
    yield 50
    return stage.app.version()
