"""Add candidates to an existing run by rendering one of its results again with other seeds.

The daemon keeps the frame, blending and truncation of the result. Its session is fastest; if the
session has expired, the recipe and the image are sent instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from inpaint_client.errors import InpaintError, InputError, NotFoundError
from inpaint_client.events import Accepted, Candidate, Done, Failed, Message, Progress
from inpaint_client.requests import EditJob, Edits, RecipeSource
from inpaint_client.session import layer_names
from inpaint_client.session.daemon_session import Session
from inpaint_client.session.history import PastRun, Result, attachment_of
from inpaint_client.session.run_status import Stage
from inpaint_client.session.strip import seeds_after

from ..host.color import Space
from ..host.guard import later
from ..host.qt import QtCore
from ..text import say, tr
from .candidate_run import CandidateRun, RunCanvas, Submit, layer_name
from .paint import Convert

GiveSource = Callable[[Callable[[RecipeSource], None], Callable[[Exception], None]], None]


@dataclass(frozen=True)
class Addition:
    """One rendering to request."""

    seed: int
    index: int  # of the candidate in its run
    variant: int  # -1: the candidate itself
    edits: Edits


def additions(run: PastRun, count: int, edits: Edits, also_without: bool) -> list[Addition]:
    """Return `count` candidates for the run, each unedited and edited if `also_without`."""
    used = [
        result.seed
        for result in sorted(run.results, key=lambda result: result.index)
        if not result.is_smooth
    ]
    index = 1 + max((result.index for result in run.results), default=-1)
    both = also_without and bool(edits)
    wanted: list[Addition] = []
    for seed in seeds_after(used, count):
        wanted.append(Addition(seed, index, -1, {} if both else edits))
        if both:
            wanted.append(Addition(seed, index, 0, edits))
        index += 1
    return wanted


@dataclass(frozen=True)
class MorePlan:
    """Everything needed to add candidates."""

    current: Callable[[], PastRun]  # returns the run, which the artist may have changed
    position: int  # of the result to render again
    wanted: Sequence[Addition]
    space: Space  # of the document
    session: Session | None  # the daemon's session of the result
    give_source: GiveSource  # reads what the daemon needs without a session


class MoreRun(CandidateRun):
    """Adds candidates to a run, one request each."""

    def __init__(
        self,
        canvas: RunCanvas,
        plan: MorePlan,
        submit: Submit,
        convert: Convert,
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(canvas, plan.space, submit, convert, parent)
        self._plan = plan
        self._daemon_session = plan.session
        self._source: RecipeSource | None = None
        self._at = 0  # index of the current addition
        later(0, self._ask)

    def _ask(self) -> None:
        if self._is_over:
            return
        if self._daemon_session is None and self._source is None:
            try:
                self._plan.give_source(self._take_source, self._on_error)
            except InpaintError as error:
                self._end(error)
            return
        wanted = self._plan.wanted[self._at]
        session = self._daemon_session
        if self._at == 0:
            self._advance(replace(self.progress, stage=Stage.CONNECTING))
        job = EditJob(
            session_id=session.id if session else "",
            routing_key=session.routing_key if session else "",
            index=session.candidate if session else 0,
            source=None if session else self._source,
            edits=wanted.edits,
            seed=wanted.seed,
        )
        self._request = self._submit(job, self._receive)

    def _take_source(self, source: RecipeSource) -> None:
        self._source = source
        self._ask()

    def _handle(self, message: Message) -> None:
        if isinstance(message, Accepted):
            if self._daemon_session is None:  # the new session has one candidate: the recipe's
                self._daemon_session = Session(message.session_id, 0, message.routing_key)
            if self._at == 0:
                self._advance(self.progress.after(message, time.monotonic()))
        elif isinstance(message, Candidate):
            self._take(message)
            if self._is_over:
                return
            done = Progress(done=self._at + 1, total=len(self._plan.wanted))
            self._advance(self.progress.after(done, time.monotonic()))
        elif isinstance(message, Done):
            self._at += 1
            if self._at < len(self._plan.wanted):
                self._ask()
            else:
                self._all_sent()
        elif isinstance(message, Failed):
            if self._daemon_session is not None and isinstance(message.error, NotFoundError):
                self._daemon_session = None  # it has expired, or the daemon was restarted
                self._ask()
            else:
                self._end(message.error)

    # -- layers ------------------------------------------------------------------------------

    def _position(self, candidate: Candidate) -> int:
        return self._first + self._at

    def _edits_of(self, candidate: Candidate) -> Edits:
        return self._plan.wanted[self._at].edits

    def _insert(self) -> PastRun:
        run, wanted = self._plan.current(), self._plan.wanted
        names = [layer_name(each.index, each.seed, each.variant) for each in wanted]
        title = say(layer_names.more(wanted[0].seed))
        made = self._canvas.insert_more(run.group, title, names)
        if made is None:
            raise InputError(tr("The layers of this run are no longer in the image."))
        self._group, layers = made
        self._first = len(run.results)
        attachment = attachment_of(run, run.results[self._plan.position])
        added = (
            Result(each.seed, layer, "", each.index, each.variant, attachment)
            for each, layer in zip(wanted, layers, strict=True)
        )
        return replace(run, results=(*run.results, *added))
