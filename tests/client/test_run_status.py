"""A run's messages, folded."""

from __future__ import annotations

import pytest
from inpaint_client import Accepted, Candidate, Done, FillEvent, Frame, FrameChosen, Progress
from inpaint_client.events import Sending
from inpaint_client.requests import FrameMode
from inpaint_client.session.run_status import RunStatus, Stage


def frame(warning: str) -> FrameChosen:
    return FrameChosen(0, Frame(0, 0, 9), 1.0, 32, 1.0, warning, FrameMode.BOX)


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
    status = after(Accepted("s", 3), frame("One."), frame(""), frame("Two."), Progress(0, 8))
    assert (status.session_id, status.queue_position) == ("s", 3)
    assert status.warnings == ("One.", "Two.")
    assert not RunStatus().is_running


def test_the_rest_is_told_from_the_pace_since_the_first() -> None:
    status = RunStatus(Stage.RENDERING, 0, 3, 7, started=0.0, first_at=10.0)
    assert status.left_s(14.0) == pytest.approx(8.0)
    assert RunStatus(Stage.RENDERING, 0, 1, 7, first_at=10.0).left_s(14.0) is None
    assert RunStatus(Stage.RENDERING, 0, 7, 7, first_at=10.0).left_s(14.0) is None
    assert after(Progress(0, 4), Progress(1, 4)).first_at == 2.0
