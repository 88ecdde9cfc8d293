"""Worker threads that own the devices, while the event loop only waits for results.

All workers share one queue. A job is a generator. Each of its steps occupies a device for at most
one candidate (or one batch), and what it yields is passed to the event loop at once. The worker
that takes the first step determines the device of all steps, because their results stay on that
device; a job may also request a device. For each device, `shares.py` decides which job's step is
next. Before a step, the worker checks for cancellation, deadlines and backpressure. A job that
yields `PAUSE` resumes once its reader has processed all earlier results. Until then, later jobs of
the same client wait too, for at most PATIENCE_S.

If a job yields a `Joint`, its next step can be done together with those of other jobs, as one step.

A device may have several workers ("lanes"), because on a CPU two requests with one thread each
finish sooner than one after the other with two threads.

This module does not depend on gRPC, protobuf or the model. Each device has a "home", an object that
workers pass to their jobs. If a device is lost, all jobs fail, on other devices too, because only a
new process can use the device again.
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

MAX_IN_FLIGHT = 4  # unread results after which a job is suspended
PATIENCE_S = 0.5


class Pause(Enum):
    """Yielded by a job to wait for its reader, which does not receive it."""

    PAUSE = "pause"


PAUSE: Final = Pause.PAUSE


@dataclass(frozen=True, eq=False)
class Joint(ABC):
    """Yielded by a job whose next step can be done together with others of the same kind.

    The job is sent its part of the result of `together`, or None if it must do the step itself. The
    reader does not receive the Joint.
    """

    kind: Hashable  # only joints of the same kind can be combined
    size: int  # the amount of work
    most: int  # the maximum amount of work in one step

    @abstractmethod
    def together(self, others: Sequence[Any]) -> Sequence[Any]:
        """Do the step for this joint and others; return the results in this order."""


class Job(Generic[H, T]):
    """A submitted job, as used by the event loop; `results` yields what its steps yield.

    The submitter must call `cancel` at the end, which has no effect after the last step.
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
        self.home = home  # home of the device that must take the next step; None = any device
        self.client = client
        self.priority = priority
        self.arrival = arrival
        self.deadline = deadline  # as of time.monotonic(); None = none
        self.submitted = time.monotonic()
        self.started: float | None = None  # when the first step began
        self.cancelled = False
        self.unread = 0  # results that the reader has not processed; guarded by the engine's lock
        self.paused = False  # whether the last step yielded PAUSE
        self.joint: Joint | None = None  # the Joint that the last step yielded, if any
        self.stepped = 0.0  # when the last step ended
        self.set_aside = False  # suspended until its reader catches up; guarded by the lock
        self._engine = engine
        self._make_steps: Callable[[H], Steps[T]] | None = steps
        self._steps: Steps[T] | None = None
        self._loop = asyncio.get_running_loop()
        self._results: asyncio.Queue[tuple[bool, Any]] = asyncio.Queue()

    def __lt__(self, other: Job[Any, Any]) -> bool:
        return (self.priority, self.arrival) < (other.priority, other.arrival)

    @property
    def awaits_acknowledgment(self) -> bool:
        """Whether the next step must wait for the reader. Requires the engine's lock."""
        return not self.cancelled and self.unread >= (1 if self.paused else MAX_IN_FLIGHT)

    def cancel(self) -> None:
        """Stop before the next step. Thread-safe."""
        self.cancelled = True
        self._engine.acknowledge(self, 0)

    async def results(self) -> AsyncIterator[T]:
        """Yield the results of the steps as they arrive; raise their errors."""
        while True:
            ended, result = await self._results.get()
            if ended:
                try:
                    if result is not None:
                        raise result
                    return
                finally:
                    del result  # break the reference cycle between the error and this frame
            yield result
            self._engine.acknowledge(self, 1)  # the reader has processed this result

    # The worker's side.

    def step(self, home: H, shared: object = None) -> bool:
        """Take one step, or accept the result of a joint step; return False at the end."""
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
        except BaseException as error:  # every error of a step is passed to the reader
            self.end(self._engine.checked(error))
            return False
        self.paused = result is PAUSE
        self.joint = result if isinstance(result, Joint) else None
        if self.acknowledged:
            self._send(False, result)
        return True

    @property
    def acknowledged(self) -> bool:
        """Whether the reader receives the result of the last step."""
        return not self.paused and self.joint is None

    def end(self, error: BaseException | None) -> None:
        """End the results, with an error if given, and release the steps."""
        if self._steps is not None:
            self._steps.close()
        self._steps = self._make_steps = None  # an idle worker may keep its last job for long
        self._engine.forget(self)  # first, so that a reader of the end finds it no longer counted
        self._send(True, error)

    def _send(self, ended: bool, result: T | BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self._results.put_nowait, (ended, result))
        except RuntimeError:  # the event loop is closed, so there is no reader
            self.cancelled = True


