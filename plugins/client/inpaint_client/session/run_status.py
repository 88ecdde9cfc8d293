"""Status of a run, computed from its messages. Each host describes it in its own words."""

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
from .daemon_session import NO_SESSION, Session


class Stage(Enum):
    """The current stage of a run."""

    IDLE = auto()
    READING = auto()  # reading the document
    CONNECTING = auto()  # connecting to the daemon, which may have to start
    SENDING = auto()  # sending a large image
    WAITING = auto()  # the daemon is busy; the request will be retried
    QUEUED = auto()
    ENCODING = auto()  # accepted; nothing rendered yet
    RENDERING = auto()
    DONE = auto()


@dataclass(frozen=True)
class RunStatus:
    """Status of a run. Times are in seconds of one clock, such as `time.monotonic`."""

    stage: Stage = Stage.IDLE
    queue_position: int = 0
    done: int = 0
    total: int = 0
    sent: float = 0.0  # 0..1, while sending
    started: float = 0.0
    first_at: float = 0.0  # time of the first progress event
    first_done: int = 0  # number of renderings in that event
    last_at: float = 0.0  # time of the latest progress event
    session: Session = NO_SESSION  # the daemon's, with the first candidate
    warnings: tuple[str, ...] = ()  # notices of the frames that the user must see
    details: tuple[str, ...] = ()  # notices of the frames about how the fill is made

    @property
    def is_running(self) -> bool:
        """Whether the run has started and not finished."""
        return self.stage not in (Stage.IDLE, Stage.DONE)

    @property
    def fraction(self) -> float | None:
        """The fraction that is done, 0..1; None if unknown."""
        if self.stage is Stage.DONE:
            return 1.0
        if self.stage is Stage.SENDING:
            return self.sent
        if self.stage is not Stage.RENDERING or not self.total:
            return None
        return self.done / self.total

    def after(self, event: FillEvent, now: float) -> RunStatus:
        """Return the status after an event."""
        if isinstance(event, Sending):
            return replace(self, stage=Stage.SENDING, sent=event.fraction)
        if isinstance(event, Accepted):
            stage = Stage.QUEUED if event.queue_position else Stage.ENCODING
            return replace(
                self,
                stage=stage,
                queue_position=event.queue_position,
                session=Session(event.session_id, 0, event.routing_key),
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
        """Estimate the remaining time in seconds from the pace so far; None if unknown.

        The estimate counts down between renderings and becomes None if a rendering is late. It is
        also None before the second rendering, because the time before the first includes startup.
        """
        counted = self.done - self.first_done
        if self.stage is not Stage.RENDERING or counted < 2 or self.done >= self.total:
            return None
        pace = (self.last_at - self.first_at) / counted
        left = pace * (self.total - self.done) - (now - self.last_at)
        return left if left > 0 else None


def spoken_time(seconds: float) -> Sentence:
    """Return full seconds, or minutes and seconds, as a translatable sentence."""
    whole = max(1, math.ceil(seconds))
    if whole < 60:
        return Sentence("{seconds} s", seconds=whole)
    return Sentence("{minutes}:{seconds:02d} min", minutes=whole // 60, seconds=whole % 60)


def _also(told: tuple[str, ...], event: FrameChosen, *, is_detail: bool) -> tuple[str, ...]:
    """Return the sentences plus the new ones of a frame."""
    new = (each.text for each in event.notices if each.is_detail == is_detail)
    return tuple(dict.fromkeys((*told, *new)))
