"""The thread that hosts rely on: it answers once, stops at once, and finds the daemon again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from eventually import eventually
from fake_daemon import FakeDaemon, Script
from inpaint_client import (
    BlockingClient,
    Candidate,
    ConnectionLostError,
    DaemonNotFoundError,
    Done,
    Endpoint,
    Failed,
    FillJob,
    InpaintError,
    Message,
    Progress,
    RequestCancelledError,
    ResourceExhaustedError,
    Run,
    UnavailableError,
    Waiting,
    Worker,
    parse_endpoint,
    seed_sequence,
)
from inpaint_client.worker import _delays

Jobs = Callable[..., FillJob]


class Inbox:
    """Collects messages; `until` waits for the first of a kind."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.threads: set[str] = set()
        self._queue: SimpleQueue[Message] = SimpleQueue()

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        self.threads.add(threading.current_thread().name)
        self._queue.put(message)

    def until(self, kind: type[Any]) -> Any:
        while True:
            message = self._queue.get(timeout=20)
            if isinstance(message, kind):
                return message


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def worker_for(daemon: FakeDaemon, patience_s: float = 0) -> Worker:
    return Worker(lambda: parse_endpoint(daemon.address, daemon.service.script.token), patience_s)


def endings(messages: list[Message]) -> int:
    return sum(isinstance(message, (Done, Failed)) for message in messages)


def test_events_arrive_in_the_workers_thread_and_end_once(
    daemon: FakeDaemon, job: Jobs, inbox: Inbox
) -> None:
    worker = worker_for(daemon)
    run = worker.submit(job(), inbox)
    assert run.wait(20)
    assert run.is_finished
    worker.close()
    assert inbox.threads == {"inpaint-client"}
    assert isinstance(inbox.messages[-1], Done)
    assert endings(inbox.messages) == 1


def test_cancel_takes_effect_at_once(slow_daemon: FakeDaemon, job: Jobs, inbox: Inbox) -> None:
    worker = worker_for(slow_daemon)
    run = worker.submit(job(count=50), inbox)
    inbox.until(Progress)
    seen = len(inbox.messages)
    run.cancel()
    assert run.wait(20)
    *late, ending = inbox.messages[seen:]
    assert len(late) <= 1  # of 50 candidates: what came while `cancel` was called
    assert isinstance(ending, Failed)
    assert isinstance(ending.error, RequestCancelledError)
    run.cancel()  # once more does no harm
    worker.close()
    assert eventually(lambda: slow_daemon.service.cancelled == ["session-1"])
    assert endings(inbox.messages) == 1


def test_cancel_at_any_moment_ends_the_run_once(daemon: FakeDaemon, job: Jobs) -> None:
    """From the event in hand, whichever it is: also from the last one."""
    for moment in range(11):
        worker = worker_for(daemon)
        seen: list[Message] = []
        ready = threading.Event()
        runs: list[Run] = []

        def receive(
            message: Message,
            seen: list[Message] = seen,
            ready: threading.Event = ready,
            runs: list[Run] = runs,
            moment: int = moment,
        ) -> None:
            ready.wait(20)
            seen.append(message)
            if len(seen) == moment + 1:
                runs[0].cancel()

        runs.append(worker.submit(job(), receive))
        ready.set()
        assert runs[0].wait(20)
        worker.close()
        assert endings(seen) == 1
        assert isinstance(seen[-1], (Done, Failed))
        assert len(seen) <= moment + 2


def test_changing_the_daemon_leaves_runs_alone(job: Jobs, inbox: Inbox) -> None:
    with FakeDaemon(Script(delay_s=0.05)) as first, FakeDaemon() as second:
        where = [first]
        worker = Worker(lambda: parse_endpoint(where[-1].address))
        run = worker.submit(job(count=10), inbox)
        inbox.until(Candidate)
        where.append(second)
        worker.submit(job(), Inbox()).wait(20)
        assert run.wait(20)
        worker.close()
        assert len(second.service.fills) == 1
    assert isinstance(inbox.messages[-1], Done)


