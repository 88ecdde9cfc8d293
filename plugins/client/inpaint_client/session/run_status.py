"""How far a run is: its messages folded into one value. Each host has its own words for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum, auto

from ..events import (
    Accepted,
    Done,
    FillEvent,
    FrameChosen,
    Progress,
    Resumed,
    Sending,
    Waiting,
)
from ..sentence import Sentence


class Stage(Enum):
    """What a run is doing."""

    IDLE = auto()
    READING = auto()  # the document
    CONNECTING = auto()  # to the daemon, which may have to start
    SENDING = auto()  # a large image
    WAITING = auto()  # the daemon has no room; it is asked again
    QUEUED = auto()
    ENCODING = auto()  # accepted; nothing rendered yet
    RENDERING = auto()
    DONE = auto()


@dataclass(frozen=True)
class RunStatus:
    """Times are seconds of one clock, such as `time.monotonic`."""

    stage: Stage = Stage.IDLE
    queue_position: int = 0
    done: int = 0
    total: int = 0
    sent: float = 0.0  # 0..1, while sending
    started: float = 0.0
    first_at: float = 0.0  # when the first count of renderings came
    first_done: int = 0  # what that was
    last_at: float = 0.0  # when the latest came
    session_id: str = ""
    warnings: tuple[str, ...] = ()  # of the frames: messages for the user
    details: tuple[str, ...] = ()  # of the frames: how the fill is made

    @property
    def is_running(self) -> bool:
        """Whether there is something to wait for."""
        return self.stage not in (Stage.IDLE, Stage.DONE)

    @property
    def fraction(self) -> float | None:
        """0..1, or None while nobody knows."""
        if self.stage is Stage.DONE:
            return 1.0
        if self.stage is Stage.SENDING:
            return self.sent
        if self.stage is not Stage.RENDERING or not self.total:
            return None
        return self.done / self.total

    def after(self, event: FillEvent, now: float) -> RunStatus:
        """Return the status when an event has come."""
        if isinstance(event, Sending):
            return replace(self, stage=Stage.SENDING, sent=event.fraction)
        if isinstance(event, Accepted):
            stage = Stage.QUEUED if event.queue_position else Stage.ENCODING
            return replace(
                self,
                stage=stage,
                queue_position=event.queue_position,
                session_id=event.session_id,
            )
        if isinstance(event, FrameChosen):
            return replace(
                self,
                warnings=_also(self.warnings, event, is_detail=False),
                details=_also(self.details, event, is_detail=True),
            )
        if isinstance(event, Progress):
            return replace(
                self,
                stage=Stage.RENDERING,
                done=event.done,
                total=event.total,
                first_at=self.first_at or now,
                first_done=self.first_done if self.first_at else event.done,
                last_at=now,
            )
        if isinstance(event, Resumed):
            return replace(self, warnings=tuple(dict.fromkeys((*self.warnings, event.text))))
        if isinstance(event, Waiting | Done):
            return replace(self, stage=Stage.DONE if isinstance(event, Done) else Stage.WAITING)
        return self

    def left_s(self, now: float) -> float | None:
        """Return seconds until the end, from the pace of the renderings that came; None: unknown.

        It counts down between them, and says nothing once a rendering is late. Nor does it before
        the second one: the time before the first tells nothing of the rest.
        """
        counted = self.done - self.first_done
        if self.stage is not Stage.RENDERING or counted < 2 or self.done >= self.total:
            return None
        pace = (self.last_at - self.first_at) / counted
        left = pace * (self.total - self.done) - (now - self.last_at)
        return left if left > 0 else None


def spoken_time(seconds: float) -> Sentence:
    """Return whole seconds, or minutes and seconds, to be said in the editor's language."""
    whole = max(1, math.ceil(seconds))
    if whole < 60:
        return Sentence("{seconds} s", seconds=whole)
    return Sentence("{minutes}:{seconds:02d} min", minutes=whole // 60, seconds=whole % 60)


def _also(told: tuple[str, ...], event: FrameChosen, *, is_detail: bool) -> tuple[str, ...]:
    """Return the sentences with those of a frame that were not there."""
    new = (each.text for each in event.notices if each.is_detail == is_detail)
    return tuple(dict.fromkeys((*told, *new)))
