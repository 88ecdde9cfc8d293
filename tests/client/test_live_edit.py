"""Live sliders without a host: which rendering is next, by session or by recipe, and failures."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

import pytest
from inpaint_client import (
    Accepted,
    Candidate,
    Done,
    EditJob,
    Failed,
    InpaintError,
    InputError,
    Message,
    Mixing,
    NotFoundError,
    RecipeSource,
)
from inpaint_client.requests import Edits
from inpaint_client.session.daemon_session import Session
from inpaint_client.session.live_edit import LiveEdit


class Wanted(NamedTuple):
    result: str
    smile: float


class Run:
    """A submitted job; the test delivers the daemon's messages."""

    def __init__(self, job: EditJob, receive: Callable[[Message], None]) -> None:
        self.job = job
        self.receive = receive
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def accept(self, session: str = "s") -> None:
        self.receive(Accepted(session, 0, f"key of {session}"))

    def arrive(self) -> None:
        self.receive(candidate())

    def end(self) -> None:
        self.receive(Done())

    def answer(self, session: str = "s") -> None:
        self.accept(session)
        self.arrive()
        self.end()

    def fail(self, error: InpaintError) -> None:
        self.receive(Failed(error))


def candidate() -> Candidate:
    return Candidate(index=0, variant=-1, seed=1, patches=(), recipe="{}", attachment=b"")


class Host:
    """Host that records its calls. If `slow`, the test completes sources and showing."""

    def __init__(self, slow: bool = False) -> None:
        self.slow = slow
        self.runs: list[Run] = []
        self.shown: list[Wanted] = []
        self.errors: list[InpaintError] = []
        self.busy: list[bool] = []
        self.pending: list[Callable[[], None]] = []
        self.unusable = ""  # a result that cannot be edited
        self.live = LiveEdit(self)

    def key(self, wanted: Wanted) -> Hashable:
        return wanted.result

    def is_shown(self, wanted: Wanted) -> bool:
        return bool(self.shown) and self.shown[-1] == wanted

    def changes(self, wanted: Wanted) -> tuple[Edits, tuple[Mixing, ...]]:
        return {"smile": wanted.smile}, ()

    def give_source(self, wanted: Wanted, give: Callable[[RecipeSource], None]) -> None:
        if wanted.result == self.unusable:
            raise InputError("The image was resized.")
        source = RecipeSource(recipe=wanted.result, attachment=b"x")
        self.later(lambda: give(source))

    def submit(self, job: EditJob, receive: Callable[[Message], None]) -> Run:
        self.runs.append(Run(job, receive))
        return self.runs[-1]

    def show(self, wanted: Wanted, candidate: Candidate, job: EditJob) -> None:
        def written() -> None:
            self.shown.append(wanted)
            self.live.shown()

        self.later(written)

    def refused(self, error: InpaintError) -> None:
        self.errors.append(error)

    def busy_changed(self) -> None:
        self.busy.append(self.live.is_busy)

    def later(self, act: Callable[[], None]) -> None:
        if self.slow:
            self.pending.append(act)
        else:
            act()


def smiles(host: Host) -> list[float]:
    return [run.job.edits["smile"] for run in host.runs]


def remembering(*results: str) -> Host:
    host = Host()
    for index, result in enumerate(results):
        host.live.remember(result, Session("fill", index, "key of fill"))
    return host


def test_of_what_is_asked_for_meanwhile_only_the_latest_is_rendered() -> None:
    host = remembering("a")
    for smile in (0.1, 0.2, 0.3, 0.4):
        host.live.request(Wanted("a", smile))
    assert smiles(host) == [0.1]
    host.runs[0].answer()
    assert smiles(host) == [0.1, 0.4]
    host.runs[1].answer()
    assert smiles(host) == [0.1, 0.4]
    assert host.shown == [Wanted("a", 0.1), Wanted("a", 0.4)]
    assert host.busy == [True, True, False]


def test_the_session_of_the_fill_is_used() -> None:
    host = remembering("a", "b")
    host.live.request(Wanted("b", 1.0))
    job = host.runs[0].job
    assert (job.session_id, job.index, job.source) == ("fill", 1, None)
    assert job.routing_key == "key of fill"