def test_a_daemon_that_exited_after_it_was_found_is_searched_for_once_more(
    daemon: FakeDaemon, job: Jobs, inbox: Inbox
) -> None:
    with FakeDaemon() as other:
        gone = parse_endpoint(other.address)
    there = parse_endpoint(daemon.address, daemon.service.script.token)
    for found, ending in (([gone, there], Done), ([gone, gone, there], Failed)):
        worker = Worker(iter(found).__next__)
        worker.submit(job(), inbox).wait(20)
        worker.close()
        assert isinstance(inbox.messages[-1], ending)
    last = inbox.messages[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, DaemonNotFoundError)


def test_cancel_before_it_has_begun(slow_daemon: FakeDaemon, job: Jobs, inbox: Inbox) -> None:
    """Even while the search for the daemon hangs."""
    hang = threading.Event()

    def locate() -> Endpoint:
        hang.wait(20)
        return parse_endpoint(slow_daemon.address, "secret")

    worker = Worker(locate)
    run = worker.submit(job(), inbox)
    run.cancel()
    assert run.wait(5)
    assert isinstance(inbox.messages[0], Failed)
    worker.close()
    hang.set()
    assert not slow_daemon.service.fills


def test_errors_are_messages(daemon: FakeDaemon, job: Jobs, inbox: Inbox) -> None:
    worker = worker_for(daemon)
    worker.submit(job(model="fail:INTERNAL:1"), inbox).wait(20)
    worker.close()
    assert isinstance(inbox.messages[-1], Failed)
    assert "INTERNAL" in str(inbox.messages[-1].error)
    assert any(isinstance(message, Candidate) for message in inbox.messages)


