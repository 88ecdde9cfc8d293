"""How far a run is, in words and as a fraction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from .text import tr


class Stage(Enum):
    IDLE = auto()
    READING = auto()  # the document
    CONNECTING = auto()  # to the daemon, which may have to start
    QUEUED = auto()
    ENCODING = auto()  # accepted; nothing rendered yet
    RENDERING = auto()


@dataclass(frozen=True)
class RunProgress:
    stage: Stage = Stage.IDLE
    queue_position: int = 0
    done: int = 0
    total: int = 0
    started: float = 0.0  # monotonic seconds: of the run
    first_at: float = 0.0  # of the first rendering

    @property
    def is_running(self) -> bool:
        return self.stage is not Stage.IDLE

    @property
    def fraction(self) -> float | None:
        """0..1, or None while nobody knows."""
        if self.stage is not Stage.RENDERING or not self.total:
            return None
        return self.done / self.total

    def words(self, now: float) -> str:
        """One short line with the time that went by and, where it can be told, what is left."""
        elapsed = _seconds(now - self.started)
        if self.stage is Stage.READING:
            return tr("Reading the picture …")
        if self.stage is Stage.CONNECTING:
            return tr("Waiting for the daemon … {elapsed}").format(elapsed=elapsed)
        if self.stage is Stage.QUEUED:
            return tr("{count} before this one … {elapsed}").format(
                count=self.queue_position, elapsed=elapsed
            )
        if self.stage is Stage.ENCODING:
            return tr("Looking at the picture … {elapsed}").format(elapsed=elapsed)
        if self.stage is Stage.RENDERING:
            left = self._left(now)
            if left is None:
                return tr("{done} of {total} · {elapsed}").format(
                    done=self.done, total=self.total, elapsed=elapsed
                )
            return tr("{done} of {total} · {elapsed}, about {left} left").format(
                done=self.done, total=self.total, elapsed=elapsed, left=_seconds(left)
            )
        return ""

    def _left(self, now: float) -> float | None:
        """From the pace since the first rendering: the start says nothing about the rest."""
        if self.done < 2 or self.done >= self.total:
            return None
        return (now - self.first_at) / (self.done - 1) * (self.total - self.done)


def _seconds(value: float) -> str:
    whole = max(0, round(value))
    if whole < 60:
        return tr("{seconds} s").format(seconds=whole)
    return tr("{minutes}:{seconds:02d} min").format(minutes=whole // 60, seconds=whole % 60)
