"""A replacement for the Krita plug-in's connection to the daemon, controlled by the test.

Requests wait in `jobs`; the test decides when each message of the response arrives.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from inpaint_client.capture import Capture
from inpaint_client.errors import ConnectionLostError, InpaintError, RequestCancelledError
from inpaint_client.events import (
    Accepted,
    Candidate,
    Done,
    Failed,
    FrameChosen,
    Message,
    Method,
    Patch,
    Progress,
)
from inpaint_client.geometry import Frame
from inpaint_client.images import Picture
from inpaint_client.info import DaemonInfo, Direction, Model
from inpaint_client.pixels import crop
from inpaint_client.recipe import parse_recipe
from inpaint_client.requests import EditJob, FillJob, FrameMode, Job, SmoothFill
from inpaint_client.segments import Segmentation, SegmentJob
from inpaint_client.settings import ConnectionSettings
from inpaint_krita.app.connection_state import ConnectionState, Phase
from inpaint_krita.host.qt import QtCore

MODEL = Model(
    name="scripted",
    resolution=32,
    is_default=True,
    directions=(Direction("smile", "face", -3, 3), Direction("light", "light", -2, 2)),
)


class ScriptedJob:
    """One request and the remaining messages of its response."""

    def __init__(
        self,
        job: Job,
        capture: Capture,
        session: str,
        receive: Callable[[Message], None],
    ) -> None:
        self.capture = capture
        self._receive = receive
        self._left: deque[Message] = deque([Accepted(session, 0)])
        if isinstance(job, FillJob):
            self._left.append(_frame(capture))
            is_smooth = job.smooth is SmoothFill.ALWAYS
            total = len(job.seeds) * (1 + len(job.variants)) + is_smooth
            self._left.append(Progress(0, total))
            for index, seed in enumerate(job.seeds):
                for variant in range(-1, len(job.variants)):
                    self._left.append(_candidate(capture, index, variant, seed))
                    self._left.append(Progress(0, total))
            if is_smooth:
                self._left.append(_candidate(capture, len(job.seeds), -1, 0, Method.SMOOTH))
        else:
            seed = 7 if job.seed is None else job.seed
            self._left.append(_candidate(capture, job.index, -1, seed))
        self._left.append(Done())

    @property
    def is_over(self) -> bool:
        return not self._left

    def deliver(self) -> None:
        """Deliver the next message."""
        if self._left:
            self._receive(self._left.popleft())

    def fail(self, error: InpaintError) -> None:
        if self._left:
            self._left.clear()
            self._receive(Failed(error))

    def cancel(self) -> None:
        """Make `Failed` the last message, delivered later by the event loop, as the client does."""
        if self._left:
            self._left = deque([Failed(RequestCancelledError("Cancelled."))])


class ScriptedConnection(QtCore.QObject):
    """Has the parts of `Link` that a controller uses."""

    changed = QtCore.pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.settings = ConnectionSettings()
        self.connection = ConnectionState(Phase.READY, info=DaemonInfo(models=(MODEL,)))
        self.jobs: list[ScriptedJob] = []
        self._captures: dict[str, Capture] = {}
        self._smooth: dict[str, int] = {}  # index of a session's smooth candidate

    def submit(self, job: Job, receive: Callable[[Message], None]) -> ScriptedJob:
        session = getattr(job, "session_id", "") or f"session-{len(self.jobs)}"
        if isinstance(job, FillJob) and job.smooth is SmoothFill.ALWAYS:
            self._smooth[session] = len(job.seeds)
        elif isinstance(job, EditJob):
            assert self._is_from_the_model(job), "a smooth candidate cannot be rendered again"
        if isinstance(job, EditJob) and job.source is None:
            capture = self._captures[session]
        else:
            given = job.capture if isinstance(job, FillJob) else job.source.capture  # type: ignore[union-attr]
            assert given is not None
            capture = self._captures[session] = given
        made = ScriptedJob(job, capture, session, receive)
        self.jobs.append(made)
        return made

    def _is_from_the_model(self, job: EditJob) -> bool:
        if job.source is not None:
            return parse_recipe(job.source.recipe).method is Method.MODEL
        return self._smooth.get(job.session_id) != job.index

    def segment(
        self, job: SegmentJob, receive: Callable[[Future[Segmentation]], None]
    ) -> Future[Segmentation]:
        raise AssertionError("no test of scripts selects parts")

    def check(self) -> None:
        pass

    def start(self) -> None:
        pass

    def failed(self, error: InpaintError) -> None:
        if isinstance(error, ConnectionLostError):
            self.changed.emit()

    def use(self, settings: ConnectionSettings) -> None:
        self.settings = settings


def _frame(capture: Capture) -> FrameChosen:
    box = capture.hole_box
    frame = Frame(box.x + box.width / 2, box.y + box.height / 2, 32.0)
    return FrameChosen(0, frame, 0.9, 32, 1.0, "Only the part inside is filled.", FrameMode.AUTO)


def _candidate(
    capture: Capture, index: int, variant: int, seed: int, method: Method = Method.MODEL
) -> Candidate:
    box = capture.hole_box
    channels = capture.crop.channels
    pixel = bytes([seed * 37 % 256] * (channels - 1) + [255])
    hole = crop(capture.hole.data, capture.crop_box.extent, box.relative(capture.crop_box))
    return Candidate(
        index=index,
        variant=variant,
        seed=seed,
        patches=(
            Patch(
                fill=Picture(*box.extent, channels, pixel * box.extent.area),
                coverage=Picture(*box.extent, 1, hole),
                box=box,
            ),
        ),
        recipe=json.dumps(
            {
                "format": 2 if method is Method.SMOOTH else 1,
                "model": MODEL.name,
                "seed": seed,
                "method": method.name.lower(),
            }
        ),
        attachment=b"seen" if variant < 0 else b"",
        method=method,
    )
