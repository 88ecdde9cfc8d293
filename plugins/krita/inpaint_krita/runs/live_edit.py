"""Live sliders: render a candidate again with other edits, into the same layer.

The client's `LiveEdit` decides what to render when; this module does Krita's part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from inpaint_client.capture import Capture
from inpaint_client.errors import InpaintError, InputError
from inpaint_client.events import Candidate, Message, Scores
from inpaint_client.info import Limits
from inpaint_client.requests import EditJob, Edits, Mixing, RecipeSource
from inpaint_client.session.daemon_session import Session
from inpaint_client.session.history import Mix, PastRun, attachment_of
from inpaint_client.session.live_edit import Cancellable, LiveEdit

from ..host.color import Space
from ..host.document_protocol import Pixels
from ..host.qt import QtCore
from ..host.selection import KeptSelection, box_of
from ..text import tr
from .candidate_run import Submit
from .capture import capture_again
from .cooperative_task import CooperativeTask
from .paint import Convert
from .writer import Canvas, Order, Writer


class Wanted(NamedTuple):
    """A rendering that the artist requested."""

    run: PastRun
    position: int
    layer: str  # the layer to write to
    edits: Edits
    mix: Mix = Mix()
    mixing: tuple[Mixing, ...] = ()  # the request that corresponds to `mix`

    @property
    def key(self) -> tuple[str, int]:
        return self.run.key, self.position


@dataclass(frozen=True)
class Rendered:
    """A finished rendering."""

    run_key: str
    position: int
    edits: Edits
    recipe: str
    mix: Mix
    scores: Scores


Read = Callable[[PastRun, KeptSelection], Pixels]


class LayerEdits(QtCore.QObject):
    """The live edits of one document."""

    rendered = QtCore.pyqtSignal(object)  # Rendered
    failed = QtCore.pyqtSignal(object)  # InpaintError
    changed = QtCore.pyqtSignal()  # `is_busy` changed

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
        self._writer = Writer(canvas, convert, self._on_error)
        self._captures: dict[str, Capture] = {}
        self._steps: CooperativeTask[Capture] | None = None
        self._live: LiveEdit[Wanted] = LiveEdit(self)

    @property
    def is_busy(self) -> bool:
        return self._live.is_busy

    def remember(self, run_key: str, position: int, session: Session) -> None:
        """Remember the daemon's session of a new result."""
        self._live.remember((run_key, position), session)

    def session_of(self, run_key: str, position: int) -> Session | None:
        """Return the daemon's session of a result, if it is known."""
        return self._live.session_of((run_key, position))

    def request(self, wanted: Wanted) -> None:
        """Render as soon as the current rendering is done, instead of any that waits."""
        self._live.request(wanted)

    def stop(self) -> None:
        """Discard the current rendering and any that waits."""
        self._drop()
        self._live.stop()

    # -- called by the client's `LiveEdit` ---------------------------------------------------

    def key(self, wanted: Wanted) -> tuple[str, int]:
        return wanted.key

    def is_shown(self, wanted: Wanted) -> bool:
        return False  # the artist may have painted on the layer since

    def changes(self, wanted: Wanted) -> tuple[Edits, tuple[Mixing, ...]]:
        return wanted.edits, wanted.mixing

    def give_source(self, wanted: Wanted, give: Callable[[RecipeSource], None]) -> None:
        self.read_source(wanted.run, wanted.position, give, self._on_error)

    def read_source(
        self,
        run: PastRun,
        position: int,
        give: Callable[[RecipeSource], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Read what rendering a result again without a session requires.

        Calls `give` with it, immediately or later, or `failed` with a later error.

        Raises:
            InputError: the size of the image has changed.
        """
        result = run.results[position]

        def take(captured: Capture) -> None:
            self._steps = None
            self._captures = {run.key: captured}  # keep only the last one: they are large
            give(
                RecipeSource(
                    recipe=result.unmixed or result.recipe,
                    attachment=attachment_of(run, result),
                    capture=captured,
                )
            )

        if run.key in self._captures:
            take(self._captures[run.key])
            return
        selection = KeptSelection(run.hole_box, run.coverage)
        pixels = self._read(run, selection)
        if pixels.extent != run.document:
            raise InputError(
                tr("The image was resized or cropped after this fill was made."),
                tr("Undo that change, or fill again."),
            )
        reading = capture_again(pixels, box_of(selection), self._limits())
        self._steps = CooperativeTask(reading, take, failed)

    def submit(self, job: EditJob, receive: Callable[[Message], None]) -> Cancellable:
        return self._submit(job, receive)

    def show(self, wanted: Wanted, candidate: Candidate, job: EditJob) -> None:
        done = Rendered(*wanted.key, wanted.edits, candidate.recipe, wanted.mix, candidate.scores)

        def written() -> None:
            self.rendered.emit(done)
            self._live.shown()

        self._writer.write(Order(wanted.layer, candidate.patches, self._space(), written))

    def refused(self, error: InpaintError) -> None:
        self._drop()
        self.failed.emit(error)

    def busy_changed(self) -> None:
        self.changed.emit()

    def _on_error(self, error: Exception) -> None:
        if not isinstance(error, InpaintError):
            error = InputError(
                tr("The image could not be read or written ({error}).").format(error=error)
            )
        self._live.refuse(error)

    def _drop(self) -> None:
        """Stop reading and writing."""
        if self._steps is not None:
            self._steps.cancel()
            self._steps = None
        self._writer.stop()
