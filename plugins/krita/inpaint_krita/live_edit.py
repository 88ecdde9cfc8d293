"""Live sliders: render a candidate again with other edits, into the same layer.

One rendering is under way at a time; of the slider positions that come meanwhile only the last one
is rendered next. The daemon's session answers fastest. When it is gone (the daemon was restarted,
or the document was opened again) recipe, attachment and the picture around the hole take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from inpaint_client.capture import Capture
from inpaint_client.errors import BadInput, InpaintError, NotFound
from inpaint_client.events import Accepted, Candidate, Done, Failed, Message
from inpaint_client.info import Limits
from inpaint_client.requests import EditJob, Edits, Mixing, RecipeSource

from .capture import Pixels, capture
from .colour import Space
from .history import Mix, PastRun, attachment_of
from .paint import Convert
from .qt import QtCore
from .run_fill import Cancellable, Submit
from .selection import KeptSelection, box_of
from .stepper import Steps
from .text import tr
from .writer import Canvas, Order, Writer


class Wanted(NamedTuple):
    """A rendering that the artist asked for."""

    run: PastRun
    position: int
    layer: str  # where it goes
    edits: Edits
    mix: Mix = Mix()
    mixing: Mixing | None = None  # what `mix` asks of the daemon


class Session(NamedTuple):
    """Where the daemon remembers a candidate."""

    key: str
    candidate: int


@dataclass(frozen=True)
class Rendered:
    """A layer was rendered again."""

    run_key: str
    position: int
    edits: Edits
    recipe: str
    mix: Mix


Read = Callable[[PastRun, KeptSelection], Pixels]


class LiveEdit(QtCore.QObject):
    """One for each open document."""

    rendered = QtCore.pyqtSignal(object)  # Rendered
    failed = QtCore.pyqtSignal(object)  # InpaintError
    busy_changed = QtCore.pyqtSignal()

    def __init__(
        self,
        canvas: Canvas,
        read: Read,
        space: Callable[[], Space],
        limits: Callable[[], Limits],
        submit: Submit,
        convert: Convert,
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._read = read
        self._space = space
        self._limits = limits
        self._submit = submit
        self._writer = Writer(canvas, convert, self._stumble)
        self._sessions: dict[tuple[str, int], Session] = {}
        self._captures: dict[str, Capture] = {}
        self._current: Wanted | None = None
        self._next: Wanted | None = None
        self._request: Cancellable | None = None
        self._steps: Steps[Capture] | None = None
        self._turn = 0  # messages of earlier requests are told apart by it

    @property
    def is_busy(self) -> bool:
        return self._current is not None

    def remember(self, run_key: str, position: int, session: str, index: int) -> None:
        """The daemon's session of a fresh run."""
        if session:
            self._sessions[run_key, position] = Session(session, index)

    def request(self, wanted: Wanted) -> None:
        """Render as soon as the one under way is done; replaces what waits."""
        if self._current is not None:
            self._next = wanted
            return
        self._start(wanted)

    def stop(self) -> None:
        """Forget what is under way and what waits."""
        self._turn += 1
        self._next = None
        if self._steps is not None:
            self._steps.cancel()
            self._steps = None
        if self._request is not None:
            self._request.cancel()
        self._writer.stop()
        self._finish()

    # -- one rendering -----------------------------------------------------------------------

    def _start(self, wanted: Wanted) -> None:
        self._current = wanted
        self.busy_changed.emit()
        session = self._sessions.get((wanted.run.key, wanted.position))
        if session is not None:
            self._send(
                EditJob(
                    session_id=session.key,
                    index=session.candidate,
                    edits=wanted.edits,
                    mixing=wanted.mixing,
                )
            )
        else:
            self._send_from_recipe()

    def _send_from_recipe(self) -> None:
        wanted = self._current
        assert wanted is not None
        captured = self._captures.get(wanted.run.key)
        if captured is not None:
            self._send_captured(captured)
            return
        run = wanted.run
        pixels = self._read(run, KeptSelection(run.hole_box, run.coverage))
        if pixels.extent != run.document:
            self._fail(
                BadInput(
                    tr("The picture was resized or cropped since this fill was made."),
                    tr("Undo that, or make a new fill."),
                )
            )
            return
        box = box_of(KeptSelection(run.hole_box, run.coverage))
        self._steps = Steps(
            capture(pixels, box, self._limits()), self._send_captured, self._stumble
        )

    def _send_captured(self, captured: Capture) -> None:
        self._steps = None
        wanted = self._current
        assert wanted is not None
        self._captures = {wanted.run.key: captured}  # only the last: they are large
        result = wanted.run.results[wanted.position]
        try:
            source = RecipeSource(
                recipe=result.unmixed or result.recipe,
                attachment=attachment_of(wanted.run, result),
                capture=captured,
            )
            job = EditJob(source=source, edits=wanted.edits, mixing=wanted.mixing)
        except InpaintError as error:
            self._fail(error)
            return
        self._send(job)

    def _send(self, job: EditJob) -> None:
        self._turn += 1
        turn, had_session = self._turn, bool(job.session_id)
        self._request = self._submit(job, lambda message: self._receive(message, turn, had_session))

    def _receive(self, message: Message, turn: int, had_session: bool) -> None:
        wanted = self._current
        if turn != self._turn or wanted is None:
            return
        key = (wanted.run.key, wanted.position)
        if isinstance(message, Accepted):
            if message.session_id and not had_session:
                self._sessions[key] = Session(message.session_id, 0)
        elif isinstance(message, Candidate):
            self._write(wanted, message)
        elif isinstance(message, Done):
            self._request = None
        elif isinstance(message, Failed):
            self._request = None
            if had_session and isinstance(message.error, NotFound):
                self._sessions.pop(key, None)  # the daemon forgot, or was restarted
                self._send_from_recipe()
            else:
                self._fail(message.error)

    def _write(self, wanted: Wanted, candidate: Candidate) -> None:
        done = Rendered(wanted.run.key, wanted.position, wanted.edits, candidate.recipe, wanted.mix)

        def written() -> None:
            self.rendered.emit(done)
            self._finish()

        self._writer.write(Order(wanted.layer, candidate.patches, self._space(), written))

    def _stumble(self, error: Exception) -> None:
        if not isinstance(error, InpaintError):
            error = BadInput(
                tr("The picture could not be read or written ({error}).").format(error=error)
            )
        self._fail(error)

    def _fail(self, error: InpaintError) -> None:
        self._next = None
        self._finish()
        self.failed.emit(error)

    def _finish(self) -> None:
        self._current = None
        if self._next is not None:
            wanted, self._next = self._next, None
            self._start(wanted)
        else:
            self.busy_changed.emit()