def test_a_receiver_that_fails_ends_the_run(
    slow_daemon: FakeDaemon, job: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[Message] = []

    def receive(message: Message) -> None:
        seen.append(message)
        if isinstance(message, Candidate):
            raise RuntimeError("a bug of the host")

    worker = worker_for(slow_daemon)
    assert worker.submit(job(count=50), receive).wait(20)
    worker.close()
    assert isinstance(seen[-1], Failed)
    assert "a bug of the host" in str(seen[-1].error)
    assert "a bug of the host" in caplog.text
    assert eventually(lambda: slow_daemon.service.cancelled == ["session-1"])


def test_several_runs_at_once(daemon: FakeDaemon, job: Jobs) -> None:
    worker = worker_for(daemon)
    boxes = [Inbox() for _ in range(8)]
    runs = [worker.submit(job(seeds=seed_sequence(n, 4)), box) for n, box in enumerate(boxes)]
    assert all(run.wait(20) for run in runs)
    worker.close()
    for n, box in enumerate(boxes):
        seeds = [message.seed for message in box.messages if isinstance(message, Candidate)]
        assert seeds == [n, n + 1, n + 2, n + 3]


def test_closing_cancels_what_is_under_way(
    slow_daemon: FakeDaemon, job: Jobs, inbox: Inbox
) -> None:
    worker = worker_for(slow_daemon)
    run = worker.submit(job(count=50), inbox)
    inbox.until(Candidate)
    worker.close()
    assert run.is_finished
    assert isinstance(inbox.messages[-1], Failed)
    worker.close()  # once more does no harm


def test_a_run_waits_for_a_daemon_that_is_loading(job: Jobs, inbox: Inbox) -> None:
    with FakeDaemon(Script(fail="UNAVAILABLE")) as daemon:
        worker = worker_for(daemon, patience_s=20)
        run = worker.submit(job(), inbox)
        assert eventually(lambda: bool(daemon.service.fills))
        daemon.service.script.fail = ""
        assert run.wait(20)
        worker.close()
    assert isinstance(inbox.messages[-1], Done)
    assert not any(isinstance(message, Failed) for message in inbox.messages)


def test_patience_is_limited(job: Jobs, inbox: Inbox) -> None:
    with FakeDaemon(Script(fail="UNAVAILABLE")) as daemon:
        worker = worker_for(daemon, patience_s=0.3)
        assert worker.submit(job(), inbox).wait(20)
        worker.close()
        assert len(daemon.service.fills) == 1 + len(list(_delays(0.3)))
    assert isinstance(inbox.messages[-1], Failed)
    assert type(inbox.messages[-1].error) is UnavailableError


def test_a_run_retries_a_busy_daemon_and_reports_it(job: Jobs, inbox: Inbox) -> None:
    with FakeDaemon(Script(busy=2)) as daemon:
        worker = worker_for(daemon)
        assert worker.submit(job(), inbox).wait(20)
        worker.close()
    waits = [message.seconds for message in inbox.messages if isinstance(message, Waiting)]
    assert len(waits) == 2
    assert 0.05 <= waits[0] <= 0.075
    assert 0.1 <= waits[1] <= 0.15
    assert isinstance(inbox.messages[-1], Done)


def test_a_daemon_that_stays_busy_is_reported(job: Jobs, inbox: Inbox) -> None:
    with FakeDaemon(Script(busy=9)) as daemon:
        worker = worker_for(daemon)
        assert worker.submit(job(), inbox).wait(20)
        worker.close()
    failed = inbox.messages[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ResourceExhaustedError)
    assert failed.error.code == "QUEUE_FULL"
    assert str(failed.error) == "The queue is full: 3 requests are waiting. Try again in a moment."


def test_what_has_begun_ends_if_no_other_daemon_comes(
    start_daemon: Callable[..., Any], job: Jobs, inbox: Inbox
) -> None:
    process = start_daemon("--delay", "0.2")
    worker = Worker(lambda: parse_endpoint(process.address), patience_s=0.5)
    run = worker.submit(job(count=50), inbox)
    inbox.until(Candidate)
    process.kill()
    assert run.wait(20)
    worker.close()
    assert isinstance(inbox.messages[-1], Failed)
    assert type(inbox.messages[-1].error) is ConnectionLostError


def test_a_daemon_restarted_elsewhere_is_found_again(job: Jobs) -> None:
    where: list[FakeDaemon] = []
    with BlockingClient(lambda: parse_endpoint(where[-1].address, "t")) as client:
        for _ in range(2):
            with FakeDaemon(Script(token="t")) as daemon:
                where.append(daemon)
                assert isinstance(list(client.fill(job()))[-1], Done)
                assert client.info().version == "0.0-fake"


def test_errors_of_the_search_reach_the_caller(job: Jobs, inbox: Inbox) -> None:
    def locate() -> Endpoint:
        raise DaemonNotFoundError("Nobody.")

    worker = Worker(locate)
    assert worker.submit(job(), inbox).wait(20)
    with pytest.raises(DaemonNotFoundError):
        worker.call(lambda client: client.info()).result(20)
    worker.close()
    [message] = inbox.messages
    assert isinstance(message, Failed)
    assert isinstance(message.error, DaemonNotFoundError)


def test_a_bug_inside_still_ends_the_run(job: Jobs, inbox: Inbox) -> None:
    def locate() -> Endpoint:
        raise ZeroDivisionError("oops")

    worker = Worker(locate)
    assert worker.submit(job(), inbox).wait(20)
    worker.close()
    [message] = inbox.messages
    assert isinstance(message, Failed)
    assert type(message.error) is InpaintError
    assert "oops" in str(message.error)


@pytest.mark.parametrize("total", [0.0, 0.05, 0.3, 10.0, 30.0])
def test_the_pauses_add_up(total: float) -> None:
    pauses = list(_delays(total))
    assert sum(pauses) == pytest.approx(total)
    assert all(0 < pause <= 2 for pause in pauses)
