"""How far a run is: its messages folded into one value. Each host has its own words for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from ..events import Accepted, Done, FillEvent, FrameChosen, Progress, Sending


class Stage(Enum):
    """What a run is doing."""

    IDLE = auto()
    READING = auto()  # the document
    CONNECTING = auto()  # to the daemon, which may have to start
    SENDING = auto()  # a large picture
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
    first_at: float = 0.0  # when renderings began to come
    session_id: str = ""
    warnings: tuple[str, ...] = ()  # of the frames

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
        if isinstance(event, FrameChosen) and event.warning:
            return replace(self, warnings=(*self.warnings, event.warning))
        if isinstance(event, Progress):
            return replace(
                self,
                stage=Stage.RENDERING,
                done=event.done,
                total=event.total,
                first_at=self.first_at or now,
            )
        if isinstance(event, Done):
            return replace(self, stage=Stage.DONE)
        return self

    def left_s(self, now: float) -> float | None:
        """Return seconds until the end, from the pace since the first rendering; None: unknown.

        The time before the first one says nothing about the rest.
        """
        if self.done < 2 or self.done >= self.total:
            return None
        return (now - self.first_at) / (self.done - 1) * (self.total - self.done)
