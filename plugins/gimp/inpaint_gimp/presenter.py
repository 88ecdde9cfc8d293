"""What the dialogs do, without a window: phases, renderings, choosing, sliders, keeping.

A view shows what it is told and passes on what the user does; the worker's messages arrive in the
window's thread through `post`. Nothing here touches the image.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Protocol

from inpaint_client import (
    Accepted,
    Cancelled,
    Candidate,
    DaemonInfo,
    Done,
    Edit,
    EditJob,
    Failed,
    FillJob,
    InpaintError,
    Job,
    Message,
    NotFound,
    RecipeSource,
    Run,
    Worker,
)

from .collector import Collector
from .layers import Rendering
from .translation import _

log = logging.getLogger(__name__)
Post = Callable[[Callable[[], None]], None]
SourceOf = Callable[[Rendering], RecipeSource]  # what an edit needs without a session


class Phase(Enum):
    CONNECTING = auto()  # the service is looked for, or started
    UNREACHABLE = auto()  # there is none; trying again may help
    IDLE = auto()  # nothing to insert yet
    RUNNING = auto()  # candidates are on their way
    READY = auto()  # they can be chosen, changed and inserted


@dataclass(frozen=True)
class State:
    """What the view shows beside the pictures."""

    phase: Phase
    status: str
    fraction: float = 0.0
    is_error: bool = False


class View(Protocol):
    def show_info(self, info: DaemonInfo) -> None: ...
    def show_state(self, state: State) -> None: ...
    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None: ...
    def show_rendering(self, index: int, rendering: Rendering) -> None: ...
    def show_edits(self, edits: tuple[Edit, ...]) -> None: ...


@dataclass(eq=False)
class _Slot:
    """A place in the strip; its rendering changes when sliders move."""

    rendering: Rendering
    session_id: str = ""  # where the daemon keeps it; empty: only its recipe can be sent
    index: int = 0  # which candidate of that session


@dataclass
class _EditUnderWay:
    """The edit that the daemon works on, and where the sliders went meanwhile."""

    slot: _Slot
    edits: tuple[Edit, ...]
    by_recipe: bool  # no session was named
    next: tuple[_Slot, tuple[Edit, ...]] | None = None


class Presenter:
    """One open dialog. All methods but `report` are for the window's thread."""

    def __init__(self, view: View, worker: Worker, post: Post) -> None:
        self._view = view
        self._worker = worker
        self._post = post
        self._source_of: SourceOf | None = None
        self._run: Run | None = None
        self._serial = 0  # of the run whose messages count
        self._edit: _EditUnderWay | None = None
        self._slots: list[_Slot] = []
        self.chosen = 0
        self.state = State(Phase.CONNECTING, "")

    @property
    def renderings(self) -> list[Rendering]:
        return [slot.rendering for slot in self._slots]

    @property
    def is_rendering(self) -> bool:
        """Whether the daemon still works on what the sliders ask for."""
        return self._edit is not None

    # --- the service

    def connect(self) -> None:
        """Ask the service what it can do, which may start it."""
        self._show(State(Phase.CONNECTING, _("Looking for the fill service…")))
        future = self._worker.call(lambda client: client.info())
        future.add_done_callback(lambda done: self._post(lambda: self._connected(done)))

    def report(self, text: str) -> None:
        """The service is starting. Any thread may call this."""

        def show() -> None:
            if self.state.phase in (Phase.CONNECTING, Phase.RUNNING):
                self._show(replace(self.state, status=text))

        self._post(show)

    def _connected(self, future: Future[DaemonInfo]) -> None:
        try:
            info = future.result()
        except InpaintError as error:
            self._show(State(Phase.UNREACHABLE, str(error), is_error=True))
            return
        self._view.show_info(info)
        phase = Phase.READY if self._slots else Phase.IDLE
        self._show(State(phase, _("Ready on {device}.").format(device=info.device)))

    # --- filling

    def fill(self, job: FillJob, source_of: SourceOf) -> None:
        """Start a fill; what was there before is dropped."""
        self._source_of = source_of
        self._edit = None
        self._slots, self.chosen = [], 0
        self._view.show_renderings([], 0)
        collector = Collector(job.edits, job.variants)
        self._submit(job, lambda message: self._fill_message(collector, message))
        self._show(State(Phase.RUNNING, collector.status))

    def open(self, rendering: Rendering, source_of: SourceOf) -> None:
        """Begin with a fill that was made earlier, to change it."""
        self._source_of = source_of
        self._slots, self.chosen = [_Slot(rendering)], 0
        self._view.show_renderings(self.renderings, 0)

    def stop(self) -> None:
        """End the run; what has arrived can be used."""
        if self._run is not None:
            self._run.cancel()

    def close(self) -> None:
        """The dialog is gone: the daemon is freed, messages that still come are dropped."""
        self._serial += 1
        self.stop()

    def _submit(self, job: Job, receive: Callable[[Message], None]) -> None:
        self.stop()
        self._serial += 1
        serial = self._serial

        def in_window(message: Message) -> None:
            if serial == self._serial:
                receive(message)

        self._run = self._worker.submit(job, lambda message: self._post(lambda: in_window(message)))

    def _fill_message(self, collector: Collector, message: Message) -> None:
        if isinstance(message, Failed):
            stopped = isinstance(message.error, Cancelled)
            text = _("Stopped.") if stopped else str(message.error)
            phase = Phase.READY if self._slots else Phase.IDLE
            self._show(State(phase, text, is_error=not stopped))
            return
        collector.receive(message)
        if isinstance(message, Candidate):
            session = collector.session_id
            self._slots = [_Slot(r, session, r.candidate.index) for r in collector.renderings]
            self._view.show_renderings(self.renderings, self.chosen)
        if collector.is_complete:
            text = " ".join(collector.warnings) or collector.status
            self._show(State(Phase.READY, text, 1.0))
        else:
            self._show(State(Phase.RUNNING, collector.status, collector.fraction))

    # --- choosing and changing

    def choose(self, index: int) -> None:
        if index != self.chosen and 0 <= index < len(self._slots):
            self.chosen = index
            self._view.show_edits(self._slots[index].rendering.edits)

    def keep(self) -> None:
        """Keep the chosen rendering as it is, beside the one that the sliders go on changing."""
        if self.state.phase is Phase.READY and self._slots:
            self._slots.insert(self.chosen + 1, replace(self._slots[self.chosen]))
            self._view.show_renderings(self.renderings, self.chosen)

    def slide(self, edits: tuple[Edit, ...]) -> None:
        """The sliders stand at `edits`: render the chosen one so, only the latest position."""
        if self.state.phase is not Phase.READY or not self._slots:
            return
        slot = self._slots[self.chosen]
        if self._edit is not None:
            self._edit.next = (slot, edits)
        elif not _same(slot.rendering.edits, edits):
            self._start_edit(slot, edits)

    def _start_edit(self, slot: _Slot, edits: tuple[Edit, ...]) -> None:
        assert self._source_of is not None
        self._edit = _EditUnderWay(slot, edits, by_recipe=not slot.session_id)
        source = None if slot.session_id else self._source_of(slot.rendering)
        self._submit(
            EditJob(session_id=slot.session_id, source=source, index=slot.index, edits=edits),
            self._edit_message,
        )

    def _edit_message(self, message: Message) -> None:
        edit = self._edit
        assert edit is not None
        if isinstance(message, Accepted):
            if not edit.slot.session_id:  # a recipe was sent: it is the new session's only one
                edit.slot.session_id, edit.slot.index = message.session_id, 0
        elif isinstance(message, Candidate):
            old = edit.slot.rendering.candidate
            edit.slot.rendering = Rendering(
                replace(
                    message,
                    index=old.index,
                    variant=old.variant,
                    attachment=message.attachment or old.attachment,
                ),
                edit.edits,
            )
            if edit.slot in self._slots:
                self._view.show_rendering(self._slots.index(edit.slot), edit.slot.rendering)
        elif isinstance(message, Failed):
            self._edit_failed(edit, message.error)
        elif isinstance(message, Done):
            self._edit_done(edit)

    def _edit_failed(self, edit: _EditUnderWay, error: InpaintError) -> None:
        if isinstance(error, NotFound) and edit.slot.session_id and not edit.by_recipe:
            log.info("the daemon has forgotten the session: the recipe is sent instead")
            edit.slot.session_id = ""
            self._start_edit(edit.slot, edit.edits)
            return
        self._edit = None
        self._show(State(Phase.READY, str(error), is_error=True))

    def _edit_done(self, edit: _EditUnderWay) -> None:
        self._edit = None
        if self.state.is_error:
            self._show(State(Phase.READY, ""))
        if edit.next is not None:
            slot, edits = edit.next
            if not _same(slot.rendering.edits, edits):
                self._start_edit(slot, edits)

    def _show(self, state: State) -> None:
        self.state = state
        self._view.show_state(state)


def _same(first: tuple[Edit, ...], second: tuple[Edit, ...]) -> bool:
    def significant(edits: tuple[Edit, ...]) -> dict[str, float]:
        return {edit.name: edit.value for edit in edits if edit.value}

    return significant(first) == significant(second)
