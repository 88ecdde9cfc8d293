"""The worker: order, cancel, deadlines, slow readers, failures. No model, no network."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from engines import count_to, everything, run
from eventually import eventually_async
from inpaint_server.errors import DeadlineExceededError, ResourceExhaustedError, UnavailableError
from inpaint_server.scheduling.engine import (
    MAX_IN_FLIGHT,
    PAUSE,
    Engine,
    Job,
    Pause,
    Steps,
)
from inpaint_server.scheduling.shares import Priority


def refuses(engine: Engine[str]) -> bool:
    """Whether it takes no more work."""
    try:
        engine.submit(lambda home: count_to(1), Priority.BACKGROUND)
    except UnavailableError:
        return True
    return False


class Gate:
    """Work that holds the worker until the test lets it go."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def steps(self, home: str) -> Steps[str]:
        self.entered.set()
        assert self.open.wait(20)
        yield "gate"

    async def hold(self, engine: Engine[str]) -> Job[str, str]:
        job, _ = engine.submit(self.steps)
        await asyncio.to_thread(self.entered.wait, 20)
        return job


def test_results_arrive_in_order() -> None:
    async def body(engine: Engine[str]) -> None:
        job, before = engine.submit(lambda home: count_to(50))
        assert before == 0
        assert await everything(job) == list(range(50))
        assert engine.queue_length == 0

    run(body)


def test_edits_go_before_fills_and_fills_before_background_work() -> None:
    order: list[str] = []

    def named(name: str) -> Callable[[str], Steps[None]]:
        def steps(home: str) -> Steps[None]:
            order.append(name)
            yield None
            order.append(name)

        return steps

    async def body(engine: Engine[str]) -> None:
        gate = Gate()
        await gate.hold(engine)
        jobs = [
            engine.submit(named("background"), Priority.BACKGROUND),
            engine.submit(named("first fill")),
            engine.submit(named("second fill")),
            engine.submit(named("edit"), Priority.EDIT),
        ]
        assert [before for _, before in jobs] == [1, 1, 2, 0]
        gate.open.set()
        for job, _ in jobs:
            await everything(job)
        assert order == [
            n for n in ("edit", "first fill", "second fill", "background") for _ in "12"
        ]

    run(body)


def test_an_edit_interrupts_a_fill_between_two_steps() -> None:
    order: list[str] = []

    async def body(engine: Engine[str]) -> None:
        gate = Gate()

        def fill(home: str) -> Steps[None]:
            order.append("fill 1")
            gate.entered.set()
            assert gate.open.wait(20)
            yield None
            order.append("fill 2")
            yield None

        def edit(home: str) -> Steps[None]:
            order.append("edit")
            yield None

        first, _ = engine.submit(fill)
        await asyncio.to_thread(gate.entered.wait, 20)
        second, _ = engine.submit(edit, Priority.EDIT)
        gate.open.set()
        await everything(second)
        await everything(first)
        assert order == ["fill 1", "edit", "fill 2"]

    run(body)


def test_a_burst_may_come_before_an_idle_worker_wakes() -> None:
    async def body() -> None:
        engine = Engine(["one"], max_queue=4)
        jobs = [engine.submit(lambda home: count_to(1))[0] for _ in range(5)]
        with pytest.raises(ResourceExhaustedError, match="queue is full"):
            engine.submit(lambda home: count_to(1))
        engine.start()
        try:
            for job in jobs:
                assert await asyncio.wait_for(everything(job), 20) == [0]
        finally:
            engine.stop()

    asyncio.run(body())


def test_a_full_queue_refuses_and_later_accepts() -> None:
    async def body(engine: Engine[str]) -> None:
        gate = Gate()
        held = await gate.hold(engine)
        waiting = [engine.submit(lambda home: count_to(1))[0] for _ in range(4)]
        assert engine.queue_length == 4
        with pytest.raises(ResourceExhaustedError, match="queue is full"):
            engine.submit(lambda home: count_to(1))
        engine.submit(lambda home: count_to(1), Priority.BACKGROUND)
        waiting[0].cancel()
        waiting.append(engine.submit(lambda home: count_to(1))[0])
        gate.open.set()
        assert await everything(held) == ["gate"]
        for job in waiting[1:]:
            assert await everything(job) == [0]

    run(body)


def test_cancel_stops_between_steps_and_closes_the_generator() -> None:
    taken: list[int] = []
    closed = threading.Event()

    def steps(home: str) -> Generator[int, None, None]:
        try:
            for k in range(10**6):
                taken.append(k)
                yield k
        finally:
            closed.set()

    async def body(engine: Engine[str]) -> None:
        job, _ = engine.submit(steps)
        async for result in job.results():
            if result == 3:
                break
        job.cancel()
        assert await asyncio.to_thread(closed.wait, 20)
        assert len(taken) <= 4 + MAX_IN_FLIGHT + 1
        other, _ = engine.submit(lambda home: count_to(2))
        assert await everything(other) == [0, 1]

    run(body)


