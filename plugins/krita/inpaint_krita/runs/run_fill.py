"""Fill a selection: read the document, send the job, write candidates to layers as they arrive."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime

from inpaint_client.capture import Capture
from inpaint_client.errors import InpaintError
from inpaint_client.events import (
    Accepted,
    Candidate,
    Done,
    Failed,
    FrameChosen,
    Message,
    Method,
    Progress,
    Resumed,
    Sending,
    Waiting,
)
from inpaint_client.geometry import Box
from inpaint_client.info import Limits
from inpaint_client.pixels import crop
from inpaint_client.requests import Edits, FillJob
from inpaint_client.session import layer_names
from inpaint_client.session.history import PastRun, Result
from inpaint_client.session.run_status import Stage

from ..host.color import Space
from ..host.document_protocol import Pixels
from ..host.layer_placement import InsertPosition
from ..host.qt import QtCore
from ..text import say
from .candidate_run import CandidateRun, RunCanvas, Submit, layer_name
from .capture import capture
from .cooperative_task import CooperativeTask
from .fill_settings import FillSettings, fill_job
from .paint import Convert


@dataclass(frozen=True)
class Plan:
    """Everything a run needs to start."""

    pixels: Pixels
    selection: Box
    space: Space  # of the document
    insert_position: InsertPosition
    source: str  # id of the layer to read; empty = all visible layers
    fill_settings: FillSettings
    edits: Edits
    limits: Limits
    model_name: str  # the expected model; the daemon may choose one with more detail
    model_title: str


class FillRun(CandidateRun):
    """Fills a selection."""

    def __init__(
        self,
        canvas: RunCanvas,
        plan: Plan,
        submit: Submit,
        convert: Convert,
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(canvas, plan.space, submit, convert, parent)
        self._plan = plan
        self._model = plan.model_title
        self._capture: Capture | None = None
        reading = capture(plan.pixels, plan.selection, plan.limits)
        self._steps: CooperativeTask[Capture] | None = CooperativeTask(
            reading, self._send, self._on_error
        )

    def _send(self, captured: Capture) -> None:
        self._steps = None
        self._capture = captured
        self._advance(replace(self.progress, stage=Stage.CONNECTING))
        try:
            job: FillJob = fill_job(self._plan.fill_settings, captured, self._plan.edits)
        except InpaintError as error:
            self._end(error)
            return
        self._request = self._submit(job, self._receive)

    def _handle(self, message: Message) -> None:
        if isinstance(message, Sending | Waiting | Accepted | Progress):
            self._advance(self.progress.after(message, time.monotonic()))
            self.session = self.progress.session
        elif isinstance(message, FrameChosen):
            self.frame = self.frame or message.frame
            if message.model not in ("", self._plan.model_name):
                self._model = message.model
            self.framed.emit(message)
        elif isinstance(message, Resumed):
            self.told.emit(message.text)
        elif isinstance(message, Candidate):
            self._take(message)
        elif isinstance(message, Done):
            self._all_sent()
        elif isinstance(message, Failed):
            self._end(message.error)

    def _stop_asking(self) -> None:
        if self._steps is not None:
            self._steps.cancel()
        super()._stop_asking()

    # -- layers ------------------------------------------------------------------------------

    @property
    def _variants(self) -> int:
        """Number of variants after each candidate."""
        return int(self._plan.fill_settings.also_without_edits and bool(self._plan.edits))

    def _position(self, candidate: Candidate) -> int:
        return candidate.index * (1 + self._variants) + candidate.variant + 1

    def _edits_of(self, candidate: Candidate) -> Edits:
        is_plain = self._variants and not candidate.is_variant
        return {} if is_plain or candidate.method is Method.SMOOTH else self._plan.edits

    @property
    def _has_smooth(self) -> bool:
        """Whether a smooth candidate follows; the daemon announces it before the first one."""
        return self.progress.total > len(self._plan.fill_settings.seeds) * (1 + self._variants)

    def _insert(self) -> PastRun:
        assert self._capture is not None
        plan = self._plan
        names, empty = [], []
        for index, own in enumerate(plan.fill_settings.seeds):
            for variant in range(-1, self._variants):
                names.append(layer_name(index, own, variant))
                empty.append(Result(own, "", "", index, variant))
        if self._has_smooth:
            names.append(say(layer_names.smooth(len(plan.fill_settings.seeds) + 1)))
            empty.append(Result(0, "", "", len(plan.fill_settings.seeds), method=Method.SMOOTH))
        seed = plan.fill_settings.seed
        title = say(layer_names.run(seed, self._model))
        self._group, layers = self._canvas.insert_run(plan.insert_position, title, names)
        box, crop_box = self._capture.hole_box, self._capture.crop_box
        now = datetime.now().astimezone()
        return PastRun(
            key=f"{now:%Y%m%dT%H%M%S.%f}",
            time=now.isoformat(timespec="seconds"),
            model=self._model,
            title=title,
            group=self._group,
            document=self._capture.document,
            hole_box=box,
            coverage=crop(self._capture.hole.data, crop_box.extent, box.relative(crop_box)),
            source=plan.source,
            results=tuple(
                replace(result, layer=layer) for result, layer in zip(empty, layers, strict=True)
            ),
        )
