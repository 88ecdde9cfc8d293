"""The memory budget of all requests together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_server.errors import ResourceExhaustedError
from inpaint_server.scheduling.admission import PATIENCE_S, Admission
from inpaint_server.scheduling.shares import Priority

Body = Callable[[], Awaitable[None]]


class Kept:
    """Sessions by their sizes, the oldest first."""

    def __init__(self, **sizes: int) -> None:
        self.sizes = sizes

    def make_room(self, num_bytes: int, in_use: Collection[str]) -> None:
        for name in [name for name in self.sizes if name not in in_use]:
            if sum(size for k, size in self.sizes.items() if k not in in_use) > num_bytes:
                del self.sizes[name]


class Requests:
    """Requests that stay until they are released, and the order in which they were admitted."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.admitted: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}

    async def come(
        self,
        name: str,
        num_bytes: int,
        priority: Priority = Priority.FILL,
        present: int = 0,
        session_id: str = "",
    ) -> None:
        end = self._ends[name] = asyncio.Event()

        async def stay() -> None:
            room = self.admission.open(num_bytes, priority, present=present, session_id=session_id)
            async with room:
                self.admitted.append(name)
                await end.wait()

        self.tasks[name] = asyncio.create_task(stay())
        await settle()

    async def go(self, name: str) -> None:
        self._ends[name].set()
        await asyncio.gather(self.tasks[name], return_exceptions=True)
        await settle()

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        await asyncio.gather(self.tasks[name], return_exceptions=True)
        await settle()

    async def refused(self, name: str) -> ResourceExhaustedError:
        error = (await asyncio.gather(self.tasks[name], return_exceptions=True))[0]
        assert isinstance(error, ResourceExhaustedError)
        return error


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_does_not_fit_waits_in_the_order_of_its_arrival() -> None:
    async def body() -> None:
        requests = Requests(Admission(100, 9))
        await requests.come("a", 60)
        await requests.come("b", 60)
        await requests.come("c", 10)  # it would fit, and waits all the same
        assert requests.admitted == ["a"]
        assert requests.admission.waiting == 2
        await requests.go("a")
        assert requests.admitted == ["a", "b", "c"]
        assert requests.admission.reserved == 70

    asyncio.run(body())


def test_what_can_never_fit_is_refused_at_once_though_it_is_alone() -> None:
    async def body() -> None:
        def too_large(budget: int) -> ResourceExhaustedError:
            return ResourceExhaustedError("REQUEST_TOO_LARGE", needed=101, limit=budget, side=7)

        admission = Admission(100, 9)
        with pytest.raises(ResourceExhaustedError, match=r"at most 7 x 7 px"):
            async with admission.open(101, too_large=too_large):
                pass
        async with admission.open(100):
            pass

    asyncio.run(body())


def test_an_edit_goes_before_fills_that_wait_but_not_for_long() -> None:
    async def body() -> None:
        now = [0.0]
        requests = Requests(Admission(100, 9, clock=lambda: now[0]))
        await requests.come("a", 100)
        await requests.come("fill", 100)
        await requests.come("edit", 60, Priority.EDIT)
        await requests.go("a")
        assert requests.admitted == ["a", "edit"]
        now[0] = PATIENCE_S
        await requests.come("second edit", 60, Priority.EDIT)
        await requests.go("edit")
        assert requests.admitted == ["a", "edit", "fill"]

    asyncio.run(body())


def test_who_gives_up_waiting_lets_the_next_one_in() -> None:
    async def body() -> None:
        requests = Requests(Admission(100, 9))
        await requests.come("a", 60)
        await requests.come("large", 100)
        await requests.come("small", 40)
        await requests.cancel("large")
        assert requests.admitted == ["a", "small"]
        await requests.cancel("a")
        await requests.cancel("small")
        assert requests.admission.reserved == 0

    asyncio.run(body())


def test_a_smaller_request_than_estimated_makes_room() -> None:
    async def body() -> None:
        admission = Admission(100, 9)
        requests = Requests(admission)
        async with admission.open(90) as one:
            await requests.come("b", 50)
            one.shrink(95)  # never more
            assert requests.admitted == []
            one.shrink(50)
            await settle()
            assert requests.admitted == ["b"]

    asyncio.run(body())


def test_sessions_leave_for_what_needs_their_room_but_those_in_use_stay() -> None:
    async def body() -> None:
        kept = Kept(old=30, used=30, new=30)
        requests = Requests(Admission(100, 9, kept))
        await requests.come("edit", 40, Priority.EDIT, session_id="used")
        assert list(kept.sizes) == ["old", "used", "new"]
        await requests.come("fill", 30)
        assert list(kept.sizes) == ["used", "new"]

    asyncio.run(body())


def test_those_that_wait_are_few_and_what_came_with_them_counts() -> None:
    async def body() -> None:
        requests = Requests(Admission(100, 2))
        await requests.come("a", 60)
        await requests.come("b", 60, present=30)
        await requests.come("c", 60, present=30)
        assert (await requests.refused("c")).code == "REQUESTS_TOO_LARGE"
        await requests.come("d", 60)
        await requests.come("e", 60)
        assert (await requests.refused("e")).code == "QUEUE_FULL"

    asyncio.run(body())


@given(st.lists(st.tuples(st.integers(1, 120), st.booleans(), st.booleans()), max_size=25))
def test_the_budget_is_never_exceeded_and_every_request_is_served(
    comers: list[tuple[int, bool, bool]],
) -> None:
    async def body() -> None:
        requests = Requests(Admission(100, 99))
        for k, (size, is_edit, leaves) in enumerate(comers):
            await requests.come(str(k), size, Priority.EDIT if is_edit else Priority.FILL)
            assert requests.admission.reserved <= 100
            if leaves:
                await requests.cancel(str(k))
        for _ in comers:
            for name in list(requests.admitted):
                await requests.go(name)
                assert requests.admission.reserved <= 100
        assert requests.admission.reserved == requests.admission.waiting == 0
        stayed = {
            str(k) for k, (size, _, leaves) in enumerate(comers) if size <= 100 and not leaves
        }
        assert stayed <= set(requests.admitted)
        await asyncio.gather(*requests.tasks.values(), return_exceptions=True)

    asyncio.run(body())
