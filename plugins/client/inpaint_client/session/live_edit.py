"""Live sliders: render a result again and again, as fast as the daemon answers.

One rendering is under way at a time; of what is asked for meanwhile only the latest is rendered
next. The daemon's session answers fastest. When it is gone (the daemon was restarted, or the
document was opened again) the recipe takes its place.

Nothing here knows a host's toolkit: the host calls from its own thread, and passes the worker's
messages on in that thread.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, Protocol, TypeVar

from ..errors import InpaintError, NotFoundError
from ..events import Accepted, Candidate, Done, Failed, Message
from ..requests import EditJob, Edits, Mixing, RecipeSource

W = TypeVar("W")
W_contra = TypeVar("W_contra", contravariant=True)


class Cancellable(Protocol):
    """A submitted job."""

    def cancel(self) -> None:
        """Stop it, without waiting."""


class Session(NamedTuple):
    """Where the daemon remembers a result."""

    id: str
    candidate: int  # its index there


class EditHost(Protocol[W_contra]):
    """What a host does for its sliders. A `W` says which result is wanted, and how."""

    def key(self, wanted: W_contra) -> Hashable:
        """Return what names the result: it has a session of its own."""

    def is_shown(self, wanted: W_contra) -> bool:
        """Return whether the result already looks like that."""

    def changes(self, wanted: W_contra) -> tuple[Edits, Mixing | None]:
        """Return what is asked of the daemon. May raise an InpaintError."""

    def give_source(self, wanted: W_contra, give: Callable[[RecipeSource], None]) -> None:
        """Call `give` with what an edit needs without a session, at once or later.

        May raise an InpaintError; one that comes later goes to `LiveEdit.refuse`.
        """

    def submit(self, job: EditJob, receive: Callable[[Message], None]) -> Cancellable:
        """Submit a job; its messages come to `receive` in the host's thread."""

    def show(self, wanted: W_contra, candidate: Candidate, job: EditJob) -> None:
        """Show what has arrived, and then call `LiveEdit.shown`, at once or later."""

    def refused(self, error: InpaintError) -> None:
        """Tell that nothing was rendered, and that nothing waits any more."""

    def busy_changed(self) -> None:
        """Tell that a rendering has begun, or that the last one has ended."""


class LiveEdit(Generic[W]):
    """The edits of one document or dialog. For the host's thread only."""

    def __init__(self, host: EditHost[W]) -> None:
        self._host = host
        self._sessions: dict[Hashable, Session] = {}
        self._current: W | None = None
        self._next: W | None = None
        self._job: EditJob | None = None
        self._run: Cancellable | None = None
        self._is_showing = False
        self._turn = 0  # what still comes of an earlier rendering is told apart by it

    @property
    def is_busy(self) -> bool:
        """Whether a rendering is under way."""
        return self._current is not None

    def remember(self, key: Hashable, session: Session | None) -> None:
        """Keep where the daemon remembers a result; None or an empty id: nowhere."""
        if session is not None and session.id:
            self._sessions[key] = session

    def session_of(self, key: Hashable) -> Session | None:
        """Return where the daemon remembers a result, as far as is known."""
        return self._sessions.get(key)

    def request(self, wanted: W) -> None:
        """Render as soon as the one under way is done; replaces what waits."""
        if self.is_busy:
            self._next = wanted
        elif not self._host.is_shown(wanted):
            self._start(wanted)

    def stop(self) -> None:
        """Forget what is under way and what waits."""
        self._next = None
        if self._run is not None:
            self._run.cancel()
        if self.is_busy:
            self._finish()

    def shown(self) -> None:
        """The candidate that came last is shown: the next rendering may begin."""
        if self._is_showing:
            self._is_showing = False
            if self._run is None:
                self._finish()

    def refuse(self, error: InpaintError) -> None:
        """Give up what is under way and what waits, since it cannot be rendered or shown."""
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
                        session_id=session.id, index=session.candidate, edits=edits, mixing=mixing
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
            if not job.session_id:  # a recipe was sent: it is the new session's only candidate
                self.remember(key, Session(message.session_id, 0))
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
                self._sessions.pop(key, None)  # the daemon forgot it, or was restarted
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
