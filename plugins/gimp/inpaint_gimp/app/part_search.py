"""Find a part of the faces for a window that stays responsive: progress, errors, trying again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Protocol, TypeVar

from inpaint_client import (
    DaemonInfo,
    InpaintError,
    InputError,
    Limits,
    Part,
    Picture,
    ProgramNotFoundError,
    Segmentation,
    SegmentJob,
    Worker,
)

from ..runs.segment import mask_of
from ..translation import _, say_error
from .presenter import Post
from .state import Phase, State

T = TypeVar("T")
Steps = Generator[None, None, SegmentJob]
READY = State(Phase.IDLE, "")


class Reading(Protocol):
    """Reading that runs between turns of the event loop."""

    def cancel(self) -> None: ...


class Read(Protocol):
    """Starts to run steps; calls `done` with their result, or `failed`."""

    def __call__(
        self,
        steps: Steps,
        done: Callable[[SegmentJob], None],
        failed: Callable[[InpaintError], None],
    ) -> Reading: ...


class PartSearch:
    """One search at a time. Call all methods except `report` in the GUI thread."""

    def __init__(
        self,
        worker: Worker,
        post: Post,
        read: Read,
        job_of: Callable[[Part, Limits], Steps],
        show: Callable[[State], None],
        found: Callable[[Picture], None],
    ) -> None:
        """Create it.

        Args:
            worker: sends the requests.
            post: runs a function in the GUI thread.
            read: runs `job_of` between turns of the event loop.
            job_of: reads the image and returns the request for a part.
            show: shows the state; its phase is CONNECTING during a search.
            found: takes the mask, and may raise an InpaintError, which is shown.
        """
        self._worker = worker
        self._post = post
        self._start_reading = read
        self._job_of = job_of
        self._show_state = show
        self._found = found
        self._part: Part | None = None
        self._reading: Reading | None = None
        self._is_closed = False
        self._state = READY

    @property
    def is_running(self) -> bool:
        return self._state.phase is Phase.CONNECTING

    def find(self, part: Part) -> None:
        """Start to search for a part of all faces, unless a search is running."""
        if self.is_running or self._is_closed:
            return
        self._part = part
        self._say(_("Looking for the daemon…"))
        self._wait(self._worker.call(lambda client: client.info()), self._read)

    def retry(self) -> None:
        """Search for the same part again."""
        if self._part is not None:
            self.find(self._part)

    def report(self, text: str) -> None:
        """Show a status while the daemon starts. May be called from any thread."""
        self._post(lambda: self._say(text) if self.is_running else None)

    def fail(self, text: str) -> None:
        """End a search because of an exception."""
        self._stop_reading()
        self._show(State(Phase.IDLE, text, is_error=True))

    def close(self) -> None:
        """Stop, and ignore what arrives later."""
        self._is_closed = True
        self._stop_reading()

    def _read(self, info: DaemonInfo) -> None:
        assert self._part is not None
        self._say(_("Reading the image…"))
        steps = self._job_of(self._part, info.limits)
        self._reading = self._start_reading(steps, self._send, self._failed)

    def _send(self, job: SegmentJob) -> None:
        self._reading = None
        self._say(_("Analyzing the image…"))
        self._wait(self._worker.call(lambda client: client.segment(job)), self._receive)

    def _receive(self, answer: Segmentation) -> None:
        assert self._part is not None
        self._found(mask_of(answer, self._part))
        self._show(READY)

    def _wait(self, future: Future[T], then: Callable[[T], None]) -> None:
        def take() -> None:
            if self._is_closed:
                return
            try:
                then(future.result())
            except InpaintError as error:
                self._failed(error)

        future.add_done_callback(lambda done: self._post(take))

    def _failed(self, error: InpaintError) -> None:
        # What is wrong with the image stays wrong; the daemon may be there the next time.
        phase = Phase.IDLE if isinstance(error, InputError) else Phase.UNREACHABLE
        lacks = isinstance(error, ProgramNotFoundError)
        self._show(State(phase, say_error(error), is_error=True, lacks_program=lacks))

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _say(self, text: str) -> None:
        self._show(State(Phase.CONNECTING, text))

    def _show(self, state: State) -> None:
        self._state = state
        if not self._is_closed:
            self._show_state(state)
