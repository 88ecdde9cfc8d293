"""A fill whose daemon ends in the middle goes on with another one, as one fill."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import (
    Accepted,
    Box,
    Candidate,
    Capture,
    Extent,
    FillJob,
    Frame,
    FrameChosen,
    FrameMode,
    Method,
    Picture,
    Progress,
    SmoothFill,
)
from inpaint_client.events import FillEvent
from inpaint_client.resuming import ResumableFill

CAPTURE = Capture(
    crop=Picture(2, 2, 1, b"abcd"),
    hole=Picture(2, 2, 1, b"\xff\0\0\0"),
    crop_box=Box(0, 0, 2, 2),
    document=Extent(2, 2),
)


def answer(job: FillJob, *, session: str, smooth: bool) -> list[FillEvent]:
    """What a daemon answers, without patches."""
    seeds = job.seeds or (77,)
    offers = smooth and job.smooth is not SmoothFill.NEVER
    total = len(seeds) * (1 + len(job.variants)) + offers
    frame = FrameChosen(0, Frame(1, 1, 2), 1.0, 32, 1.0, "", FrameMode.AUTO)
    made: list[FillEvent] = [Accepted(session, 0), frame, Progress(0, total)]
    keys: list[tuple[int, int, int]] = [
        (k, v, seed) for k, seed in enumerate(seeds) for v in range(-1, len(job.variants))
    ]
    keys += [(len(seeds), -1, 0)] if offers else []
    for done, (index, variant, seed) in enumerate(keys, start=1):
        method = Method.SMOOTH if offers and index == len(seeds) else Method.MODEL
        made.append(Candidate(index, variant, seed, (), "{}", b"", method))
        made.append(Progress(done, total))
    return made


def told(fill: ResumableFill, events: list[FillEvent]) -> list[FillEvent]:
    return [event for event in map(fill.taken, events) if event is not None]


def key(candidate: Candidate) -> tuple[Any, ...]:
    return candidate.index, candidate.variant, candidate.seed, candidate.method


@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), max_size=5, unique=True),
    variants=st.integers(0, 2),
    wish=st.sampled_from(list(SmoothFill)),
    offers=st.booleans(),
    cuts=st.lists(st.integers(0, 40), min_size=1, max_size=3),
)
def test_a_fill_cut_anywhere_is_completed_without_duplicates(
    seeds: list[int], variants: int, wish: SmoothFill, offers: bool, cuts: list[int]
) -> None:
    job = FillJob(
        capture=CAPTURE, seeds=tuple(seeds), variants=({"a": 1.0},) * variants, smooth=wish
    )
    whole = answer(job, session="whole", smooth=offers)
    fill, asked, events = ResumableFill(job), job, []
    for number, cut in enumerate([*cuts, 99]):
        events += told(fill, answer(asked, session=str(number), smooth=offers)[:cut])
        rest = fill.rest()
        if rest is None:
            break
        asked = rest
    assert rest is None
    candidates = [key(event) for event in events if isinstance(event, Candidate)]
    assert sorted(candidates) == sorted(key(e) for e in whole if isinstance(e, Candidate))
    assert sum(isinstance(event, Accepted) for event in events) == 1
    assert sum(isinstance(event, FrameChosen) for event in events) == 1
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.done for event in progress] == sorted(event.done for event in progress)
    assert {event.total for event in progress} == {whole[2].total}  # type: ignore[union-attr]


def test_only_what_is_missing_is_asked_for() -> None:
    job = FillJob(capture=CAPTURE, seeds=(5, 6, 7), edits={"smile": 2.0}, smooth=SmoothFill.AUTO)
    fill = ResumableFill(job)
    assert not fill.has_begun
    told(fill, answer(job, session="a", smooth=True)[:6])  # 5, and half of what belongs to 6
    assert fill.has_begun
    assert fill.rest() == replace(job, seeds=(7,)) or fill.rest() == replace(job, seeds=(6, 7))


def test_a_seed_that_the_daemon_drew_stays() -> None:
    job = FillJob(capture=CAPTURE, variants=({"a": 1.0},))
    fill = ResumableFill(job)
    told(fill, answer(job, session="a", smooth=False)[:4])
    rest = fill.rest()
    assert rest is not None
    assert rest.seeds == (77,)


@pytest.mark.parametrize("seeds", [(), (3, 4)])
def test_a_fill_without_any_result_is_requested_completely(seeds: tuple[int, ...]) -> None:
    job = FillJob(capture=CAPTURE, seeds=seeds, smooth=SmoothFill.ALWAYS)
    fill = ResumableFill(job)
    told(fill, answer(job, session="a", smooth=True)[:2])
    assert fill.rest() == job
