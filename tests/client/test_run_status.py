"""A run's messages, folded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import (
    Accepted,
    Candidate,
    Done,
    FillEvent,
    Frame,
    FrameChosen,
    Notice,
    Progress,
)
from inpaint_client.events import Sending, Waiting
from inpaint_client.requests import FrameMode
from inpaint_client.session.daemon_session import Session
from inpaint_client.session.run_status import RunStatus, Stage, spoken_time


def frame(warning: str) -> FrameChosen:
    notices = (Notice(warning),) if warning else ()
    return FrameChosen(0, Frame(0, 0, 9), 1.0, 32, 1.0, warning, FrameMode.BOX, "", notices)


def after(*events: FillEvent) -> RunStatus:
    status = RunStatus(Stage.CONNECTING, started=1.0)
    for now, event in enumerate(events, start=2):
        status = status.after(event, float(now))
    return status


CANDIDATE = Candidate(0, -1, 7, (), "{}", b"")


@pytest.mark.parametrize(
    ("events", "stage", "fraction"),
    [
        ([], Stage.CONNECTING, None),
        ([Sending(0.25)], Stage.SENDING, 0.25),
        ([Sending(0.5), Accepted("s", 2)], Stage.QUEUED, None),
        ([Sending(0.5), Waiting(1.5)], Stage.WAITING, None),
        ([Accepted("s", 2)], Stage.QUEUED, None),
        ([Accepted("s", 2), Accepted("s", 0)], Stage.ENCODING, None),
        ([Accepted("s", 0), frame("")], Stage.ENCODING, None),
        ([Accepted("s", 0), Progress(0, 4)], Stage.RENDERING, 0.0),
        ([Accepted("s", 0), Progress(0, 4), CANDIDATE, Progress(1, 4)], Stage.RENDERING, 0.25),
        ([Accepted("s", 0), Progress(0, 0)], Stage.RENDERING, None),
        ([Accepted("s", 0), Progress(4, 4), Done()], Stage.DONE, 1.0),
    ],
)
def test_the_stages_of_a_run(events: list[FillEvent], stage: Stage, fraction: float | None) -> None:
    status = after(*events)
    assert (status.stage, status.fraction) == (stage, fraction)
    assert status.is_running == (stage is not Stage.DONE)
    assert status.started == 1.0


def test_what_is_kept_of_the_events() -> None:
    accepted = Accepted("s", 3, "key")
    status = after(accepted, frame("One."), frame(""), frame("Two."), Progress(0, 8))
    assert (status.session, status.queue_position) == (Session("s", 0, "key"), 3)
    assert status.warnings == ("One.", "Two.")
    assert not RunStatus().is_running


def test_what_asks_for_no_decision_is_no_warning() -> None:
    chosen = replace(frame("Look."), notices=(Notice("Look."), Notice("Enlarged.", True)))
    status = after(chosen, chosen)
    assert (status.warnings, status.details) == (("Look.",), ("Enlarged.",))


def test_the_remaining_time_follows_from_the_pace_since_the_first() -> None:
    status = RunStatus(Stage.CONNECTING)
    for now, done in ((10.0, 0), (12.0, 1), (14.0, 2), (16.0, 3)):
        status = status.after(Progress(done, 7), now)
    assert status.left_s(16.0) == pytest.approx(8.0)
    assert status.left_s(19.0) == pytest.approx(5.0)  # it counts down between renderings
    assert status.left_s(24.5) is None  # and says nothing once they are late
    assert after(Progress(0, 4), Progress(1, 4)).left_s(4.0) is None


@given(
    paces=st.lists(st.floats(0.1, 9), min_size=3, max_size=12),
    waits=st.lists(st.floats(0, 30), min_size=1, max_size=4),
)
def test_the_rest_never_grows_while_nothing_happens(paces: list[float], waits: list[float]) -> None:
    total, now = len(paces) + 1, 5.0
    status = RunStatus(Stage.CONNECTING).after(Progress(0, total), now)
    for done, pace in enumerate(paces, start=1):
        now += pace
        status = status.after(Progress(done, total), now)
        told = [status.left_s(now + wait) for wait in sorted(waits)]
        known = [left for left in told if left is not None]
        assert known == sorted(known, reverse=True)
        assert all(left > 0 for left in known)
        if done >= 2:
            assert status.left_s(now) == pytest.approx((now - 5.0) / done * (total - done))
    assert status.after(Progress(total, total), now + 1).left_s(now + 1) is None


@given(seconds=st.floats(0, 7200))
def test_times_are_shown_in_full_seconds_or_minutes(seconds: float) -> None:
    said = spoken_time(seconds)
    assert said != "0 s"
    assert said.endswith(" s" if seconds <= 59 else " min")
