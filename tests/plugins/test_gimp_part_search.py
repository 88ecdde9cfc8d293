"""Searching for a part of a face while a window waits, against a daemon."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Generator, Iterator

import pytest
from fake_daemon import FakeDaemon, Script
from fake_gimp_image import FakeImage, layer
from inpaint_client import (
    DaemonNotFoundError,
    Endpoint,
    Extent,
    InpaintError,
    InputError,
    Limits,
    Part,
    Picture,
    ProgramNotFoundError,
    SegmentJob,
    Worker,
    parse_endpoint,
)
from inpaint_gimp.app.part_search import PartSearch
from inpaint_gimp.app.state import Phase, State
from inpaint_gimp.runs.segment import segment_job_in_steps
from inpaint_gimp.runs.steps import run_all


class Reading:
    """Reading of an image, in one turn of the window's loop."""

    def __init__(
        self,
        turns: queue.Queue[Callable[[], None]],
        steps: Generator[None, None, SegmentJob],
        done: Callable[[SegmentJob], None],
        failed: Callable[[InpaintError], None],
    ) -> None:
        self.is_canceled = False

        def turn() -> None:
            if self.is_canceled:
                return
            try:
                job = run_all(steps)
            except InpaintError as error:
                failed(error)
            else:
                done(job)

        turns.put(turn)

    def cancel(self) -> None:
        self.is_canceled = True


class Window:
    """Records what the search shows and finds; its loop runs in the test's thread."""

    def __init__(self, worker: Worker) -> None:
        self.turns: queue.Queue[Callable[[], None]] = queue.Queue()
        self.image = FakeImage(Extent(60, 40), [layer(60, 40)], None)
        self.states: list[State] = []
        self.masks: list[Picture] = []
        self.refusal: InpaintError | None = None
        self.readings: list[Reading] = []
        self.search = PartSearch(
            worker, self.turns.put, self.read, self.job_of, self.states.append, self.found
        )

    def read(
        self,
        steps: Generator[None, None, SegmentJob],
        done: Callable[[SegmentJob], None],
        failed: Callable[[InpaintError], None],
    ) -> Reading:
        self.readings.append(Reading(self.turns, steps, done, failed))
        return self.readings[-1]

    def job_of(self, part: Part, limits: Limits) -> Generator[None, None, SegmentJob]:
        return segment_job_in_steps(self.image, part, limits)

    def found(self, mask: Picture) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.masks.append(mask)

    def until_it_ends(self) -> State:
        end = time.monotonic() + 20
        while self.search.is_running:
            self.turns.get(timeout=max(0.01, end - time.monotonic()))()
        return self.states[-1]


@pytest.fixture
def daemon() -> Iterator[FakeDaemon]:
    with FakeDaemon(Script()) as running:
        yield running


@pytest.fixture
def window(daemon: FakeDaemon) -> Iterator[Window]:
    worker = Worker(lambda: parse_endpoint(daemon.address))
    yield Window(worker)
    worker.close()


def test_a_part_is_found_and_every_step_is_shown(window: Window, daemon: FakeDaemon) -> None:
    window.search.find(Part.MOUTH)
    window.search.find(Part.HAIR)  # while one is running
    assert window.until_it_ends() == State(Phase.IDLE, "")
    assert [state.status.split()[0] for state in window.states[:-1]] == [
        "Looking",
        "Reading",
        "Analyzing",
    ]
    assert {state.phase for state in window.states[:-1]} == {Phase.CONNECTING}
    (mask,) = window.masks
    assert mask.extent == Extent(60, 40)
    assert max(mask.data) == 255
    (asked,) = daemon.service.segments
    assert list(asked.parts) == [Part.MOUTH.value]


def test_no_face_is_said_and_another_part_can_be_chosen(window: Window) -> None:
    window.image.drawables[0].rgba[:] = 200
    window.search.find(Part.EYES)
    state = window.until_it_ends()
    assert (state.phase, state.is_error) == (Phase.IDLE, True)
    assert state.status.startswith("No face was found")
    assert window.masks == []
    window.image.drawables[0].rgba[:20] = 100
    window.search.find(Part.EYES)
    assert not window.until_it_ends().is_error
    assert len(window.masks) == 1


def test_a_closed_image_is_said(window: Window) -> None:
    window.refusal = InputError("The image was closed.", "")
    window.search.find(Part.EYES)
    assert window.until_it_ends().status == "The image was closed."


@pytest.mark.parametrize("kind", [DaemonNotFoundError, ProgramNotFoundError])
def test_an_unreachable_daemon_is_said_and_asked_again(
    daemon: FakeDaemon, kind: type[DaemonNotFoundError]
) -> None:
    problems = [kind("Nothing there.", "Start it.")]

    def locate() -> Endpoint:
        if problems:
            raise problems.pop()
        return parse_endpoint(daemon.address)

    worker = Worker(locate)
    window = Window(worker)
    window.search.retry()  # of nothing
    assert window.states == []
    window.search.find(Part.EYES)
    state = window.until_it_ends()
    assert (state.phase, state.is_error) == (Phase.UNREACHABLE, True)
    assert state.status == "Nothing there. Start it."
    assert state.lacks_program == (kind is ProgramNotFoundError)
    window.search.retry()
    assert not window.until_it_ends().is_error
    worker.close()
    assert len(window.masks) == 1


def test_what_the_locator_reports_is_shown_only_during_a_search(window: Window) -> None:
    window.search.report("Starting the daemon… 1 s")
    window.turns.get()()
    assert window.states == []
    window.search.find(Part.EYES)
    window.search.report("Starting the daemon… 2 s")
    window.until_it_ends()
    assert "Starting the daemon… 2 s" in [state.status for state in window.states]


def test_a_closed_search_reads_and_shows_nothing_more(window: Window) -> None:
    window.search.find(Part.EYES)
    window.turns.get(timeout=20)()  # the daemon has answered, and reading has begun
    (reading,) = window.readings
    window.search.close()
    assert reading.is_canceled
    shown = len(window.states)
    while not window.turns.empty():
        window.turns.get()()
    window.search.find(Part.EYES)
    assert len(window.states) == shown
    assert window.masks == []


def test_an_exception_ends_the_search(window: Window) -> None:
    window.search.find(Part.EYES)
    window.turns.get(timeout=20)()
    window.search.fail("Something went wrong.")
    assert window.states[-1] == State(Phase.IDLE, "Something went wrong.", is_error=True)
    assert window.readings[0].is_canceled
    window.search.find(Part.EYES)
    window.until_it_ends()
    assert len(window.masks) == 1