def test_without_a_session_the_recipe_is_sent_once() -> None:
    host = Host()
    host.live.request(Wanted("a", 1.0))
    assert host.runs[0].job.session_id == ""
    assert host.runs[0].job.source == RecipeSource(recipe="a", attachment=b"x")
    host.runs[0].answer("new")
    host.live.request(Wanted("a", 2.0))
    assert (host.runs[1].job.session_id, host.runs[1].job.index) == ("new", 0)
    assert host.runs[1].job.routing_key == "key of new"
    assert host.live.session_of("a") == Session("new", 0, "key of new")
    assert host.live.session_of("b") is None


def test_a_session_that_the_daemon_forgot_gives_way_to_the_recipe() -> None:
    host = remembering("a")
    host.live.request(Wanted("a", 1.0))
    host.live.request(Wanted("a", 2.0))
    host.runs[0].fail(NotFoundError("There is no session."))
    assert host.runs[1].job.source is not None
    assert smiles(host) == [1.0, 1.0], "what is under way is finished first"
    host.runs[1].answer("new")
    assert (host.runs[2].job.session_id, smiles(host)[2]) == ("new", 2.0)
    assert host.errors == []


def test_a_recipe_that_the_daemon_does_not_know_is_refused() -> None:
    host = Host()
    host.live.request(Wanted("a", 1.0))
    host.live.request(Wanted("a", 2.0))
    error = NotFoundError("There is no model.")
    host.runs[0].fail(error)
    assert host.errors == [error]
    assert len(host.runs) == 1, "what waits is given up too"
    assert not host.live.is_busy
    host.live.request(Wanted("a", 3.0))
    assert smiles(host) == [1.0, 3.0]


def test_what_cannot_be_asked_for_is_refused() -> None:
    host = Host()
    host.unusable = "a"
    host.live.request(Wanted("a", 1.0))
    assert [str(error) for error in host.errors] == ["The image was resized."]
    assert host.runs == []
    assert host.busy == [True, False]


def test_what_is_shown_already_is_not_rendered() -> None:
    host = remembering("a")
    host.live.request(Wanted("a", 1.0))
    host.runs[0].answer()
    host.live.request(Wanted("a", 1.0))
    assert len(host.runs) == 1
    host.live.request(Wanted("a", 2.0))
    host.live.request(Wanted("a", 2.0))
    host.runs[1].answer()
    assert len(host.runs) == 2, "the slider came back to where it is"
    assert not host.live.is_busy


@pytest.mark.parametrize("done_first", [True, False])
def test_the_next_begins_when_the_last_is_done_and_shown(done_first: bool) -> None:
    host = Host(slow=True)
    host.live.remember("a", Session("fill", 0))
    host.live.request(Wanted("a", 1.0))
    host.live.request(Wanted("a", 2.0))
    host.runs[0].accept()
    host.runs[0].arrive()
    (written,) = host.pending
    steps = [host.runs[0].end, written]
    for step in steps if done_first else reversed(steps):
        assert len(host.runs) == 1
        step()
    assert smiles(host) == [1.0, 2.0]


def test_after_a_stop_nothing_more_is_shown() -> None:
    host = remembering("a")
    host.live.request(Wanted("a", 1.0))
    host.live.request(Wanted("a", 2.0))
    host.live.stop()
    assert host.runs[0].is_cancelled
    host.runs[0].answer()
    assert (host.shown, len(host.runs), host.live.is_busy) == ([], 1, False)
    host.live.request(Wanted("a", 3.0))
    host.runs[0].end()
    assert host.live.is_busy, "an earlier rendering does not end this one"
    host.runs[1].answer()
    assert host.shown == [Wanted("a", 3.0)]


def test_a_source_that_comes_after_a_stop_is_not_sent() -> None:
    host = Host(slow=True)
    host.live.request(Wanted("a", 1.0))
    host.live.stop()
    for act in host.pending:
        act()
    assert host.runs == []
    assert not host.live.is_busy


def test_an_empty_session_is_none() -> None:
    host = Host()
    host.live.remember("a", Session("", 0))
    host.live.request(Wanted("a", 1.0))
    host.runs[0].answer(session="")
    host.live.request(Wanted("a", 2.0))
    assert host.runs[1].job.source is not None


def test_an_image_that_cannot_be_shown_is_refused() -> None:
    host = Host(slow=True)
    host.live.remember("a", Session("fill", 0))
    host.live.request(Wanted("a", 1.0))
    host.runs[0].answer()
    host.live.refuse(InputError("The layer is gone."))
    assert not host.live.is_busy
    host.pending[0]()
    assert host.busy == [True, False]
