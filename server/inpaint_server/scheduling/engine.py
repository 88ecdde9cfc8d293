"""One worker thread owns each device; the event loop only waits.

All workers share one queue. A piece of work is a generator: each of its steps occupies a device for
at most one candidate (or one batch), and what it yields goes to the event loop at once. The worker
that takes the first step takes all of them, since what they leave on its device is nowhere else;
work may also ask for a certain worker from the start. Between two steps a worker checks
whether the work was cancelled or its deadline passed, whether its reader keeps up, and whether
something more urgent waits: an edit (a slider that moves) goes before a fill, and a fill before
background work such as warming up. Work that yields `PAUSE` goes on when its reader has dealt with
everything before it; meanwhile only what is more urgent takes its turn, unless the reader dawdles.

Nothing here knows gRPC, protobuf or a model: each worker has a "home" (what is on its device),
which it hands to the work that it takes. A lost device ends all work, on the other devices too:
only a fresh program gets it back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from enum import Enum, IntEnum
from typing import Any, Final, Generic, TypeVar

from ..errors import DeadlinePassed, TooMuch, Unavailable

log = logging.getLogger(__name__)
T = TypeVar("T")
H = TypeVar("H")
Steps = Generator[T, None, None]

MAX_UNREAD = 4  # results that a slow reader may leave lying before its work is set aside
PATIENCE_S = 0.5


class Pause(Enum):
    """What work yields that waits for its reader; the reader does not see it."""

    PAUSE = "pause"


PAUSE: Final = Pause.PAUSE


class Urgency(IntEnum):
    """Smaller goes first; equal ones in the order of their arrival."""

    EDIT = 0
    FILL = 1
    BACKGROUND = 2


class Ticket(Generic[H, T]):
    """Submitted work, seen from the event loop: iterate it for what the steps yield.

    Whoever submits must call `cancel` in the end (it does nothing after the last step).
    """

    def __init__(
        self,
        engine: Engine[H],
        steps: Callable[[H], Steps[T]],
        urgency: Urgency,
        deadline: float | None,
        arrival: int,
        home: H | None,
    ) -> None:
        self.home = home  # of the only worker that may take the next step; None: any may
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
        self._make_steps: Callable[[H], Steps[T]] | None = steps
        self._steps: Steps[T] | None = None
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()

    def __lt__(self, other: Ticket[Any, Any]) -> bool:
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
        """Yield what the steps yield, as it comes; raise what they raise."""
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

    def step(self, home: H) -> bool:
        """Take one step; False when there are no more."""
        if self.cancelled:
            self.end(None)
            return False
        try:
            if self.deadline is not None and time.monotonic() > self.deadline:
                raise DeadlinePassed("DEADLINE_PASSED")
            if self._make_steps is not None:
                self.started = time.monotonic()
                self._steps = self._make_steps(home)
                self._make_steps = None
            assert self._steps is not None
            result = next(self._steps)
        except StopIteration:
            self.end(None)
            return False
        except BaseException as error:  # whatever a step raises belongs to whoever asked for it
            self.end(self._engine.checked(error))
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


class Engine(Generic[H]):
    """The workers and their bounded queue."""

    def __init__(
        self,
        homes: Sequence[H],
        max_queue: int,
        *,
        on_start: Callable[[H], None] = lambda home: None,
        is_fatal: Callable[[BaseException], bool] = lambda error: False,
        on_failure: Callable[[str], None] = lambda sentence: None,
        remedy: str = "restart the daemon",
        patience_s: float = PATIENCE_S,
    ) -> None:
        """One worker for each of `homes`.

        on_start: called in each worker's thread before all work.
        is_fatal: whether an error of a step means that its device is lost.
        on_failure: told once, in the thread that found it, what clients are told from then on.
        remedy: the end of that sentence.
        patience_s: how long a pause keeps what comes after it waiting.
        """
        self.homes = tuple(homes)
        self.max_queue = max_queue
        self._on_start = on_start
        self._is_fatal = is_fatal
        self._on_failure = on_failure
        self._remedy = remedy
        self._patience_s = patience_s
        self._lock = threading.Condition()
        self._ready: list[Ticket[H, Any]] = []  # what may take its next step
        self._open: set[Ticket[H, Any]] = set()  # all that have not ended
        self._arrivals = 0
        self._steps_began: list[float | None] = [None] * len(self.homes)
        self._stopping = False
        self._failure: Unavailable | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(k,), name=f"device-{k}", daemon=True)
            for k in range(len(self.homes))
        ]

    def start(self) -> None:
        """Start a worker for each device; work that was queued before begins now."""
        for thread in self._threads:
            thread.start()

    def check_room(self, urgency: Urgency = Urgency.FILL) -> None:
        """Raise what `submit` would raise now."""
        with self._lock:
            self._check_room(urgency)

    def submit(
        self,
        steps: Callable[[H], Steps[T]],
        urgency: Urgency = Urgency.FILL,
        deadline: float | None = None,
        home: H | None = None,
    ) -> tuple[Ticket[H, T], int]:
        """Queue work, on the event loop; returns its ticket and how much work is before it.

        steps: given the home of the worker that takes them. home: of the worker that must.

        Raises TooMuch when the queue is full, Unavailable when the engine stops or has failed.
        """
        with self._lock:
            self._check_room(urgency)
            self._arrivals += 1
            ticket = Ticket(self, steps, urgency, deadline, self._arrivals, home)
            before = sum(not t.cancelled and t < ticket for t in self._open)
            self._open.add(ticket)
            self._make_ready(ticket)
        return ticket, before

    def reader_came(self, ticket: Ticket[H, Any], finished: int) -> None:
        """The reader dealt with results (or left): work that waited for it goes on."""
        with self._lock:
            ticket.unread -= finished
            if ticket.set_aside and not ticket.awaits_reader:
                ticket.set_aside = False
                self._make_ready(ticket)

    def forget(self, ticket: Ticket[H, Any]) -> None:
        """The ticket ends: it is counted no more."""
        with self._lock:
            self._open.discard(ticket)

    @property
    def queue_length(self) -> int:
        """How many requests wait to be started."""
        with self._lock:
            return self._waiting()

    @property
    def busy(self) -> list[bool]:
        """Whether each worker takes a step now, in the order of `homes`."""
        with self._lock:
            return [began is not None for began in self._steps_began]

    def trouble(self, stall_s: float) -> str | None:
        """Return why a worker is not healthy, or None. `stall_s`: the longest credible step."""
        with self._lock:
            if self._failure is not None:
                return str(self._failure)
            if not all(thread.is_alive() for thread in self._threads):
                return "the worker does not run"
            late = time.monotonic() - stall_s
            if any(began is not None and began < late for began in self._steps_began):
                return f"a step has been running for more than {stall_s:.0f} s"
        return None

    @property
    def has_failed(self) -> bool:
        """Whether a device was lost, so that all work is refused."""
        return self._failure is not None

    def lose_device(self, error: BaseException) -> Unavailable:
        """Refuse all work, waiting and to come: a device cannot be used any more.

        Returns what clients are told: the first such error, and the remedy.
        """
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
        with self._lock:
            first = self._failure is None
            if self._failure is None:
                text = f"the device failed ({reason}); {self._remedy}"
                self._failure = Unavailable("DEVICE_LOST", text, reason=reason)
                self._lock.notify_all()
            failure = self._failure
        if first:
            log.error("a device is lost", exc_info=error)
            self._on_failure(str(failure))
        return failure.again()

    def checked(self, error: BaseException) -> BaseException:
        """Return a step's error for whoever asked for it; a lost device is everybody's matter."""
        return self.lose_device(error) if self._is_fatal(error) else error

    def stop(self) -> None:
        """Take no more work; each worker ends after the step that is running."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        until = time.monotonic() + 5.0
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))

    def _check_room(self, urgency: Urgency) -> None:
        if self._failure is not None:
            raise self._failure.again()
        if self._stopping:
            raise Unavailable("STOPPING")
        if urgency != Urgency.BACKGROUND and self._waiting() >= self.max_queue + self._idle():
            raise TooMuch("QUEUE_FULL", limit=self.max_queue)

    def _waiting(self) -> int:
        return sum(
            t.started is None and not t.cancelled and t.urgency != Urgency.BACKGROUND
            for t in self._open
        )

    def _idle(self) -> int:
        """Count the workers with nothing started, whether or not they have noticed what waits."""
        return max(0, len(self.homes) - sum(t.started is not None for t in self._open))

    def _make_ready(self, ticket: Ticket[H, Any]) -> None:
        self._ready.append(ticket)
        self._lock.notify_all()  # only the worker that may take it knows that it may

    def _next(self, home: H) -> Ticket[H, Any] | None:
        """What the worker with this home takes up next, or None. The caller holds the lock."""
        own = [t for t in self._ready if t.home is None or t.home is home]
        if not own:
            return None
        first, late = min(own), time.monotonic() - self._patience_s
        held_back = any(
            t.set_aside and t.paused and t.stepped > late and t.home is home and t < first
            for t in self._open
        )
        return None if held_back else first

    def _work(self, number: int) -> None:
        home = self.homes[number]
        self._on_start(home)
        while True:
            with self._lock:
                while not self._stopping and (ticket := self._next(home)) is None:
                    self._lock.wait(self._patience_s if self._ready else None)
                if self._stopping:
                    break
                assert ticket is not None
                self._ready.remove(ticket)
                ticket.home = home
                self._steps_began[number] = time.monotonic()
            if self._failure is not None:
                ticket.end(self._failure.again())
                more = False
            else:
                more = ticket.step(home)
            with self._lock:
                self._steps_began[number] = None
                if not more:
                    continue
                ticket.stepped = time.monotonic()
                ticket.unread += not ticket.paused
                ticket.set_aside = ticket.awaits_reader
                if not ticket.set_aside:
                    self._make_ready(ticket)
        with self._lock:
            left = [t for t in self._open if t.home is None or t.home is home]
            self._open.difference_update(left)  # another worker ends those that are not its own
        for ticket in left:
            ticket.end(Unavailable("STOPPING"))
