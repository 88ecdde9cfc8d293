"""One worker thread owns the device; the event loop only waits.

A piece of work is a generator: each of its steps occupies the device for at most one candidate (or
one batch), and what it yields goes to the event loop at once. Between two steps the worker looks
whether the work was cancelled or its deadline passed, whether its reader keeps up, and whether
something more urgent waits: an edit (a slider that moves) goes before a fill, and a fill before
background work such as warming up. Work that yields `PAUSE` goes on when its reader has dealt with
everything before it; meanwhile only what is more urgent takes its turn, unless the reader dawdles.

Nothing here knows gRPC, protobuf or a model.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from enum import Enum, IntEnum
from typing import Any, Final, Generic, TypeVar

from .errors import DeadlinePassed, TooMuch, Unavailable

T = TypeVar("T")
Steps = Generator[T, None, None]

MAX_UNREAD = 4  # results that a slow reader may leave lying before its work is set aside
PATIENCE_S = 0.5  # how long a pause keeps what comes after it waiting


class Pause(Enum):
    """What work yields that waits for its reader; the reader does not see it."""

    PAUSE = "pause"


PAUSE: Final = Pause.PAUSE


class Urgency(IntEnum):
    """Smaller goes first; equal ones in the order of their arrival."""

    EDIT = 0
    FILL = 1
    BACKGROUND = 2


class Ticket(Generic[T]):
    """Submitted work, seen from the event loop: iterate it for what the steps yield.

    Whoever submits must call `cancel` in the end (it does nothing after the last step).
    """

    def __init__(
        self,
        engine: Engine,
        steps: Callable[[], Steps[T]],
        urgency: Urgency,
        deadline: float | None,
        arrival: int,
    ) -> None:
        self.urgency = urgency
        self.arrival = arrival
        self.deadline = deadline  # of time.monotonic(); None: none
        self.submitted = time.monotonic()
        self.started: float | None = None  # when the first step began
        self.cancelled = False
        self.unread = 0  # results sent and not yet dealt with; guarded by the engine's lock
        self.paused = False  # whether the last step yielded PAUSE
        self.stepped = 0.0  # when the last step ended
        self.set_aside = False  # waits for its reader; guarded by the engine's lock
        self._engine = engine
        self._make_steps: Callable[[], Steps[T]] | None = steps
        self._steps: Steps[T] | None = None
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()

    def __lt__(self, other: Ticket[Any]) -> bool:
        return (self.urgency, self.arrival) < (other.urgency, other.arrival)

    @property
    def awaits_reader(self) -> bool:
        """Whether the next step must not be taken yet. Asked under the engine's lock."""
        return not self.cancelled and self.unread >= (1 if self.paused else MAX_UNREAD)

    def cancel(self) -> None:
        """Stop before the next step. Safe from any thread."""
        self.cancelled = True
        self._engine.reader_came(self, 0)

    async def results(self) -> AsyncIterator[T]:
        """What the steps yield, as it comes; raises what they raise."""
        while True:
            ended, result = await self._results.get()
            if ended:
                try:
                    if result is not None:
                        raise result
                    return
                finally:
                    del result  # an error that refers to this frame, which would refer to it
            yield result
            self._engine.reader_came(self, 1)  # back for more: this one is dealt with

    # The worker's side.

    def step(self) -> bool:
        """Take one step; False when there are no more."""
        if self.cancelled:
            self.end(None)
            return False
        try:
            if self.deadline is not None and time.monotonic() > self.deadline:
                raise DeadlinePassed("the deadline passed before the work was done")
            if self._make_steps is not None:
                self.started = time.monotonic()
                self._steps = self._make_steps()
                self._make_steps = None
            assert self._steps is not None
            result = next(self._steps)
        except StopIteration:
            self.end(None)
            return False
        except BaseException as error:  # whatever a step raises belongs to whoever asked for it
            self.end(error)
            return False
        self.paused = result is PAUSE
        if not self.paused:
            self._send(False, result)
        return True

    def end(self, error: BaseException | None) -> None:
        """End the results, with an error if one is given, and free what the steps hold."""
        if self._steps is not None:
            self._steps.close()
        self._steps = self._make_steps = None  # the worker may hold its last ticket for long
        self._engine.forget(self)  # first: whoever reads the end must not find it still counted
        self._send(True, error)

    def _send(self, ended: bool, result: T | BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._results.put_nowait, (ended, result))
        except RuntimeError:  # the event loop is closed: nobody reads any more
            self.cancelled = True