def test_cancelled_before_its_start_it_never_runs() -> None:
    async def body(engine: Engine[str]) -> None:
        gate = Gate()
        await gate.hold(engine)
        started = threading.Event()

        def steps(home: str) -> Steps[None]:
            started.set()
            yield None

        job, _ = engine.submit(steps)
        job.cancel()
        gate.open.set()
        after, _ = engine.submit(lambda home: count_to(1))
        await everything(after)
        assert not started.is_set()

    run(body)


def test_a_passed_deadline_ends_it() -> None:
    async def body(engine: Engine[str]) -> None:
        job, _ = engine.submit(lambda home: count_to(1), deadline=time.monotonic() - 1)
        with pytest.raises(DeadlineExceededError):
            await everything(job)

    run(body)


def test_a_reader_that_does_not_read_delays_no_other() -> None:
    taken: list[int] = []

    def steps(home: str) -> Steps[int]:
        for k in range(20):
            taken.append(k)
            yield k

    async def body(engine: Engine[str]) -> None:
        unread, _ = engine.submit(steps)
        other, _ = engine.submit(lambda home: count_to(3))
        assert await everything(other) == [0, 1, 2]
        assert len(taken) == MAX_IN_FLIGHT
        assert await everything(unread) == list(range(20))

    run(body)


def test_a_pause_lasts_until_the_reader_has_dealt_with_what_came_before() -> None:
    order: list[str] = []

    def pausing(home: str) -> Steps[str | Pause]:
        yield "first"
        yield PAUSE
        order.append("second")
        yield "second"

    def named(name: str) -> Callable[[str], Steps[None]]:
        def steps(home: str) -> Steps[None]:
            order.append(name)
            yield None

        return steps

    async def body(engine: Engine[str]) -> None:
        job, _ = engine.submit(pausing)
        later, _ = engine.submit(named("later"))
        seen = []
        async for result in job.results():
            seen.append(result)
            if result == "first":
                await everything(engine.submit(named("edit"), Priority.EDIT)[0])
                order.append("dealt with")
        await everything(later)
        assert seen == ["first", "second"]
        assert order.index("edit") < order.index("dealt with") < order.index("second")

    run(body)


@pytest.mark.slow
def test_a_pause_delays_others_only_briefly() -> None:
    def pausing(home: str) -> Steps[int | Pause]:
        yield 1
        yield PAUSE
        yield 2

    async def body(engine: Engine[str]) -> None:
        unread, _ = engine.submit(pausing)
        other, _ = engine.submit(lambda home: count_to(3))
        assert await everything(other) == [0, 1, 2]
        assert await everything(unread) == [1, 2]

    run(body)


def test_a_pause_goes_before_later_work() -> None:
    order: list[str] = []
    gate = Gate()

    def pausing(home: str) -> Steps[str | Pause]:
        gate.entered.set()
        assert gate.open.wait(20)
        yield "first"
        yield PAUSE
        order.append("goes on")
        yield "second"

    def later(home: str) -> Steps[None]:
        order.append("later")
        yield None

    async def body(engine: Engine[str]) -> None:
        job, _ = engine.submit(pausing)
        other, _ = engine.submit(later)
        gate.open.set()
        await everything(job)
        await everything(other)
        assert order == ["goes on", "later"]

    run(body, patience_s=20.0)  # the machine may be busy


def test_nothing_unread_needs_no_pause() -> None:
    def steps(home: str) -> Steps[int | Pause]:
        yield PAUSE
        yield PAUSE
        yield 1

    async def body(engine: Engine[str]) -> None:
        job, _ = engine.submit(steps)
        assert await everything(job) == [1]

    run(body)


@pytest.mark.slow
def test_a_job_cancelled_in_a_pause_ends() -> None:
    closed = threading.Event()

    def steps(home: str) -> Steps[int | Pause]:
        try:
            yield 1
            yield PAUSE
            yield 2
        finally:
            closed.set()

    async def body(engine: Engine[str]) -> None:
        job, _ = engine.submit(steps)
        async for _ in job.results():
            await everything(engine.submit(lambda home: count_to(1))[0])
            break
        job.cancel()
        assert await asyncio.to_thread(closed.wait, 20)
        assert await everything(engine.submit(lambda home: count_to(1))[0]) == [0]

    run(body)


