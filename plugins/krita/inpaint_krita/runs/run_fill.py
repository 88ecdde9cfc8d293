"""One run: read the document, ask the daemon, put the candidates into layers as they come."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from inpaint_client.capture import Capture
from inpaint_client.errors import BadInput, Cancelled, InpaintError
from inpaint_client.events import Accepted, Candidate, Done, Failed, FrameChosen, Message, Progress
from inpaint_client.geometry import Box, Frame
from inpaint_client.info import Limits
from inpaint_client.pixels import crop
from inpaint_client.requests import Edits, FillJob, Job
from inpaint_client.session.history import PastRun, Result
from inpaint_client.session.live_edit import Cancellable
from inpaint_client.session.run_status import RunStatus, Stage

from ..host.colour import Space
from ..host.document_protocol import Painting, Pixels
from ..host.layer_placement import Spot
from ..host.qt import QtCore
from ..text import tr
from .capture import capture
from .paint import Convert
from .stepper import Steps
from .wishes import Wishes, fill_job
from .writer import Order, Writer

Submit = Callable[[Job, Callable[[Message], None]], Cancellable]


class RunCanvas(Protocol):
    """The part of a document that a run changes."""

    def insert_run(self, spot: Spot, title: str, names: list[str]) -> tuple[str, list[str]]: ...
    def keep_layers(self, group_id: str, layer_ids: list[str]) -> None: ...
    def write(self, layer_id: str, painting: Painting) -> bool: ...
    def refresh(self) -> None: ...


@dataclass(frozen=True)
class Plan:
    """All that a run is started with."""

    pixels: Pixels
    selection: Box
    space: Space  # of the document
    spot: Spot
    source: str  # id of the layer that is read; empty = all visible ones
    wishes: Wishes
    edits: Edits
    limits: Limits
    model_name: str  # that is likely to fill; the daemon may take one with more detail
    model_title: str


class FillRun(QtCore.QObject):
    """Signals come in the window's thread. After `finished` nothing more happens."""

    progressed = QtCore.pyqtSignal(object)  # RunStatus
    framed = QtCore.pyqtSignal(object)  # FrameChosen
    inserted = QtCore.pyqtSignal()  # the layers are in the picture, empty
    arrived = QtCore.pyqtSignal(int)  # position in `past.results`; the layer is written
    finished = QtCore.pyqtSignal(object)  # InpaintError or None

    def __init__(
        self,
        canvas: RunCanvas,
        plan: Plan,
        submit: Submit,
        convert: Convert,
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.past: PastRun | None = None
        self.session = ""
        self.frame: Frame | None = None
        self._model = plan.model_title  # for people
        self.progress = RunStatus(Stage.READING, started=time.monotonic())
        self._canvas = canvas
        self._plan = plan
        self._submit = submit
        self._capture: Capture | None = None
        self._request: Cancellable | None = None
        self._is_over = False
        self._error: InpaintError | None = None
        self._is_done = False  # the daemon has sent all; writing may still go on
        self._filled: set[int] = set()
        self._waiting: deque[Message] = deque()
        self._is_taking = False
        self._writer = Writer(canvas, convert, self._stumble)
        reading = capture(plan.pixels, plan.selection, plan.limits)
        self._steps: Steps[Capture] | None = Steps(reading, self._send, self._stumble)

    def cancel(self) -> None:
        """Stop at once. Candidates that have arrived stay, layers still empty go."""
        self._end(Cancelled(tr("Cancelled.")))

    def abandon(self) -> None:
        """The document is closed: touch it no more, and say nothing."""
        self._is_over = True
        self._stop_asking()
        self._writer.stop()

    # -- the way there -----------------------------------------------------------------------

    def _send(self, captured: Capture) -> None:
        self._steps = None
        self._capture = captured
        self._advance(replace(self.progress, stage=Stage.CONNECTING))
        try:
            job: FillJob = fill_job(self._plan.wishes, captured, self._plan.edits)
        except InpaintError as error:
            self._end(error)
            return
        self._request = self._submit(job, self._receive)

    def _receive(self, message: Message) -> None:
        """One at a time: adding a layer lets Krita's event loop turn, and the next may come in."""
        self._waiting.append(message)
        if self._is_taking:
            return
        self._is_taking = True
        try:
            while self._waiting and not self._is_over:
                self._handle(self._waiting.popleft())
        finally:
            self._is_taking = False

    def _handle(self, message: Message) -> None:
        if isinstance(message, Accepted | Progress):
            self._advance(self.progress.after(message, time.monotonic()))
            self.session = self.progress.session_id
        elif isinstance(message, FrameChosen):
            self.frame = self.frame or message.frame
            if message.model not in ("", self._plan.model_name):
                self._model = message.model
            self.framed.emit(message)
        elif isinstance(message, Candidate):
            self._take(message)
        elif isinstance(message, Done):
            self._is_done = True
            if not self._writer.is_busy:
                self._end(None)
        elif isinstance(message, Failed):
            self._end(message.error)

    def _take(self, candidate: Candidate) -> None:
        if self.past is None:
            self._insert(candidate)
        past = self.past
        assert past is not None
        position = self._position(candidate.index, candidate.variant)
        if position >= len(past.results):
            return  # a daemon that sends more than was asked for
        result = replace(
            past.results[position],
            seed=candidate.seed,
            recipe=candidate.recipe,
            attachment=candidate.attachment,
            edits=self._edits_of(candidate.variant),
        )
        self.past = past.with_result(position, result)
        self._writer.write(
            Order(
                result.layer,
                candidate.patches,
                self._plan.space,
                lambda: self._written(position),
            )
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

    # -- layers ------------------------------------------------------------------------------

    @property
    def _variants(self) -> int:
        """How many variants follow each candidate."""
        return int(self._plan.wishes.also_without_edits and bool(self._plan.edits))

    def _position(self, index: int, variant: int) -> int:
        return index * (1 + self._variants) + variant + 1

    def _edits_of(self, variant: int) -> Edits:
        return {} if self._variants and variant < 0 else self._plan.edits

    def _insert(self, first: Candidate) -> None:
        assert self._capture is not None
        plan = self._plan
        names, empty = [], []
        for index, own in enumerate(plan.wishes.seeds):
            for variant in range(-1, self._variants):
                name = tr("Seed {seed}") if variant < 0 else tr("Seed {seed}, edited")
                names.append(name.format(seed=own))
                empty.append(Result(own, "", "", index, variant))
        seed = plan.wishes.seed
        title = tr("Inpaint · {model} · seed {seed}").format(model=self._model, seed=seed)
        group, layers = self._canvas.insert_run(plan.spot, title, names)
        box, crop_box = self._capture.hole_box, self._capture.crop_box
        now = datetime.now().astimezone()
        self.past = PastRun(
            key=f"{now:%Y%m%dT%H%M%S.%f}",
            time=now.isoformat(timespec="seconds"),
            model=self._model,
            title=title,
            group=group,
            document=self._capture.document,
            hole_box=box,
            coverage=crop(self._capture.hole.data, crop_box.extent, box.relative(crop_box)),
            source=plan.source,
            results=tuple(
                replace(result, layer=layer) for result, layer in zip(empty, layers, strict=True)
            ),
        )
        self.inserted.emit()

    # -- the end -----------------------------------------------------------------------------

    def _stumble(self, error: Exception) -> None:
        if not isinstance(error, InpaintError):
            error = BadInput(
                tr("The picture could not be read or written ({error}).").format(error=error)
            )
        self._end(error)

    def _end(self, error: InpaintError | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._stop_asking()
        self._error = error
        self._advance(RunStatus())
        if not self._writer.is_busy:  # else what has arrived is written first
            self._finish()

    def _stop_asking(self) -> None:
        if self._steps is not None:
            self._steps.cancel()
        if self._request is not None and not self._is_done:
            self._request.cancel()

    def _finish(self) -> None:
        past = self.past
        try:
            if past is not None and len(self._filled) < len(past.results):
                kept = [result for i, result in enumerate(past.results) if i in self._filled]
                self.past = replace(past, results=tuple(kept))
                self._canvas.keep_layers(past.group, [result.layer for result in kept])
        finally:  # else the docker would wait for the end of this run for ever
            self.finished.emit(self._error)

    def _advance(self, progress: RunStatus) -> None:
        self.progress = progress
        self.progressed.emit(progress)
