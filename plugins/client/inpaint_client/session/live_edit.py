"""Live sliders: render a result repeatedly, as fast as the daemon answers.

Only one rendering runs at a time. Of the requests that arrive meanwhile, only the latest is
rendered next. The daemon's session is the fastest way. If it is gone, because the daemon was
restarted or the document was reopened, the recipe is sent instead.

This module does not depend on a host's toolkit. The host calls it from its own thread and forwards
the worker's messages in that thread.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

from ..errors import InpaintError, NotFoundError
from ..events import Accepted, Candidate, Done, Failed, Message
from ..requests import EditJob, Edits, Mixing, RecipeSource
from .daemon_session import Session

W = TypeVar("W")
W_contra = TypeVar("W_contra", contravariant=True)


class Cancellable(Protocol):
    """A submitted job."""

    def cancel(self) -> None:
        """Cancel the job, without waiting."""


class EditHost(Protocol[W_contra]):
    """The host's side of live sliders. A `W` describes the requested state of a result."""

    def key(self, wanted: W_contra) -> Hashable:
        """Return the key of the result; each key has its own session."""

    def is_shown(self, wanted: W_contra) -> bool:
        """Return whether the result is already shown in this state."""

    def changes(self, wanted: W_contra) -> tuple[Edits, tuple[Mixing, ...]]:
        """Return the edits and the mixing to request. May raise an InpaintError."""

    def give_source(self, wanted: W_contra, give: Callable[[RecipeSource], None]) -> None:
        """Call `give` with the source of an edit without a session, immediately or later.

        May raise an InpaintError; a later error must be passed to `LiveEdit.refuse`.
        """

    def submit(self, job: EditJob, receive: Callable[[Message], None]) -> Cancellable:
        """Submit a job whose messages are passed to `receive` in the host's thread."""

    def show(self, wanted: W_contra, candidate: Candidate, job: EditJob) -> None:
        """Show the candidate, and then call `LiveEdit.shown`, immediately or later."""

    def refused(self, error: InpaintError) -> None:
        """Report that the rendering failed and that no other is waiting."""

    def busy_changed(self) -> None:
        """Handle the start of a rendering or the end of the last one."""


class LiveEdit(Generic[W]):
    """Live edits of one document or dialog. Must only be used in the host's thread."""

    def __init__(self, host: EditHost[W]) -> None:
        self._host = host
        self._sessions: dict[Hashable, Session] = {}
        self._current: W | None = None
        self._next: W | None = None
        self._job: EditJob | None = None
        self._run: Cancellable | None = None
        self._is_showing = False
        self._turn = 0  # identifies the current rendering, to ignore late messages of earlier ones

    @property
    def is_busy(self) -> bool:
        """Whether a rendering is running."""
        return self._current is not None

    def remember(self, key: Hashable, session: Session | None) -> None:
        """Store the session of a result; None or an empty ID is ignored."""
        if session is not None and session.id:
            self._sessions[key] = session

    def session_of(self, key: Hashable) -> Session | None:
        """Return the session of a result, if known."""
        return self._sessions.get(key)

    def request(self, wanted: W) -> None:
        """Render as soon as the current rendering is done, instead of any waiting request."""
        if self.is_busy:
            self._next = wanted
        elif not self._host.is_shown(wanted):
            self._start(wanted)

    def stop(self) -> None:
        """Cancel the current rendering and discard the waiting request."""
        self._next = None
        if self._run is not None:
            self._run.cancel()
        if self.is_busy:
            self._finish()

    def shown(self) -> None:
        """Note that the latest candidate is shown, so that the next rendering may begin."""
        if self._is_showing:
            self._is_showing = False
            if self._run is None:
                self._finish()

    def refuse(self, error: InpaintError) -> None:
        """Give up the current rendering and the waiting request because of an error."""
        self._next = None
        self._finish()
        self._host.refused(error)

    # -- one rendering ---------------------------------------------------------------------------

    def _start(self, wanted: W) -> None:
        self._current = wanted
        self._host.busy_changed()
        session = self._sessions.get(self._host.key(wanted))
        self._ask(wanted, session)

    def _ask(self, wanted: W, session: Session | None) -> None:
        self._turn += 1
        turn = self._turn
        try:
            edits, mixing = self._host.changes(wanted)
            if session is not None:
                self._send(
                    EditJob(
                        session_id=session.id,
                        routing_key=session.routing_key,
                        index=session.candidate,
                        edits=edits,
                        mixing=mixing,
                    ),
                    turn,
                )
                return
            self._host.give_source(
                wanted,
                lambda source: self._send(EditJob(source=source, edits=edits, mixing=mixing), turn),
            )
        except InpaintError as error:
            self.refuse(error)

    def _send(self, job: EditJob, turn: int) -> None:
        if turn == self._turn:
            self._job = job
            self._run = self._host.submit(job, lambda message: self._receive(message, turn))

    def _receive(self, message: Message, turn: int) -> None:
        wanted, job = self._current, self._job
        if turn != self._turn or wanted is None or job is None:
            return
        key = self._host.key(wanted)
        if isinstance(message, Accepted):
            if not job.session_id:  # the recipe that was sent is the new session's only candidate
                self.remember(key, Session(message.session_id, 0, message.routing_key))
        elif isinstance(message, Candidate):
            self._is_showing = True
            self._host.show(wanted, message, job)
        elif isinstance(message, Done):
            self._run = None
            if not self._is_showing:
                self._finish()
        elif isinstance(message, Failed):
            self._run = None
            if job.session_id and isinstance(message.error, NotFoundError):
                self._sessions.pop(key, None)  # the session expired, or the daemon was restarted
                self._ask(wanted, None)
            else:
                self.refuse(message.error)

    def _finish(self) -> None:
        self._turn += 1
        self._current = self._job = self._run = None
        self._is_showing = False
        wanted, self._next = self._next, None
        if wanted is not None and not self._host.is_shown(wanted):
            self._start(wanted)
        else:
            self._host.busy_changed()