def test_the_worker_is_prepared_before_all_work() -> None:
    threads: list[str] = []

    def here() -> str:
        return f" {threading.current_thread().name}"

    async def body() -> None:
        engine = Engine(["one"], 4, on_start=lambda home: threads.append(home + here()))
        engine.start()
        assert await everything(engine.submit(lambda home: count_to(1))[0]) == [0]
        engine.stop()

    asyncio.run(body())
    assert threads == ["one device-0"]


def test_an_error_in_a_step_reaches_its_reader_and_the_worker_continues() -> None:
    def steps(home: str) -> Steps[int]:
        yield 1
        raise ZeroDivisionError("planted")

    async def body(engine: Engine[str]) -> None:
        job, _ = engine.submit(steps)
        with pytest.raises(ZeroDivisionError, match="planted"):
            await everything(job)
        after, _ = engine.submit(lambda home: count_to(1))
        assert await everything(after) == [0]
        assert engine.health_problem(60) is None

    run(body)


def test_a_lost_device_ends_all_work_and_is_reported_once() -> None:
    reported: list[str] = []
    sentence = "the device failed (CUDA error: unspecified launch failure); try again"

    def losing(home: str) -> Steps[None]:
        raise MemoryError("CUDA error: unspecified launch failure.\nCompile with ...")
        yield None

    async def body() -> None:
        engine = Engine(
            ["one", "other"],
            8,
            is_fatal=lambda error: isinstance(error, MemoryError),
            on_failure=reported.append,
            remedy="try again",
        )
        gates = Gate(), Gate()
        losers = [engine.submit(losing, home=home)[0] for home in engine.homes]
        for gate, home in zip(gates, engine.homes, strict=True):
            engine.submit(gate.steps, Priority.EDIT, home=home)
        waiting, _ = engine.submit(lambda home: count_to(1))
        engine.start()
        try:
            for gate in gates:
                assert await asyncio.to_thread(gate.entered.wait, 20)
                gate.open.set()
            jobs: list[Job[Any, Any]] = [*losers, waiting]
            for job in jobs:
                with pytest.raises(UnavailableError) as raised:
                    await asyncio.wait_for(everything(job), 20)
                assert str(raised.value) == sentence
            with pytest.raises(UnavailableError, match="try again"):
                engine.submit(lambda home: count_to(1))
            assert engine.has_failed
            assert engine.health_problem(60) == sentence
            assert reported == [sentence]
        finally:
            engine.stop()

    asyncio.run(body())


def test_two_workers_share_one_queue() -> None:
    """Both take from it at the same time, and each keeps what it has begun."""
    at_once = threading.Barrier(2)
    homes: dict[str, list[str]] = {"a": [], "b": []}

    def named(name: str) -> Callable[[str], Steps[None]]:
        def steps(home: str) -> Steps[None]:
            at_once.wait(20)
            for _ in range(10):
                homes[name].append(home)
                yield None

        return steps

    async def body(engine: Engine[str]) -> None:
        jobs = [engine.submit(named(name))[0] for name in homes]
        for job in jobs:
            await everything(job)
        assert sorted(set(homes["a"] + homes["b"])) == ["one", "other"]
        assert [len(set(taken)) for taken in homes.values()] == [1, 1]

    run(body, ["one", "other"])


def test_work_that_belongs_to_a_worker_waits_for_it() -> None:
    seen: list[str] = []

    def noting(home: str) -> Steps[str]:
        seen.append(home)
        yield home

    async def body(engine: Engine[str]) -> None:
        gate = Gate()
        held, _ = engine.submit(gate.steps, home="one")
        assert await asyncio.to_thread(gate.entered.wait, 20)
        bound, _ = engine.submit(noting, Priority.EDIT, home="one")
        free, _ = engine.submit(noting)
        assert await everything(free) == ["other"], "an idle worker takes what anybody may take"
        assert engine.busy == [True, False]
        gate.open.set()
        assert await everything(bound) == ["one"]
        await everything(held)
        assert seen == ["other", "one"]

    run(body, ["one", "other"])


def test_a_stalled_step_is_trouble() -> None:
    async def body(engine: Engine[str]) -> None:
        gate = Gate()
        held = await gate.hold(engine)
        assert engine.health_problem(60) is None
        assert "more than" in (engine.health_problem(-1) or "")
        gate.open.set()
        await everything(held)

    run(body)


def test_stopping_refuses_what_waits() -> None:
    async def body(engine: Engine[str]) -> None:
        gate = Gate()
        await gate.hold(engine)
        waiting, _ = engine.submit(lambda home: count_to(1))
        stopped = asyncio.create_task(asyncio.to_thread(engine.stop))
        assert await eventually_async(lambda: refuses(engine))
        gate.open.set()
        await stopped
        with pytest.raises(UnavailableError, match="shutting down"):
            await everything(waiting)
        with pytest.raises(UnavailableError, match="shutting down"):
            engine.submit(lambda home: count_to(1))

    run(body)
