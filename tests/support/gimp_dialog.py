"""A dialog of the GIMP plug-in without a window, and fills of the scripted daemon in it."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from typing import Any

from fake_daemon import color_of
from inpaint_client import (
    Box,
    Capture,
    DaemonInfo,
    Edits,
    FillJob,
    Picture,
    RecipeSource,
    seed_sequence,
)
from inpaint_gimp.app.presenter import Presenter
from inpaint_gimp.app.state import Phase, State
from inpaint_gimp.runs.layers import Rendering
from inpaint_gimp.runs.mixing import Mix, Other

CROP = Picture(16, 16, 3, bytes(16 * 16 * 3))
HOLE = Picture(16, 16, 1, bytes([255]) * 256)
BOX = Box(0, 0, 16, 16)
CAPTURE = Capture(crop=CROP, hole=HOLE, crop_box=BOX, document=BOX.extent)


class Window:
    """Records what it is asked to show; its event loop runs in the test's thread."""

    def __init__(self) -> None:
        self.turns: queue.Queue[Callable[[], None]] = queue.Queue()
        self.info: DaemonInfo | None = None
        self.states: list[State] = []
        self.notice = ""
        self.why_fixed = ""
        self.strips: list[list[int]] = []  # the seeds shown, each time the strip changed
        self.renderings: list[Rendering] = []
        self.edits: Edits = {}
        self.mix = Mix()
        self.others: Sequence[Other] = ()

    def show_info(self, info: DaemonInfo) -> None:
        self.info = info

    def show_state(self, state: State) -> None:
        self.states.append(state)

    def show_notice(self, text: str) -> None:
        self.notice = text

    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None:
        self.renderings = list(renderings)
        self.strips.append([each.candidate.seed for each in renderings])

    def show_rendering(self, index: int, rendering: Rendering) -> None:
        self.renderings[index] = rendering

    def show_edits(self, edits: Edits) -> None:
        self.edits = edits

    def show_mix(self, mix: Mix) -> None:
        self.mix = mix

    def show_others(self, others: Sequence[Other]) -> None:
        self.others = others

    def show_fixed(self, why: str) -> None:
        self.why_fixed = why

    def other(self, label: str) -> int:
        """The key of what can be mixed with."""
        return next(each.key for each in self.others if each.label == label)

    def until(self, condition: Callable[[], bool]) -> None:
        """Take turns until the condition holds."""
        end = time.monotonic() + 20
        while not condition():
            self.turns.get(timeout=max(0.01, end - time.monotonic()))()

    def settle(self) -> None:
        """Take the turns that are there."""
        while not self.turns.empty():
            self.turns.get()()


def job(count: int = 3, **values: object) -> FillJob:
    return FillJob(
        capture=CAPTURE,
        seeds=seed_sequence(7, count),
        **values,  # type: ignore[arg-type]
    )


def source(rendering: Rendering) -> RecipeSource:
    return RecipeSource(
        recipe=rendering.unmixed,
        attachment=rendering.candidate.attachment,
        capture=CAPTURE,
    )


def color(rendering: Rendering) -> tuple[int, ...]:
    return tuple(rendering.candidate.patches[0].fill.data[:3])


def is_shown(presenter: Presenter, index: int, edits: Edits) -> bool:
    return presenter.strip.renderings[index].edits == edits


def expected(seed: int, **edits: float) -> tuple[int, ...]:
    return tuple(round(255 * value) for value in color_of(seed, edits))


def filled(presenter: Presenter, window: Window, **values: Any) -> None:
    presenter.fill(job(**values), source)
    window.until(lambda: presenter.state.phase is Phase.READY)
