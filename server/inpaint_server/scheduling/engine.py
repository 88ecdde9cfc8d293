"""Worker threads own the devices; the event loop only waits.

All workers share one queue. A piece of work is a generator: each of its steps occupies a device for
at most one candidate (or one batch), and what it yields goes to the event loop at once. The worker
that takes the first step decides on which device all of them run, since what they leave there is
nowhere else; work may also ask for a certain device from the start. Whose step is next is decided
by `shares.py`, for each device; before a step a worker checks whether the work was cancelled, its
deadline passed, or its reader does not keep up. Work that yields `PAUSE` goes on when its reader
has dealt with everything before it; meanwhile its client's later work waits too, unless the reader
dawdles.

Work that yields a `Joint` can do its next step together with that of others, which is then one step
for all of them.

A device may have several workers ("lanes"): on a processor two requests on one thread each are done
sooner than one after the other on two threads.

Nothing here knows gRPC, protobuf or a model: each device has a "home" (what is on it), which
workers hand to the work that they take. A lost device ends all work, on the other devices too: only
a fresh program gets it back.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar

from ..errors import DeadlineExceededError, ResourceExhaustedError, UnavailableError
from .shares import TURN_S, Priority, Shares

log = logging.getLogger(__name__)
T = TypeVar("T")
H = TypeVar("H")
Steps = Generator[T, Any, None]

MAX_IN_FLIGHT = 4  # results that a slow reader may leave lying before its work is set aside
PATIENCE_S = 0.5


class Pause(Enum):
    """What work yields that waits for its reader; the reader does not see it."""

    PAUSE = "pause"


PAUSE: Final = Pause.PAUSE


@dataclass(frozen=True, eq=False)
class Joint(ABC):
    """What work yields whose next step can be done together with others of the same kind.

    The work is sent its part of what `together` returned, or None: then it does the step itself.
    The reader does not see it.
    """

    kind: Hashable  # only those of one kind go together
    size: int  # how much there is to do
    most: int  # how much may be done together

    @abstractmethod
    def together(self, others: Sequence[Any]) -> Sequence[Any]:
        """Do it together with others; return what this one made, then what each of them made."""


class Job(Generic[H, T]):
    """Submitted work, seen from the event loop: iterate it for what the steps yield.

    Whoever submits must call `cancel` in the end (it does nothing after the last step).
    """

    def __init__(
        self,
        engine: Engine[H],
        steps: Callable[[H], Steps[T]],
        priority: Priority,
        deadline: float | None,
        arrival: int,
        home: H | None,
        client: Hashable,
    ) -> None:
        self.home = home  # of the only device that may take the next step; None: any may
        self.client = client
        self.priority = priority
        self.arrival = arrival
        self.deadline = deadline  # of time.monotonic(); None: none
        self.submitted = time.monotonic()
        self.started: float | None = None  # when the first step began
        self.cancelled = False
        self.unread = 0  # results sent and not yet dealt with; guarded by the engine's lock
        self.paused = False  # whether the last step yielded PAUSE
        self.joint: Joint | None = None  # what the last step yielded, if it was one
        self.stepped = 0.0  # when the last step ended
        self.set_aside = False  # waits for its reader; guarded by the engine's lock
        self._engine = engine
        self._make_steps: Callable[[H], Steps[T]] | None = steps
        self._steps: Steps[T] | None = None
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()

    def __lt__(self, other: Job[Any, Any]) -> bool:
        return (self.priority, self.arrival) < (other.priority, other.arrival)

    @property
    def awaits_acknowledgment(self) -> bool:
        """Whether the next step must not be taken yet. Asked under the engine's lock."""
        return not self.cancelled and self.unread >= (1 if self.paused else MAX_IN_FLIGHT)

    def cancel(self) -> None:
        """Stop before the next step. Safe from any thread."""
        self.cancelled = True
        self._engine.acknowledge(self, 0)

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
            self._engine.acknowledge(self, 1)  # back for more: this one is dealt with

    # The worker's side.

    def step(self, home: H, shared: object = None) -> bool:
        """Take one step, or be sent what was done together; False when there are no more."""
        if self.cancelled:
            self.end(None)
            return False
        try:
            if self.deadline is not None and time.monotonic() > self.deadline:
                raise DeadlineExceededError("DEADLINE_PASSED")
            if self._make_steps is not None:
                self.started = time.monotonic()
                self._steps = self._make_steps(home)
                self._make_steps = None
            assert self._steps is not None
            result = self._steps.send(shared)
        except StopIteration:
            self.end(None)
            return False
        except BaseException as error:  # whatever a step raises belongs to whoever asked for it
            self.end(self._engine.checked(error))
            return False
        self.paused = result is PAUSE
        self.joint = result if isinstance(result, Joint) else None
        if self.acknowledged:
            self._send(False, result)
        return True

    @property
    def acknowledged(self) -> bool:
        """Whether its reader is told of the last step."""
        return not self.paused and self.joint is None

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
        lanes: int = 1,
        on_start: Callable[[H], None] = lambda home: None,
        on_lanes: Callable[[H, int], None] = lambda home, count: None,
        is_fatal: Callable[[BaseException], bool] = lambda error: False,
        on_failure: Callable[[str], None] = lambda sentence: None,
        remedy: str = "restart the daemon",
        patience_s: float = PATIENCE_S,
        turn_s: float = TURN_S,
    ) -> None:
        """Workers for each of `homes`.

        lanes: how many workers each has.
        on_start: called in each worker's thread before all work.
        on_lanes: called in a worker's thread before a step when another number of its device's
            workers have something to do than at its last one; told how many.
        is_fatal: whether an error of a step means that its device is lost.
        on_failure: told once, in the thread that found it, what clients are told from then on.
        remedy: the end of that sentence.
        patience_s: how long a pause keeps what comes after it waiting.
        turn_s: how long a client's fill goes on before others that were given as much.
        """
        self.homes = tuple(homes)
        self.max_queue = max_queue
        self._on_start = on_start
        self._on_lanes = on_lanes
        self._is_fatal = is_fatal
        self._on_failure = on_failure
        self._remedy = remedy
        self._patience_s = patience_s
        self._lock = threading.Condition()
        self._shares = [Shares(turn_s) for _ in self.homes]
        self._ready: list[Job[H, Any]] = []  # what may take its next step
        self._open: set[Job[H, Any]] = set()  # all that have not ended
        self._arrivals = 0
        self._lanes = lanes
        self._steps_began: list[float | None] = [None] * (lanes * len(self.homes))
        self._taken: list[list[Job[H, Any]]] = [[] for _ in self._steps_began]  # by worker
        self._stopping = False
        self._failure: UnavailableError | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(k,), name=f"device-{k}", daemon=True)
            for k in range(len(self._steps_began))
        ]

    def start(self) -> None:
        """Start the workers; work that was queued before begins now."""
        for thread in self._threads:
            thread.start()

    def check_room(self, priority: Priority = Priority.FILL, client: Hashable = "") -> None:
        """Raise what `submit` would raise now."""
        with self._lock:
            self._check_room(priority, client)

    def submit(
        self,
        steps: Callable[[H], Steps[T]],
        priority: Priority = Priority.FILL,
        deadline: float | None = None,
        home: H | None = None,
        client: Hashable = "",
    ) -> tuple[Job[H, T], int]:
        """Queue work, on the event loop; returns its ticket and about how much work is before it.

        steps: given the home of the worker that takes them. home: of the device that must. client:
        whose work it is; all clients have the same share of a device.

        Raises:
            ResourceExhaustedError: the queue is full.
            UnavailableError: the engine is stopping or has failed.
        """
        with self._lock:
            self._check_room(priority, client)
            self._arrivals += 1
            job = Job(self, steps, priority, deadline, self._arrivals, home, client)
            before = self._before(job)
            self._open.add(job)
            self._make_ready(job)
        return job, before

    def acknowledge(self, job: Job[H, Any], finished: int) -> None:
        """The reader dealt with results (or left): work that waited for it goes on."""
        with self._lock:
            job.unread -= finished
            if job.set_aside and not job.awaits_acknowledgment:
                job.set_aside = False
                self._make_ready(job)

    def forget(self, job: Job[H, Any]) -> None:
        """The ticket ends: it is counted no more."""
        with self._lock:
            self._open.discard(job)

    @property
    def queue_length(self) -> int:
        """How many requests wait to be started."""
        with self._lock:
            return self._waiting()

    @property
    def busy(self) -> list[bool]:
        """Whether each device takes a step now, in the order of `homes`."""
        with self._lock:
            began = self._steps_began
            return [any(began[k :: len(self.homes)]) for k in range(len(self.homes))]

    @property
    def workers(self) -> int:
        """How many workers there are, on all devices together."""
        return len(self._threads)

    @property
    def busy_workers(self) -> int:
        """How many of them take a step now."""
        with self._lock:
            return sum(began is not None for began in self._steps_began)

    def health_problem(self, stall_s: float) -> str | None:
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

    def lose_device(self, error: BaseException) -> UnavailableError:
        """Refuse all work, waiting and to come: a device cannot be used any more.

        Returns what clients are told: the first such error, and the remedy.
        """
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(". ")
        with self._lock:
            first = self._failure is None
            if self._failure is None:
                text = f"the device failed ({reason}); {self._remedy}"
                self._failure = UnavailableError("DEVICE_LOST", text, reason=reason)
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

    def _check_room(self, priority: Priority, client: Hashable) -> None:
        if self._failure is not None:
            raise self._failure.again()
        if self._stopping:
            raise UnavailableError("STOPPING")
        if priority != Priority.BACKGROUND and self._is_full(client):
            raise ResourceExhaustedError("QUEUE_FULL", limit=self.max_queue)

    def _waiting(self) -> int:
        return sum(map(_waits, self._open))

    def _idle(self) -> int:
        """Count the workers with nothing started, whether or not they have noticed what waits."""
        return max(0, len(self._threads) - sum(t.started is not None for t in self._open))

    def _is_full(self, client: Hashable) -> bool:
        """Return whether the queue has no room for this client.

        One that waits for nothing yet has room even where others filled the queue, up to twice its
        length.
        """
        waiting, room = self._waiting(), self.max_queue + self._idle()
        if waiting < room:
            return False
        has_some = any(_waits(t) and t.client == client for t in self._open)
        return has_some or waiting >= room + self.max_queue

    def _before(self, job: Job[H, Any]) -> int:
        """Count what goes before new work: its client's own, and as much of each other client."""
        ahead = Counter(t.client for t in self._open if not t.cancelled and t < job)
        own = ahead.pop(job.client, 0)
        if job.priority == Priority.BACKGROUND:
            return own + ahead.total()
        return own + sum(min(count, own + 1) for count in ahead.values())

    def _make_ready(self, job: Job[H, Any]) -> None:
        self._ready.append(job)
        self._lock.notify_all()  # only the worker that may take it knows that it may

    def _next(self, number: int) -> list[Job[H, Any]]:
        """What a worker takes up next: one piece of work, and what goes together with it.

        The caller holds the lock.
        """
        home, late = self._home(number), time.monotonic() - self._patience_s
        paused = [
            t
            for t in self._open
            if t.set_aside and t.paused and t.stepped > late and t.home is home
        ]
        free = [
            t
            for t in self._ready
            if (t.home is None or t.home is home)
            and not any(p < t and _is_one_matter(p, t) for p in paused)
        ]
        if not free:
            return []
        shares = self._shares[number % len(self.homes)]
        busy = {t.client for t in [*paused, *self._running(number)]}
        chosen = shares.choose(free, busy, number)
        taken = [chosen]
        joint = None if chosen.cancelled else chosen.joint
        if joint is not None:
            room = joint.most - joint.size
            others = [t for t in free if t is not chosen and _goes_with(t, joint)]
            for other in shares.companions(chosen, others):
                if other.joint is not None and other.joint.size <= room:
                    room -= other.joint.size
                    taken.append(other)
        return taken

    def _running(self, number: int) -> Iterator[Job[H, Any]]:
        """What the workers of the same device are at."""
        for taken in self._taken[number % len(self.homes) :: len(self.homes)]:
            yield from (t for t in taken if t.priority != Priority.BACKGROUND)

    def _home(self, number: int) -> H:
        return self.homes[number % len(self.homes)]

    def _work(self, number: int) -> None:
        home, lanes = self._home(number), 0
        self._on_start(home)
        while True:
            with self._lock:
                while not self._stopping and not (taken := self._next(number)):
                    self._lock.wait(self._patience_s if self._ready else None)
                if self._stopping:
                    break
                for job in taken:
                    self._ready.remove(job)
                    job.home = home
                self._taken[number] = taken
                began = self._steps_began[number] = time.monotonic()
                clients = [t.client for t in taken if t.priority != Priority.BACKGROUND]
                shares = self._shares[number % len(self.homes)]
                expected = {client: shares.begin(client) for client in clients}
                busy = self._busy_lanes(number)
            if busy != lanes:
                lanes = busy
                self._on_lanes(home, lanes)
            going_on = self._step(taken, home)
            with self._lock:
                self._taken[number] = []
                self._steps_began[number] = None
                now = time.monotonic()
                for client, expected_s in expected.items():
                    part = clients.count(client) / len(clients)
                    shares.end(client, expected_s, (now - began) * part)
                for job in going_on:
                    job.stepped = now
                    job.unread += job.acknowledged
                    job.set_aside = job.awaits_acknowledgment
                    if not job.set_aside:
                        self._make_ready(job)
        with self._lock:
            # Another worker ends those that are not of this device, or that it is at itself.
            left = [t for t in self._open if t.home is None or t.home is home]
            left = [t for t in left if not any(t in taken for taken in self._taken)]
            self._open.difference_update(left)
        for job in left:
            job.end(UnavailableError("STOPPING"))

    def _busy_lanes(self, number: int) -> int:
        """Count the workers of this one's device that have or will have something to do."""
        home = self._home(number)
        at_work = sum(
            bool(taken) for taken in self._taken[number % len(self.homes) :: len(self.homes)]
        )
        return min(
            self._lanes, at_work + sum(t.home is None or t.home is home for t in self._ready)
        )

    def _step(self, taken: Sequence[Job[H, Any]], home: H) -> list[Job[H, Any]]:
        """Take a step of all that was taken; return what goes on."""
        if self._failure is not None:
            for job in taken:
                job.end(self._failure.again())
            return []
        shared: Sequence[object] = [None] * len(taken)
        if len(taken) > 1:
            joint, *others = (job.joint for job in taken)
            try:
                assert joint is not None
                shared = joint.together(others)
            except Exception as error:
                # Each on its own: so an error is told to whom it concerns.
                log.info("steps could not be taken together: %r", error)
        return [t for t, made in zip(taken, shared, strict=True) if t.step(home, made)]


def _waits(job: Job[Any, Any]) -> bool:
    """Return whether it is a request that has not begun."""
    is_request = job.priority != Priority.BACKGROUND
    return is_request and job.started is None and not job.cancelled


def _is_one_matter(paused: Job[Any, Any], job: Job[Any, Any]) -> bool:
    """Return whether work that pauses keeps this waiting."""
    return paused.client == job.client or job.priority == Priority.BACKGROUND


def _goes_with(job: Job[Any, Any], joint: Joint) -> bool:
    return not job.cancelled and job.joint is not None and job.joint.kind == joint.kind
