"""Blocking client for scripts, with plain calls and plain iterators.

    with BlockingClient(lambda: parse_endpoint("127.0.0.1:50099")) as client:
        for event in client.fill(job):
            ...

Leaving the loop early (break, an exception, Ctrl-C) cancels the fill on the daemon.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TypeVar

from .client import Client
from .events import Done, Failed, FillEvent, Message
from .info import DaemonInfo, Model
from .requests import EditJob, FillJob, Job
from .segments import Segmentation, SegmentJob
from .worker import PATIENCE_S, Locate, Worker

T = TypeVar("T")
_TURN_S = 0.2  # waits are split into short turns so that Ctrl-C works on every system


class BlockingClient:
    """Client whose methods wait for their answer and raise an `InpaintError`."""

    def __init__(self, locate: Locate, patience_s: float = PATIENCE_S) -> None:
        self._worker = Worker(locate, patience_s)

    def __enter__(self) -> BlockingClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and cancel everything that is still running."""
        self._worker.close()

    def info(self) -> DaemonInfo:
        """Return the daemon's description of itself and its models."""
        return self._call(lambda client: client.info())

    def is_serving(self) -> bool:
        """Return False while the daemon is loading or shutting down, or has lost its device."""
        return self._call(lambda client: client.is_serving())

    def load_model(self, name: str) -> Model:
        """Load a model into the daemon's memory.

        Raises:
            NotFoundError: `info` does not list the model.
        """
        return self._call(lambda client: client.load_model(name))

    def unload_model(self, name: str) -> bool:
        """Free a model's memory and return whether it was loaded."""
        return self._call(lambda client: client.unload_model(name))

    def fill(self, job: FillJob, timeout_s: float | None = None) -> Iterator[FillEvent]:
        """Fill a hole and yield the events; the last one is `Done`."""
        return self._events(job, timeout_s)

    def edit(self, job: EditJob, timeout_s: float | None = None) -> Iterator[FillEvent]:
        """Render a candidate again and yield the same events as `fill`."""
        return self._events(job, timeout_s)

    def segment(self, job: SegmentJob, timeout_s: float | None = None) -> Segmentation:
        """Find the faces in an image, and the masks of their parts."""
        return self._call(lambda client: client.segment(job, timeout_s))

    def _call(self, request: Callable[[Client], Awaitable[T]]) -> T:
        return self._worker.call(request).result()

    def _events(self, job: Job, timeout_s: float | None) -> Iterator[FillEvent]:
        messages: SimpleQueue[Message] = SimpleQueue()
        run = self._worker.submit(job, messages.put, timeout_s)
        try:
            while True:
                try:
                    message = messages.get(timeout=_TURN_S)
                except Empty:
                    continue
                if isinstance(message, Failed):
                    raise message.error
                yield message
                if isinstance(message, Done):
                    return
        finally:
            if not run.is_finished:
                run.cancel()
                run.wait(5.0)