class Engine(Generic[H]):
    """The workers with their bounded queue."""

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
        """Create workers without starting them.

        Args:
            homes: the homes of the devices.
            max_queue: maximum number of waiting requests.
            lanes: number of workers per device.
            on_start: called in each worker's thread before its first step.
            on_lanes: called in a worker's thread before a step with the number of busy workers of
                its device, if the number has changed since the worker's last step.
            is_fatal: returns whether an error of a step means that its device is lost.
            on_failure: called once, in the thread that found the error, with the message that
                clients get from then on.
            remedy: the end of that message.
            patience_s: how long a paused job blocks later jobs of its client, in seconds.
            turn_s: how far a client's fill may run ahead of other clients, in seconds.
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
        self._ready: list[Job[H, Any]] = []  # jobs that may take their next step
        self._open: set[Job[H, Any]] = set()  # all jobs that have not ended
        self._arrivals = 0
        self._lanes = lanes
        self._steps_began: list[float | None] = [None] * (lanes * len(self.homes))
        self._taken: list[list[Job[H, Any]]] = [[] for _ in self._steps_began]  # by worker
        self._busy_s = [0.0] * len(self.homes)
        self._stopping = False
        self._failure: UnavailableError | None = None
        self._threads = [
            threading.Thread(target=self._work, args=(k,), name=f"device-{k}", daemon=True)
            for k in range(len(self._steps_began))
        ]

    def start(self) -> None:
        """Start the workers, which also take jobs that were queued before."""
        for thread in self._threads:
            thread.start()

    def check_room(self, priority: Priority = Priority.FILL, client: Hashable = "") -> None:
        """Raise the error that `submit` would raise now, if any."""
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
        """Queue a job. Must be called on the event loop.

        Args:
            steps: creates the steps, given the home of the worker's device.
            priority: priority among the jobs of the client.
            deadline: as of time.monotonic(); None = none.
            home: home of the device that must run the job; None = any device.
            client: the client that the job belongs to; all clients get equal shares of a device.

        Returns:
            The job, and the approximate number of jobs before it.

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
        """Note that the reader has processed results or has left, and resume a suspended job."""
        with self._lock:
            job.unread -= finished
            if job.set_aside and not job.awaits_acknowledgment:
                job.set_aside = False
                self._make_ready(job)

    def forget(self, job: Job[H, Any]) -> None:
        """Stop counting a job that has ended."""
        with self._lock:
            self._open.discard(job)

    @property
    def queue_length(self) -> int:
        """The number of requests that are waiting to be started."""
        with self._lock:
            return self._waiting()

    @property
    def longest_wait_s(self) -> float:
        """How long the request that was submitted first has been waiting, in seconds."""
        with self._lock:
            waiting = [job.submitted for job in self._open if _waits(job)]
        return max(0.0, time.monotonic() - min(waiting)) if waiting else 0.0

    @property
    def busy(self) -> list[bool]:
        """Whether each device is running a step, in the order of `homes`."""
        with self._lock:
            began = self._steps_began
            return [any(began[k :: len(self.homes)]) for k in range(len(self.homes))]

    @property
    def busy_s(self) -> list[float]:
        """The time that each device has spent on steps, in seconds, averaged over its workers."""
        with self._lock:
            return list(self._busy_s)

    @property
    def workers(self) -> int:
        """The number of workers on all devices together."""
        return len(self._threads)

    @property
    def busy_workers(self) -> int:
        """The number of workers that are running a step."""
        with self._lock:
            return sum(began is not None for began in self._steps_began)

    def health_problem(self, stall_s: float) -> str | None:
        """Return why a worker is unhealthy; None if all are healthy.

        Args:
            stall_s: length of the longest plausible step, in seconds.
        """
        with self._lock:
            if self._failure is not None:
                return str(self._failure)
            if not all(thread.is_alive() for thread in self._threads):
                return "a worker is not running"
            late = time.monotonic() - stall_s
            if any(began is not None and began < late for began in self._steps_began):
                return f"a step has been running for more than {stall_s:.0f} s"
        return None

    @property
    def has_failed(self) -> bool:
        """Whether a device was lost, so that all jobs are refused."""
        return self._failure is not None

    def lose_device(self, error: BaseException) -> UnavailableError:
        """Refuse all waiting and future jobs because a device cannot be used any more.

        Returns:
            The error for clients, with the reason of the first such error and the remedy.
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
        """Return the error to pass to a step's reader; a fatal error also stops the engine."""
        return self.lose_device(error) if self._is_fatal(error) else error

    def stop(self) -> None:
        """Accept no more jobs; each worker ends after its current step."""
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
        """Count the workers without a started job, even if one is waiting for them."""
        return max(0, len(self._threads) - sum(t.started is not None for t in self._open))

    def _is_full(self, client: Hashable) -> bool:
        """Return whether the queue is full for a client.

        A client without waiting jobs may exceed the length of the queue, up to twice its length.
        """
        waiting, room = self._waiting(), self.max_queue + self._idle()
        if waiting < room:
            return False
        has_some = any(_waits(t) and t.client == client for t in self._open)
        return has_some or waiting >= room + self.max_queue

    def _before(self, job: Job[H, Any]) -> int:
        """Count the jobs before a new one: its client's own, and as many of each other client."""
        ahead = Counter(t.client for t in self._open if not t.cancelled and t < job)
        own = ahead.pop(job.client, 0)
        if job.priority == Priority.BACKGROUND:
            return own + ahead.total()
        return own + sum(min(count, own + 1) for count in ahead.values())

    def _make_ready(self, job: Job[H, Any]) -> None:
        self._ready.append(job)
        self._lock.notify_all()  # wake all, because only some workers may take it

    def _next(self, number: int) -> list[Job[H, Any]]:
        """Return the job that a worker takes next, and the jobs that can join its step.

        The caller must hold the lock.
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
        """Yield the jobs that are running on the same device, except background jobs."""
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
                self._busy_s[number % len(self.homes)] += (now - began) / self._lanes
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
            # Other workers end the jobs of other devices and those that they are running.
            left = [t for t in self._open if t.home is None or t.home is home]
            left = [t for t in left if not any(t in taken for taken in self._taken)]
            self._open.difference_update(left)
        for job in left:
            job.end(UnavailableError("STOPPING"))

    def _busy_lanes(self, number: int) -> int:
        """Count the workers of the same device that are running a job or can take one."""
        home = self._home(number)
        at_work = sum(
            bool(taken) for taken in self._taken[number % len(self.homes) :: len(self.homes)]
        )
        return min(
            self._lanes, at_work + sum(t.home is None or t.home is home for t in self._ready)
        )

    def _step(self, taken: Sequence[Job[H, Any]], home: H) -> list[Job[H, Any]]:
        """Take a step of all given jobs; return the jobs that have further steps."""
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
                # Do the steps one by one, so that each error is passed to its own reader.
                log.info("joint step failed: %r", error)
        return [t for t, made in zip(taken, shared, strict=True) if t.step(home, made)]


def _waits(job: Job[Any, Any]) -> bool:
    """Return whether a job is a request that has not started."""
    is_request = job.priority != Priority.BACKGROUND
    return is_request and job.started is None and not job.cancelled


def _is_one_matter(paused: Job[Any, Any], job: Job[Any, Any]) -> bool:
    """Return whether a paused job blocks another job."""
    return paused.client == job.client or job.priority == Priority.BACKGROUND


def _goes_with(job: Job[Any, Any], joint: Joint) -> bool:
    return not job.cancelled and job.joint is not None and job.joint.kind == joint.kind
