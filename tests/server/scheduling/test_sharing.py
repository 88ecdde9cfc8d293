"""The workers share out their devices: clients, lanes, steps that are taken together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from engines import count_to, everything, run
from inpaint_server.errors import ResourceExhaustedError, UnavailableError
from inpaint_server.scheduling.engine import PAUSE, Engine, Job, Joint, Pause, Steps
from inpaint_server.scheduling.shares import Priority

run_stopped = partial(run, max_queue=8, is_started=False)  # until all work waits


def nothing(home: str) -> Steps[None]:
    yield None


def test_workers_are_counted_on_all_devices() -> None:
    """Two devices with three workers each, of which one holds a step."""

    async def body(engine: Engine[str]) -> None:
        engine.start()
        gate, entered = threading.Event(), threading.Event()

        def hold(home: str) -> Steps[None]:
            entered.set()
            gate.wait(10)
            yield None

        assert (engine.busy_workers, engine.workers) == (0, 6)
        job, _ = engine.submit(hold)
        await asyncio.to_thread(entered.wait, 10)
        assert (engine.busy_workers, engine.workers) == (1, 6)
        assert sorted(engine.busy) == [False, True]
        gate.set()
        await everything(job)

    run_stopped(body, homes=("one", "two"), lanes=3)


# -- Clients ---------------------------------------------------------------------------------------


def test_a_long_request_does_not_keep_another_client_waiting() -> None:
    taken = 0

    def flood(home: str) -> Steps[None]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            time.sleep(0.01)
            yield None

    def fill(home: str) -> Steps[None]:
        for _ in range(5):
            time.sleep(0.01)
            yield None

    async def body(engine: Engine[str]) -> None:
        engine.start()
        long, _ = engine.submit(flood, client="a")
        reader = asyncio.create_task(everything(long))
        await asyncio.sleep(0.05)
        short, _ = engine.submit(fill, client="b")
        assert len(await everything(short)) == 5
        assert taken < 500
        long.cancel()
        await reader

    run_stopped(body)


def test_a_client_that_waits_for_nothing_has_room_in_a_full_queue() -> None:
    async def body(engine: Engine[str]) -> None:
        jobs = [engine.submit(nothing, client="a")[0] for _ in range(4)]
        for client in "abcd":
            if client == "a":
                with pytest.raises(ResourceExhaustedError, match="queue is full"):
                    engine.submit(nothing, client=client)
            else:
                jobs.append(engine.submit(nothing, client=client)[0])
        with pytest.raises(ResourceExhaustedError, match="queue is full"):
            engine.submit(nothing, client="e")
        engine.start()
        for job in jobs:
            await everything(job)

    run_stopped(body, max_queue=3)


def test_the_position_counts_as_much_of_others_as_of_oneself() -> None:
    async def body(engine: Engine[str]) -> None:
        positions = [engine.submit(nothing, client=client)[1] for client in "aaaabba"]
        assert positions == [0, 1, 2, 3, 1, 3, 6]
        assert engine.submit(nothing, Priority.EDIT, client="c")[1] == 0
        assert engine.submit(nothing, client="c")[1] == 1 + 2 + 2

    run_stopped(body)


def test_a_pause_does_not_keep_other_clients_waiting() -> None:
    def pausing(home: str) -> Steps[int | Pause]:
        yield 1
        yield PAUSE
        yield 2

    async def body(engine: Engine[str]) -> None:
        engine.start()
        unread, _ = engine.submit(pausing, client="a")
        other, _ = engine.submit(lambda home: count_to(3), client="b")
        assert await everything(other) == [0, 1, 2]
        assert await everything(unread) == [1, 2]

    run_stopped(body, patience_s=60.0)


# -- Lanes -----------------------------------------------------------------------------------------


def test_two_workers_of_one_device_work_at_the_same_time() -> None:
    at_once = threading.Barrier(2)
    told: list[int] = []

    def steps(home: str) -> Steps[str]:
        for _ in range(3):
            at_once.wait(20)
            yield home

    async def body(engine: Engine[str]) -> None:
        jobs = [engine.submit(steps)[0] for _ in range(2)]
        engine.start()
        for job in jobs:
            assert await everything(job) == ["one"] * 3

    run_stopped(body, lanes=2, on_lanes=lambda home, count: told.append(count))
    assert 2 in told


def test_a_request_is_at_one_worker_at_a_time() -> None:
    inside, most = 0, 0

    def steps(home: str) -> Steps[int]:
        nonlocal inside, most
        for k in range(50):
            inside += 1
            most = max(most, inside)
            time.sleep(0.001)
            inside -= 1
            yield k

    async def body(engine: Engine[str]) -> None:
        engine.start()
        job, _ = engine.submit(steps)
        assert await everything(job) == list(range(50))
        assert most == 1

    run_stopped(body, lanes=4)


def test_one_request_alone_has_all_threads() -> None:
    told: list[int] = []

    async def body(engine: Engine[str]) -> None:
        engine.start()
        assert len(await everything(engine.submit(lambda home: count_to(20))[0])) == 20

    run_stopped(body, lanes=4, on_lanes=lambda home, count: told.append(count))
    assert set(told) == {1}


def test_stopping_waits_for_the_step_of_every_lane() -> None:
    entered, go_on = threading.Barrier(3), threading.Event()
    closed = []

    def steps(home: str) -> Steps[int]:
        try:
            entered.wait(20)
            assert go_on.wait(20)
            yield 1
            yield 2
        finally:
            closed.append(home)

    async def body(engine: Engine[str]) -> None:
        jobs = [engine.submit(steps)[0] for _ in range(2)]
        waiting, _ = engine.submit(nothing)
        engine.start()
        await asyncio.to_thread(entered.wait, 20)
        stopped = asyncio.create_task(asyncio.to_thread(engine.stop))
        await asyncio.sleep(0.05)
        go_on.set()
        await stopped
        left: list[Job[str, Any]] = [*jobs, waiting]
        for job in left:
            with pytest.raises(UnavailableError, match="shutting down"):
                await everything(job)
        assert closed == ["one", "one"]

    run_stopped(body, lanes=2)


# -- Steps that are taken together -----------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Letters(Joint):
    """Makes capitals of letters, several at a time."""

    letters: str
    calls: list[str]
    fails: bool = False

    def together(self, others: Sequence[Letters]) -> list[str]:
        self.calls.append("+".join(joint.letters for joint in (self, *others)))
        if self.fails:
            raise MemoryError("planted")
        return [joint.letters.upper() for joint in (self, *others)]


def writing(
    letters: str, calls: list[str], *, most: int = 4, kind: str = "a", fails: bool = False
) -> Callable[[str], Steps[str | Letters]]:
    def steps(home: str) -> Steps[str | Letters]:
        for _ in range(2):
            made = yield Letters(kind, len(letters), most, letters, calls, fails)
            if made is None:
                calls.append(letters)
                made = letters.upper()
            yield made

    return steps


async def written(engine: Engine[str], *works: Callable[[str], Steps[Any]]) -> list[list[str]]:
    """What each made, where all come to their joints before the first of them goes on."""
    jobs = [engine.submit(work, client=str(k))[0] for k, work in enumerate(works)]
    engine.start()
    return [await everything(job) for job in jobs]


def test_steps_of_one_kind_are_taken_together() -> None:
    calls: list[str] = []

    async def body(engine: Engine[str]) -> None:
        made = await written(engine, *(writing(letter, calls) for letter in "abc"))
        assert made == [["A", "A"], ["B", "B"], ["C", "C"]]
        assert any("+" in call for call in calls)

    run_stopped(body, turn_s=0.0)


def test_no_more_than_fit_are_taken_together() -> None:
    calls: list[str] = []

    async def body(engine: Engine[str]) -> None:
        works = [writing(letters, calls, most=3) for letters in ("aa", "bb", "cc")]
        assert await written(engine, *works) == [["AA"] * 2, ["BB"] * 2, ["CC"] * 2]
        assert sorted(calls) == ["aa", "aa", "bb", "bb", "cc", "cc"]

    run_stopped(body, turn_s=0.0)


def test_other_kinds_do_not_go_together() -> None:
    calls: list[str] = []

    async def body(engine: Engine[str]) -> None:
        works = [writing(letter, calls, kind=letter) for letter in "ab"]
        assert await written(engine, *works) == [["A"] * 2, ["B"] * 2]
        assert sorted(calls) == ["a", "a", "b", "b"]

    run_stopped(body, turn_s=0.0)


def test_what_fails_together_is_done_by_each_alone() -> None:
    calls: list[str] = []

    async def body(engine: Engine[str]) -> None:
        works = [writing(letter, calls, fails=True) for letter in "ab"]
        assert await written(engine, *works) == [["A"] * 2, ["B"] * 2]
        assert "a+b" in calls or "b+a" in calls
        assert calls.count("a") == calls.count("b") == 2

    run_stopped(body, turn_s=0.0)


def test_an_error_after_a_step_together_is_only_its_own() -> None:
    calls: list[str] = []

    def failing(home: str) -> Steps[str | Letters]:
        yield Letters("a", 1, 4, "x", calls)
        raise ZeroDivisionError("planted")

    async def body(engine: Engine[str]) -> None:
        bad, _ = engine.submit(failing, client="bad")
        good, _ = engine.submit(writing("a", calls), client="good")
        engine.start()
        with pytest.raises(ZeroDivisionError, match="planted"):
            await everything(bad)
        assert await everything(good) == ["A", "A"]

    run_stopped(body, turn_s=0.0)


def test_what_was_cancelled_is_not_done_with_others() -> None:
    calls: list[str] = []
    gate, go_on = threading.Event(), threading.Event()

    def gated(home: str) -> Steps[str | Letters]:
        gate.set()
        assert go_on.wait(20)
        yield from writing("g", calls)(home)

    async def body(engine: Engine[str]) -> None:
        gone, _ = engine.submit(writing("x", calls), client="gone")
        engine.start()
        held, _ = engine.submit(gated, client="held")
        await asyncio.to_thread(gate.wait, 20)
        gone.cancel()
        calls.clear()
        go_on.set()
        assert await everything(held) == ["G", "G"]
        assert calls == ["g", "g"]

    run_stopped(body, turn_s=0.0)
