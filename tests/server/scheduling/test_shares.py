"""Fair shares in simulated time: the real policy, a worker that is a loop, and no clock."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_server.scheduling.shares import (
    EDIT_HEAD_START_S,
    TURN_S,
    Priority,
    Shares,
    longest_wait,
)

EDIT, FILL, BACKGROUND = Priority


@dataclass(eq=False)
class Work:
    """A request: how long each of its steps takes."""

    client: str
    priority: Priority
    steps: list[float]
    submitted: float = 0.0
    arrival: int = 0
    ended: float | None = None
    next_at: list[float] = field(default_factory=list)  # when each of its steps began

    @property
    def took(self) -> float:
        assert self.ended is not None
        return self.ended - self.submitted


class Simulation:
    """Devices that are loops, and clients that submit at certain moments or when work has ended."""

    def __init__(self, workers: int = 1, shares: Shares | None = None) -> None:
        self.now = 0.0
        self.shares = shares or Shares()
        self.given: defaultdict[str, float] = defaultdict(float)  # seconds of the device, by client
        self.done: list[Work] = []
        self._idle = list(range(workers))
        self._ready: list[Work] = []
        self._running: list[Work] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.and_then: dict[Work, Callable[[Work], None]] = {}

    def at(self, moment: float, happen: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (moment, self._count, happen))

    def submit(self, work: Work, and_then: Callable[[Work], None] | None = None) -> None:
        self._count += 1
        work.submitted, work.arrival = self.now, self._count
        if and_then is not None:
            self.and_then[work] = and_then
        self._ready.append(work)

    def run(self, until: float = float("inf")) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, happen = heapq.heappop(self._events)
            happen()
            if self._events and self._events[0][0] == self.now:
                continue  # all that happens at one moment, before anybody decides
            self._dispatch()
        self.now = max(self.now, until) if until < float("inf") else self.now

    def _dispatch(self) -> None:
        while self._idle and self._ready:
            worker = self._idle.pop(0)
            busy = [other.client for other in self._running]
            work = self.shares.choose(self._ready, busy, worker)
            self._ready.remove(work)
            self._running.append(work)
            seconds = work.steps[len(work.next_at)]
            work.next_at.append(self.now)
            expected = self.shares.begin(work.client)
            end = partial(self._end, work, worker, seconds, expected)
            self.at(self.now + seconds, end)

    def _end(self, work: Work, worker: int, seconds: float, expected: float) -> None:
        self.shares.end(work.client, expected, seconds)
        self.given[work.client] += seconds
        self._running.remove(work)
        self._idle.append(worker)
        if len(work.next_at) < len(work.steps):
            self._ready.append(work)
            return
        work.ended = self.now
        self.done.append(work)
        if work in self.and_then:
            self.and_then.pop(work)(work)

    def all_the_time(self, client: str, priority: Priority, steps: list[float]) -> None:
        """Let a client submit the same again and again."""

        def again(_: Work | None = None) -> None:
            self.submit(Work(client, priority, list(steps)), again)

        self.at(0.0, again)

    @property
    def num_waiting(self) -> int:
        return len(self._ready)

    def of(self, client: str) -> list[Work]:
        return [work for work in self.done if work.client == client]


def jain(shares: Sequence[float]) -> float:
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))


# -- What the issue is about -----------------------------------------------------------------------


def test_a_fill_competing_with_two_constantly_moving_sliders_gets_a_third() -> None:
    world = Simulation()
    for name in ("slider 1", "slider 2"):
        world.all_the_time(name, EDIT, [0.07])
    fill = Work("filler", FILL, [0.06, 0.04, 0.04, 0.04, 0.04, 0.04])
    world.at(5.0, lambda: world.submit(fill))
    world.run(60.0)
    assert fill.took <= longest_wait(3, sum(fill.steps), 0.07)
    world.all_the_time("filler", FILL, [0.05] * 4)
    world.given.clear()
    world.run(120.0)
    assert jain(list(world.given.values())) > 0.99


def test_a_fill_competing_with_a_flood_of_requests_gets_half() -> None:
    world = Simulation()
    world.at(0.0, lambda: world.submit(Work("flood", FILL, [0.04] * 64 * 65)))
    fill = Work("filler", FILL, [0.06] + [0.04] * 4)
    world.at(5.0, lambda: world.submit(fill))
    world.run(200.0)
    assert fill.took <= longest_wait(2, sum(fill.steps), 0.06)
    assert fill.took < 0.06 + 2 * sum(fill.steps) + 0.2, "and most often it is as short as this"


def test_many_requests_of_one_client_are_worth_one_share() -> None:
    world = Simulation()
    for _ in range(30):
        world.all_the_time("greedy", FILL, [0.05] * 5)
    world.all_the_time("modest", FILL, [0.05] * 5)
    world.run(60.0)
    assert jain([world.given["greedy"], world.given["modest"]]) > 0.999


def test_a_slider_that_rests_now_and_then_is_always_next() -> None:
    """During a flood of requests, every edit only waits for the running step."""
    world = Simulation()
    world.at(0.0, lambda: world.submit(Work("flood", FILL, [0.05] * 5000)))
    rng = random.Random(1)  # noqa: S311

    def drag() -> None:
        left = 6

        def again(_: Work | None = None) -> None:
            nonlocal left
            left -= 1
            if left:
                world.submit(Work("slider", EDIT, [0.07]), again)

        again()

    for k in range(40):
        world.at(1.5 * k + rng.random(), drag)
    world.run(100.0)
    waits = [work.next_at[0] - work.submitted for work in world.of("slider")]
    assert len(waits) == 40 * 5
    assert max(waits) <= 0.05 + 1e-9


def test_a_constantly_moving_slider_waits_little_during_a_flood_of_requests() -> None:
    world = Simulation()
    world.at(0.0, lambda: world.submit(Work("flood", FILL, [0.05] * 5000)))
    world.all_the_time("slider", EDIT, [0.07])
    world.run(60.0)
    waits = [work.next_at[0] - work.submitted for work in world.of("slider")]
    assert median(waits) <= 2 * 0.05
    assert max(waits) <= TURN_S + 2 * 0.05 + 1e-9
    assert jain([world.given["slider"], world.given["flood"]]) > 0.98


@pytest.mark.parametrize("workers", [1, 2])
def test_first_candidates_come_one_after_the_other(workers: int) -> None:
    """They are not all late, because the client that was served last continues for a while."""
    world = Simulation(workers)
    fills = [Work(f"client {k}", FILL, [0.03, 0.03, 0.03] + [0.03] * 20) for k in range(8)]
    for fill in fills:
        world.at(0.0, lambda fill=fill: world.submit(fill))  # type: ignore[misc]
    world.run()
    firsts = sorted(fill.next_at[3] for fill in fills)
    assert firsts[0] <= 0.1
    assert median(firsts) <= 0.5 * 8 * (TURN_S + 0.03) / workers
    assert median(firsts) < 0.7 * firsts[-1]


def test_newcomers_do_not_starve_who_waits() -> None:
    """A stream of new clients with one short fill each, more than the device can do."""
    world = Simulation()
    old = Work("old", FILL, [0.05] * 20)
    world.at(0.3, lambda: world.submit(old))

    def come(name: str) -> None:
        if world.num_waiting < 30:  # the queue is bounded
            world.submit(Work(name, FILL, [0.05]))

    for k in range(3000):
        world.at(0.04 * k, lambda k=k: come(f"new {k}"))  # type: ignore[misc]
    world.run(120.0)
    assert old.ended is not None
    assert old.took <= 31 * (sum(old.steps) + TURN_S + 0.05)


def test_who_was_away_has_saved_up_nothing() -> None:
    world = Simulation()
    world.all_the_time("busy", FILL, [0.05])
    back = Work("back", FILL, [0.05] * 400)
    world.at(0.0, lambda: world.submit(Work("back", FILL, [0.05])))
    world.at(60.0, lambda: world.submit(back))
    world.run(60.0)
    world.given.clear()
    world.run(80.0)
    assert jain([world.given["busy"], world.given["back"]]) > 0.99


def test_background_work_waits_for_all_other() -> None:
    world = Simulation()
    chores = Work("", BACKGROUND, [0.1])
    world.at(0.0, lambda: world.submit(chores))
    world.at(0.0, lambda: world.submit(Work("a", FILL, [0.1] * 5)))
    world.at(0.0, lambda: world.submit(Work("b", EDIT, [0.1] * 5)))
    world.run()
    assert chores.next_at[0] >= 1.0 - 1e-9


def test_sixty_four_clients_have_the_same() -> None:
    rng = random.Random(3)  # noqa: S311
    world = Simulation(workers=2)
    for k in range(64):
        steps = [rng.uniform(0.02, 0.08) for _ in range(rng.randint(2, 40))]
        world.all_the_time(f"client {k}", FILL, steps)
    world.run(120.0)
    assert jain([world.given[f"client {k}"] for k in range(64)]) > 0.98


def test_what_is_kept_of_clients_that_left_is_little() -> None:
    world = Simulation()
    for k in range(5000):
        one = Work(f"client {k}", EDIT, [0.05])
        world.at(0.05 * k, lambda one=one: world.submit(one))  # type: ignore[misc]
    world.run()
    assert len(world.shares._times) < 50


# -- For all arrivals ------------------------------------------------------------------------------


@st.composite
def arrivals(draw: st.DrawFn) -> Iterator[Work]:
    priority = draw(st.sampled_from([EDIT, FILL, FILL, BACKGROUND]))
    client = "" if priority == BACKGROUND else draw(st.sampled_from("abcdef"))
    most = 3 if priority == EDIT else 30
    steps = draw(st.lists(st.floats(0.001, 0.2), min_size=1, max_size=most))
    submitted = draw(st.floats(0.0, 6.0))
    return Work(client, priority, steps, submitted)  # type: ignore[return-value]


@settings(max_examples=150, deadline=None)
@given(st.lists(arrivals(), min_size=1, max_size=40), st.integers(1, 3))
def test_the_guaranteed_wait_is_not_exceeded(works: list[Work], workers: int) -> None:
    world = Simulation(workers)
    for work in works:
        world.at(work.submitted, lambda work=work: world.submit(work))  # type: ignore[misc]
    world.run()
    assert len(world.done) == len(works), "everything is done"
    longest = max(max(work.steps) for work in works)
    for work in works:
        if work.priority == BACKGROUND:
            continue
        assert work.ended is not None
        meanwhile = [
            other
            for other in works
            if other.ended is not None
            and other.ended > work.submitted
            and other.submitted < work.ended
        ]
        clients = {other.client for other in meanwhile if other.priority != BACKGROUND}
        own = sum(
            sum(other.steps)
            for other in meanwhile
            if other.client == work.client
            and (other.priority, other.arrival) <= (work.priority, work.arrival)
        )
        extra = (workers - 1) * longest * len(clients)
        assert work.took <= longest_wait(len(clients), own, longest) + extra + 1e-6


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"),
        st.tuples(
            st.sampled_from([EDIT, FILL]),
            st.lists(st.floats(0.01, 0.1), min_size=1, max_size=10),
            st.integers(1, 5),
        ),
        min_size=2,
    )
)
def test_clients_that_always_have_work_have_the_same(
    clients: dict[str, tuple[Priority, list[float], int]],
) -> None:
    """This holds for any kind, length and number of requests."""
    world = Simulation()
    for client, (priority, steps, at_once) in clients.items():
        for _ in range(at_once):
            world.all_the_time(client, priority, steps)
    world.run(30.0)
    given_s = [world.given[client] for client in clients]
    assert max(given_s) - min(given_s) <= EDIT_HEAD_START_S + 0.1 + 1e-6


def test_companions_are_not_carried_far_ahead() -> None:
    shares = Shares()
    works = {name: Work(name, FILL, [], arrival=k) for k, name in enumerate("abc")}
    chosen = shares.choose(list(works.values()))
    assert chosen is works["a"]
    assert shares.companions(chosen, [works["c"], works["b"]]) == [works["b"], works["c"]]
    shares.end("b", shares.begin("b"), EDIT_HEAD_START_S + 0.1)
    assert shares.companions(chosen, [works["b"], works["c"]]) == [works["c"]]


def test_times_by_client_are_those_of_the_device() -> None:
    """A long step of one is made good by several short ones of the other."""
    world = Simulation(shares=Shares(turn_s=0.0))
    began: dict[str, list[float]] = defaultdict(list)
    works = [Work("long", FILL, [0.4] * 5), Work("short", FILL, [0.1] * 20)]
    for work in works:
        world.at(0.0, lambda work=work: world.submit(work))  # type: ignore[misc]
    world.run()
    for work in works:
        began[work.client] = work.next_at
    between = [k for k in began["short"] if began["long"][1] < k < began["long"][2]]
    assert len(between) == 4
