"""Resume a fill or an edit whose daemon stopped in the middle.

The same seeds and settings give the same candidates, no matter which daemon makes them. So only the
missing candidates are requested again, and the receiver sees a single fill or edit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from .events import (
    Accepted,
    Candidate,
    FillEvent,
    FrameChosen,
    Progress,
    Sending,
    Waiting,
)
from .requests import EditJob, FillJob, Job, SmoothFill


class Resumable(Protocol):
    """A job and the events that were received so far."""

    has_begun: bool  # whether the daemon has sent any event

    def taken(self, event: FillEvent) -> FillEvent | None:
        """Convert an event of the current request to one of the job; None = received before."""

    def rest(self) -> Job | None:
        """Return the request for what is missing; None if only `Done` is missing."""


def resumable(job: Job) -> Resumable:
    """Return the job with what was received so far, which is nothing."""
    return ResumableFill(job) if isinstance(job, FillJob) else ResumableEdit(job)


class ResumableEdit:
    """An edit, which has one candidate.

    Every `Accepted` is passed on: the daemon that answers last may have the session.
    """

    def __init__(self, job: EditJob) -> None:
        self._job = job
        self._is_complete = False
        self.has_begun = False

    def taken(self, event: FillEvent) -> FillEvent:
        """Return the event."""
        self.has_begun = self.has_begun or _is_of_daemon(event)
        self._is_complete = self._is_complete or isinstance(event, Candidate)
        return event

    def rest(self) -> EditJob | None:
        """Return the same request; None if only `Done` is missing."""
        return None if self._is_complete else self._job


class ResumableFill:
    """A fill and the events that were received so far."""

    def __init__(self, job: FillJob) -> None:
        self._job = job
        self._count = max(len(job.seeds), 1)
        self._seeds = list(job.seeds)  # empty until the daemon has drawn one
        self._have: set[tuple[int, int]] = set()  # index and variant
        self._total = 0
        self._frames: set[int] = set()
        self.has_begun = False
        self._indices: dict[int, int] = {}  # index in the current request -> index in the fill

    def taken(self, event: FillEvent) -> FillEvent | None:
        """Convert an event of the current request to one of the entire fill.

        Only the first `Accepted` is passed on. Edits of a candidate then find no session and use
        its recipe, no matter which daemon made it.

        Returns:
            The event; None if the same one was received before.
        """
        has_begun = self.has_begun
        self.has_begun = has_begun or _is_of_daemon(event)
        if isinstance(event, Accepted) and has_begun:
            return None
        if isinstance(event, FrameChosen):
            if event.group in self._frames:
                return None
            self._frames.add(event.group)
        elif isinstance(event, Progress):
            self._total = self._total or event.total
            return Progress(len(self._have), self._total)
        elif isinstance(event, Candidate):
            index = self._indices.get(event.index, event.index)
            if (index, event.variant) in self._have:
                return None
            self._have.add((index, event.variant))
            if not self._seeds:
                self._seeds.append(event.seed)
            return replace(event, index=index)
        return event

    def rest(self) -> FillJob | None:
        """Return the request for the missing candidates; None if only `Done` is missing."""
        variants = range(-1, len(self._job.variants))
        missing = [k for k in range(self._count) if any((k, v) not in self._have for v in variants)]
        if not self._total:  # not known yet whether there is a smooth candidate
            smooth, lacks_smooth = self._job.smooth, False
        else:
            expected = self._total > self._count * len(variants)
            lacks_smooth = expected and (self._count, -1) not in self._have
            smooth = self._job.smooth if lacks_smooth else SmoothFill.NEVER
        if not missing and not lacks_smooth:
            return None
        missing = missing or [self._count - 1]  # a fill has at least one seed
        self._indices = dict(enumerate((*missing, self._count)))
        seeds = tuple(self._seeds[k] for k in missing) if self._seeds else ()
        return replace(self._job, seeds=seeds, smooth=smooth)


def _is_of_daemon(event: FillEvent) -> bool:
    return not isinstance(event, Sending | Waiting)
