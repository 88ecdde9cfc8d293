"""Candidates are finished in order, those of large holes two at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from inpaint_model import DocumentInpainter
from inpaint_model.document.large_hole import LARGE
from inpaint_model.inference.tiny import tiny_inpainter
from inpaint_model.pipeline.session import Rendering
from inpaint_server.filling.filling import Encoded, Event, ServedSession
from inpaint_server.models.registry import BundleLoader, ModelRegistry
from inpaint_server.serving import finishing
from inpaint_server.serving.answers import FinishedCandidate
from inpaint_server.serving.finishing import Finishing
from inpaint_server.serving.pixel_threads import LARGE_PX, PixelThreads

COUNT = 4


def opened(side: int) -> tuple[ServedSession, list[Rendering]]:
    """A fill of a hole of side x side px, and its renderings."""
    document = DocumentInpainter(tiny_inpainter())
    image = np.random.default_rng(0).integers(0, 256, (side + 40, side + 40, 3), np.uint8)
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[20:-20, 20:-20] = 255
    session = document.open(image, mask, frame="box")
    renderings = [fill.rendering for fill in document.fill(session, range(COUNT))]
    (entry,) = ModelRegistry(["tiny"], BundleLoader(torch.device("cpu"))).entries.values()
    return ServedSession(entry, session, np.dtype(np.uint8)), renderings


async def events_of(served: ServedSession, renderings: list[Rendering]) -> AsyncIterator[Event]:
    yield Encoded(served, 0.0)
    for rendering in renderings:
        yield [rendering]


def finished(served: ServedSession, renderings: list[Rendering]) -> list[FinishedCandidate]:
    async def run() -> list[FinishedCandidate]:
        finishing = Finishing(pixels, lambda session: session, several=len(renderings) > 1)
        events = finishing.finished(events_of(served, renderings))
        return [each async for each in events if isinstance(each, FinishedCandidate)]

    pixels = PixelThreads(2)
    try:
        return asyncio.run(run())
    finally:
        pixels.stop()


def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count how many candidates are fitted at once at most."""
    lock, now, most = threading.Lock(), [0], [0]
    fit = finishing.finished_candidate

    def fitting(*args: Any) -> FinishedCandidate:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        try:
            return fit(*args)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(finishing, "finished_candidate", fitting)
    return lambda: most[0]


@pytest.mark.parametrize(("side", "at_once"), [(60, 1), (480, 2)])
def test_candidates_come_in_order_and_do_not_depend_on_each_other(
    side: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, renderings = opened(side)
    assert (served.session.fitted_px >= LARGE_PX) == (at_once == 2)
    alone = [served.session.patches(each)[0].fill for each in renderings]
    most = counted(monkeypatch)
    made = finished(served, renderings)
    assert [each.index for each in made] == list(range(COUNT))
    assert most() == at_once
    for each, fill in zip(made, alone, strict=True):
        assert np.array_equal(each.patches[0].fill, fill)


@pytest.mark.parametrize(("count", "threads"), [(1, 2), (2, 1)])
def test_one_candidate_of_a_large_hole_has_all_cores(
    count: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, renderings = opened(480)
    fit, used = finishing.finished_candidate, []

    def fitting(*args: Any) -> FinishedCandidate:
        used.append(torch.get_num_threads())
        return fit(*args)

    monkeypatch.setattr(finishing, "finished_candidate", fitting)
    finished(served, renderings[:count])
    assert used == [threads] * count


def test_memory_is_reserved_for_two_only_where_both_are_not_large() -> None:
    session = opened(60)[0].session
    assert session.fits_two
    px = session.fitted_px
    for count, fits in ((LARGE // px // 2, True), (LARGE // px, False)):
        assert replace(session, placements=[*session.placements] * count).fits_two == fits


def test_an_error_ends_the_fill_and_nothing_stays_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served, renderings = opened(480)
    fit = finishing.finished_candidate

    def failing(session: ServedSession, rendering: Rendering) -> FinishedCandidate:
        if rendering.index == 1:
            raise ValueError("planted")
        return fit(session, rendering)

    monkeypatch.setattr(finishing, "finished_candidate", failing)
    with pytest.raises(ValueError, match="planted"):
        finished(served, renderings)
