"""A thread that communicates with the daemon, for hosts whose own thread must never block.

    worker = Worker(locate)             # for example lambda: find_daemon(settings)
    run = worker.submit(job, receive)   # returns at once
    run.cancel()                        # returns at once; receive(Failed(...)) follows

`receive` is called in the worker's thread with every event, the last of which is exactly one `Done`
or `Failed`. Qt hosts emit a signal in it; GTK hosts call GLib.idle_add.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import aclosing
from threading import Event, Thread
from typing import TypeVar

from .client import Client
from .endpoint import Endpoint
from .errors import (
    ConnectionLostError,
    DaemonNotFoundError,
    InpaintError,
    RequestCancelledError,
    ResourceExhaustedError,
    StartFailedError,
    UnavailableError,
)
from .events import Done, Failed, FillEvent, Message, Resumed, Sending, Waiting
from .requests import EditJob, FillJob, Job
from .resuming import Resumable, resumable
from .sentence import Sentence

log = logging.getLogger(__name__)
T = TypeVar("T")
Locate = Callable[[], Endpoint]
Receive = Callable[[Message], None]

PATIENCE_S = 30.0  # how long a run that has not begun waits for a daemon that is loading
RETRIES = 2  # of a run that a busy daemon refused with a retry delay
LONGEST_WAIT_S = 10.0  # before such a retry
RESUME_PATIENCE_S = 15.0  # how long a run whose daemon stopped waits for another one to start

_RESUMED = Sentence(
    "The daemon stopped in the middle of the fill. The missing candidates are being "
    "requested again."
)
_TWICE = Sentence("The daemon stopped twice in the middle of this fill.")
_TWICE_REMEDY = Sentence(
    "It may have run out of memory: close other programs, or select a smaller region. "
    "The daemon's log may have more details."
)


class Run:
    """A submitted job. Thread-safe."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive) -> None:
        self._loop = loop
        self._receive = receive
        self._finished = Event()
        self._task: asyncio.Task[None] | None = None
        self.is_cancelled = False

    @property
    def is_finished(self) -> bool:
        """Whether `Done` or `Failed` was delivered."""
        return self._finished.is_set()

    def cancel(self) -> None:
        """Cancel the job in the client and on the daemon, without waiting.

        `Failed` follows, after at most one event that is being delivered at this moment.
        """
        self.is_cancelled = True
        self._loop.call_soon_threadsafe(self._cancel_task)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end, and return whether it came in time. Do not call it in a UI thread."""
        return self._finished.wait(timeout_s)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _follow(self, events: AsyncGenerator[FillEvent, None]) -> None:
        """Deliver the events, and in every case exactly one `Done` or `Failed` at the end."""
        self._task = asyncio.current_task()
        ending: Message | None = None
        try:
            if self.is_cancelled:
                raise asyncio.CancelledError  # cancelled before this task existed
            async with aclosing(events):
                async for event in events:
                    if self.is_cancelled:
                        break
                    if isinstance(event, Done):
                        ending = event
                    else:
                        self._receive(event)
        except asyncio.CancelledError:
            self.is_cancelled = True
        except InpaintError as error:
            ending = Failed(error)
        except Exception as error:
            log.exception("a run failed inside the client")
            ending = Failed(InpaintError(f"The client failed: {error!r}."))
        if ending is None or self.is_cancelled:
            ending = Failed(RequestCancelledError(Sentence("Cancelled.")))
        try:
            self._receive(ending)
        finally:
            self._finished.set()


class Worker:
    """Owner of the thread, its event loop and the connections. `close` it when the host exits.

    `locate` is called before every request, so that a daemon that was restarted at another address
    is found again. It runs in a separate thread, so it may block, start a daemon, or raise an
    InpaintError.
    """

    def __init__(self, locate: Locate, patience_s: float = PATIENCE_S) -> None:
        self._locate = locate
        self._patience_s = patience_s
        self._clients: dict[Endpoint, Client] = {}
        self._running: set[Future[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="inpaint-client", daemon=True)
        self._thread.start()

    def submit(self, job: Job, receive: Receive, timeout_s: float | None = None) -> Run:
        """Start a fill or an edit; the events are passed to `receive`."""
        run = Run(self._loop, receive)
        following = run._follow(self._events(job, timeout_s))
        future = asyncio.run_coroutine_threadsafe(following, self._loop)
        self._running.add(future)  # the event loop only keeps a weak reference
        future.add_done_callback(self._running.discard)
        return run

    def call(self, request: Callable[[Client], Awaitable[T]]) -> Future[T]:
        """Start any other request, such as `worker.call(lambda client: client.info())`."""

        async def answer() -> T:
            return await request(await self._connect())

        return asyncio.run_coroutine_threadsafe(answer(), self._loop)

    def close(self) -> None:
        """Cancel all runs, disconnect and end the thread. Do not call it from `receive`."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _shut_down(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()
        await asyncio.get_running_loop().shutdown_asyncgens()

    async def _connect(self) -> Client:
        endpoint = await _in_thread(self._locate)
        if endpoint not in self._clients:  # runs with the previous daemon continue
            self._clients[endpoint] = Client(endpoint)
        return self._clients[endpoint]

    async def _events(self, job: Job, timeout_s: float | None) -> AsyncGenerator[FillEvent, None]:
        """Yield the job's events.

        If the daemon stops in the middle, request the missing candidates again, once. An edit is
        resumed without a word, because it takes no longer than it might have in the first place.
        """
        answer = resumable(job)
        try:
            async with aclosing(self._attempts(job, timeout_s, self._patience_s)) as events:
                async for event in events:
                    told = answer.taken(event)
                    if told is not None:
                        yield told
        except UnavailableError as lost:
            if not answer.has_begun:
                raise
            rest = answer.rest()
            if rest is None:
                yield Done()
                return
            if isinstance(rest, FillJob):
                yield Resumed(_RESUMED)
            async with aclosing(self._rest(answer, rest, timeout_s, lost)) as events:
                async for event in events:
                    yield event

    async def _rest(
        self, answer: Resumable, rest: Job, timeout_s: float | None, lost: UnavailableError
    ) -> AsyncGenerator[FillEvent, None]:
        """Yield the missing events of a job. `lost` is the error of the first attempt."""
        begun = False
        patience_s = min(self._patience_s, RESUME_PATIENCE_S)
        attempts = self._attempts(rest, timeout_s, patience_s, waits_for_daemon=True)
        try:
            async with aclosing(attempts) as events:
                async for event in events:
                    begun = begun or not isinstance(event, Sending | Waiting)
                    told = answer.taken(event)
                    if told is not None:
                        yield told
        except StartFailedError:
            raise
        except DaemonNotFoundError as error:
            raise lost from error
        except ConnectionLostError as error:
            if begun and isinstance(rest, FillJob):
                raise ConnectionLostError(_TWICE, _TWICE_REMEDY) from error
            raise lost from error

    async def _attempts(
        self,
        job: Job,
        timeout_s: float | None,
        patience_s: float,
        *,
        waits_for_daemon: bool = False,
    ) -> AsyncGenerator[FillEvent, None]:
        """Yield the job's events, with retries as long as nothing was received.

        Retry while the daemon is not ready, and at most twice if it is busy and sends a delay.

        Args:
            job: the job.
            timeout_s: time limit of each attempt, in seconds.
            patience_s: how long to wait for a daemon that is not ready, in seconds.
            waits_for_daemon: also wait if no daemon is found, because one may be starting.
        """
        begun = gone = False
        refusals = 0
        delays = _delays(patience_s)
        while True:
            try:
                client = await self._connect()
                async with aclosing(_start(client, job, timeout_s)) as events:
                    async for event in events:
                        begun = begun or not isinstance(event, Sending | Waiting)
                        yield event
            except StartFailedError:
                raise
            except (UnavailableError, DaemonNotFoundError) as error:
                delay = next(delays, None)
                if isinstance(error, DaemonNotFoundError) and not waits_for_daemon:
                    delay = None if gone else 0.0  # it exited after it was found: search once more
                    gone = True
                if begun or delay is None:
                    raise
            except ResourceExhaustedError as error:
                refusals += 1
                if begun or error.retry_after_s is None or refusals > RETRIES:
                    raise
                delay = _wait_s(error.retry_after_s, refusals)
                yield Waiting(delay)
            else:
                return
            await asyncio.sleep(delay)


def _start(client: Client, job: Job, timeout_s: float | None) -> AsyncGenerator[FillEvent, None]:
    if isinstance(job, EditJob):
        return client.edit(job, timeout_s)
    return client.fill(job, timeout_s)


async def _in_thread(function: Callable[[], T]) -> T:
    """Run a function in a daemon thread, which never delays the exit of the host."""
    future: Future[T] = Future()

    def work() -> None:
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

    Thread(target=work, name="inpaint-locate", daemon=True).start()
    return await asyncio.wrap_future(future)


def _wait_s(told_s: float, refusals: int) -> float:
    """Return the delay before a retry: longer each time, and random so that clients spread out."""
    spread = random.uniform(1.0, 1.5)  # noqa: S311 (no secret)
    return min(told_s * float(2 ** (refusals - 1)) * spread, LONGEST_WAIT_S)


def _delays(total_s: float) -> Iterator[float]:
    """Yield growing delays, 0.1 s to 2 s, with a sum of at most `total_s`."""
    delay = 0.1
    while total_s > 0:
        yield min(delay, total_s)
        total_s -= delay
        delay = min(2 * delay, 2.0)