class Engine:
    """The worker and its bounded queue."""

    def __init__(self, max_queue: int, on_start: Callable[[], None] = lambda: None) -> None:
        """on_start: called in the worker's thread before all work."""
        self.max_queue = max_queue
        self._on_start = on_start
        self._lock = threading.Condition()
        self._ready: list[Ticket[Any]] = []  # a heap: what may take its next step
        self._open: set[Ticket[Any]] = set()  # all that have not ended
        self._arrivals = 0
        self._step_began: float | None = None
        self._stopping = False
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._work, name="device", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(
        self,
        steps: Callable[[], Steps[T]],
        urgency: Urgency = Urgency.FILL,
        deadline: float | None = None,
    ) -> tuple[Ticket[T], int]:
        """Queue work, on the event loop; returns its ticket and how much work is before it.

        Raises TooMuch when the queue is full, Unavailable when the engine stops or has failed.
        """
        with self._lock:
            if self._failure is not None:
                raise Unavailable(f"{self._failure}; restart the daemon")
            if self._stopping:
                raise Unavailable("the daemon is stopping; start it again and repeat the request")
            if urgency != Urgency.BACKGROUND and self._waiting() >= self.max_queue:
                raise TooMuch(
                    f"the queue is full ({self.max_queue} requests wait); try again in a moment"
                )
            self._arrivals += 1
            ticket = Ticket(self, steps, urgency, deadline, self._arrivals)
            before = sum(not t.cancelled and t < ticket for t in self._open)
            self._open.add(ticket)
            heapq.heappush(self._ready, ticket)
            self._lock.notify()
        return ticket, before

    def reader_came(self, ticket: Ticket[Any], finished: int) -> None:
        """The reader dealt with results (or left): work that waited for it goes on."""
        with self._lock:
            ticket.unread -= finished
            if ticket.set_aside and not ticket.awaits_reader:
                ticket.set_aside = False
                heapq.heappush(self._ready, ticket)
                self._lock.notify()

    def forget(self, ticket: Ticket[Any]) -> None:
        """The ticket ends: it is counted no more."""
        with self._lock:
            self._open.discard(ticket)

    @property
    def queue_length(self) -> int:
        """How many requests wait to be started."""
        with self._lock:
            return self._waiting()

    @property
    def open_requests(self) -> int:
        """How many requests wait or run."""
        with self._lock:
            return sum(t.urgency != Urgency.BACKGROUND and not t.cancelled for t in self._open)

    def trouble(self, stall_s: float) -> str | None:
        """Why the worker is not healthy, or None. `stall_s`: the longest credible step."""
        with self._lock:
            if self._failure is not None:
                return self._failure
            if not self._thread.is_alive():
                return "the worker does not run"
            began = self._step_began
            if began is not None and time.monotonic() - began > stall_s:
                return f"a step has been running for more than {stall_s:.0f} s"
        return None

    def fail(self, reason: str) -> None:
        """The device cannot be used any more: refuse all work, waiting and to come."""
        with self._lock:
            self._failure = reason

    def stop(self) -> None:
        """Take no more work; the worker ends after the step that is running."""
        with self._lock:
            self._stopping = True
            self._lock.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout=5.0)

    def _waiting(self) -> int:
        return sum(
            t.started is None and not t.cancelled and t.urgency != Urgency.BACKGROUND
            for t in self._open
        )

    def _held_back(self) -> bool:
        """Whether what is next must wait because something before it pauses."""
        late = time.monotonic() - PATIENCE_S
        return any(
            t.set_aside and t.paused and t.stepped > late and t < self._ready[0] for t in self._open
        )

    def _work(self) -> None:
        self._on_start()
        while True:
            with self._lock:
                while not self._stopping and not (self._ready and not self._held_back()):
                    self._lock.wait(PATIENCE_S if self._ready else None)
                if self._stopping:
                    break
                ticket = heapq.heappop(self._ready)
                self._step_began = time.monotonic()
            if self._failure is not None:
                ticket.end(Unavailable(f"{self._failure}; restart the daemon"))
                more = False
            else:
                more = ticket.step()
            with self._lock:
                self._step_began = None
                if not more:
                    continue
                ticket.stepped = time.monotonic()
                ticket.unread += not ticket.paused
                ticket.set_aside = ticket.awaits_reader
                if not ticket.set_aside:
                    heapq.heappush(self._ready, ticket)
        for ticket in list(self._open):
            ticket.end(Unavailable("the daemon is stopping; start it again and repeat the request"))
