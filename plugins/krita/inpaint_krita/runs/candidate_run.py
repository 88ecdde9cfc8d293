"""Base of all runs: write the daemon's candidates into layers as they arrive."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from inpaint_client.errors import InpaintError, InputError, RequestCancelledError
from inpaint_client.events import Candidate, Message
from inpaint_client.geometry import Frame
from inpaint_client.requests import Edits, Job
from inpaint_client.session import layer_names
from inpaint_client.session.daemon_session import NO_SESSION
from inpaint_client.session.history import PastRun
from inpaint_client.session.live_edit import Cancellable
from inpaint_client.session.run_status import RunStatus, Stage

from ..host.color import Space
from ..host.document_protocol import Painting
from ..host.layer_placement import InsertPosition
from ..host.qt import QtCore
from ..text import say, tr
from .paint import Convert
from .writer import Order, Writer

Submit = Callable[[Job, Callable[[Message], None]], Cancellable]


class RunCanvas(Protocol):
    """The part of a document used by a run."""

    def insert_run(
        self, insert_position: InsertPosition, title: str, names: list[str]
    ) -> tuple[str, list[str]]: ...
    def insert_more(
        self, group_id: str, title: str, names: list[str]
    ) -> tuple[str, list[str]] | None: ...
    def keep_layers(self, group_id: str, layer_ids: list[str]) -> None: ...
    def write(self, layer_id: str, painting: Painting) -> bool: ...
    def refresh(self) -> None: ...


class CandidateRun(QtCore.QObject):
    """Emits its signals in the GUI thread; `finished` is the last one."""

    progressed = QtCore.pyqtSignal(object)  # RunStatus
    framed = QtCore.pyqtSignal(object)  # FrameChosen
    told = QtCore.pyqtSignal(object)  # a sentence for the artist
    inserted = QtCore.pyqtSignal()  # the empty layers are in the image
    arrived = QtCore.pyqtSignal(int)  # position in `past.results`; the layer is written
    finished = QtCore.pyqtSignal(object)  # InpaintError or None

    def __init__(
        self,
        canvas: RunCanvas,
        space: Space,
        submit: Submit,
        convert: Convert,
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.past: PastRun | None = None
        self.session = NO_SESSION  # the daemon's, if it has all candidates of the run
        self.frame: Frame | None = None
        self.progress = RunStatus(Stage.READING, started=time.monotonic())
        self._canvas = canvas
        self._space = space
        self._submit = submit
        self._request: Cancellable | None = None
        self._group = ""  # of the new layers
        self._first = 0  # position of the first new result
        self._is_over = False
        self._error: InpaintError | None = None
        self._is_done = False  # the daemon has sent everything; writing may continue
        self._filled: set[int] = set()
        self._waiting: deque[Message] = deque()
        self._is_taking = False
        self._writer = Writer(canvas, convert, self._on_error)

    def cancel(self) -> None:
        """Stop immediately. Keep the candidates received, and remove empty layers."""
        self._end(RequestCancelledError(tr("Canceled.")))

    def abandon(self) -> None:
        """Stop without touching the document, which was closed, and without signals."""
        self._is_over = True
        self._stop_asking()
        self._writer.stop()

    # -- implemented by each kind of run -----------------------------------------------------

    @abstractmethod
    def _handle(self, message: Message) -> None:
        """Handle a message from the daemon."""

    @abstractmethod
    def _insert(self) -> PastRun:
        """Insert empty layers into the image and return the run with their results.

        Sets `_group` and `_first`.

        Raises:
            InputError: the group for them is gone.
        """

    @abstractmethod
    def _position(self, candidate: Candidate) -> int:
        """Return the position of a candidate in the results."""

    @abstractmethod
    def _edits_of(self, candidate: Candidate) -> Edits:
        """Return the edits of a candidate."""

    # -- messages ----------------------------------------------------------------------------

    def _receive(self, message: Message) -> None:
        """Handle messages one at a time.

        Inserting a layer runs Krita's event loop, so the next message may arrive meanwhile.
        """
        self._waiting.append(message)
        if self._is_taking:
            return
        self._is_taking = True
        try:
            while self._waiting and not self._is_over:
                self._handle(self._waiting.popleft())
        finally:
            self._is_taking = False

    def _take(self, candidate: Candidate) -> None:
        if self.past is None:
            try:
                self.past = self._insert()
            except InputError as error:
                self._end(error)
                return
            self.inserted.emit()
        past = self.past
        position = self._position(candidate)
        if position >= len(past.results):
            return  # the daemon sent more candidates than requested
        result = replace(
            past.results[position],
            seed=candidate.seed,
            recipe=candidate.recipe,
            attachment=candidate.attachment or past.results[position].attachment,
            edits=self._edits_of(candidate),
            method=candidate.method,
            scores=candidate.scores,
        )
        self.past = past.with_result(position, result)
        self._writer.write(
            Order(result.layer, candidate.patches, self._space, lambda: self._written(position))
        )

    def _written(self, position: int) -> None:
        self._filled.add(position)
        if position == 0:
            self._canvas.refresh()  # the others are hidden: nothing to draw
        self.arrived.emit(position)
        if self._writer.is_busy:
            return
        if self._is_over:
            self._finish()
        elif self._is_done:
            self._end(None)

    def _all_sent(self) -> None:
        self._is_done = True
        if not self._writer.is_busy:
            self._end(None)

    # -- the end -----------------------------------------------------------------------------

    def _on_error(self, error: Exception) -> None:
        if not isinstance(error, InpaintError):
            error = InputError(
                tr("The image could not be read or written ({error}).").format(error=error)
            )
        self._end(error)

    def _end(self, error: InpaintError | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._stop_asking()
        self._error = error
        self._advance(RunStatus())
        if not self._writer.is_busy:  # else finish once pending candidates are written
            self._finish()

    def _stop_asking(self) -> None:
        if self._request is not None and not self._is_done:
            self._request.cancel()

    def _finish(self) -> None:
        try:
            self._drop_empty()
        finally:  # else the docker would wait forever for this run to finish
            self.finished.emit(self._error)

    def _drop_empty(self) -> None:
        """Remove the results and layers of candidates that never arrived."""
        past = self.past
        if past is None:
            return
        fresh = past.results[self._first :]
        kept = [each for i, each in enumerate(fresh, self._first) if i in self._filled]
        if len(kept) < len(fresh):
            self.past = replace(past, results=(*past.results[: self._first], *kept))
            self._canvas.keep_layers(self._group, [result.layer for result in kept])

    def _advance(self, progress: RunStatus) -> None:
        self.progress = progress
        self.progressed.emit(progress)


def layer_name(index: int, seed: int, variant: int) -> str:
    """Return the layer name of a candidate or, if `variant` is not -1, of its variant."""
    changes = "" if variant < 0 else tr("edited")
    return say(layer_names.candidate(index + 1, seed, changes))
