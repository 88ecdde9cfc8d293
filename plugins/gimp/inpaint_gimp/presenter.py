"""What the dialogs do, without a window: phases, renderings, choosing, sliders, keeping.

A view shows what it is told and passes on what the user does; the worker's messages arrive in the
window's thread through `post`. Nothing here touches the image.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple, Protocol

from inpaint_client import (
    Accepted,
    Cancelled,
    Candidate,
    DaemonInfo,
    Done,
    EditJob,
    Edits,
    Failed,
    FillJob,
    InpaintError,
    Job,
    Message,
    Mixing,
    NotFound,
    RecipeSource,
    Run,
    Worker,
)

from .collector import Collector
from .layers import Rendering, layer_name
from .mixing import NOTHING, Layers, Mix, NoLayers, Other, mixed_of, mixing_of
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
    def show_edits(self, edits: Edits) -> None: ...
    def show_mix(self, mix: Mix) -> None: ...
    def show_others(self, others: Sequence[Other]) -> None: ...


@dataclass(eq=False)
class _Slot:
    """A place in the strip; its rendering changes when sliders move."""

    rendering: Rendering
    key: int  # as `Other.key`
    session_id: str = ""  # where the daemon keeps it; empty: only its recipe can be sent
    index: int = 0  # which candidate of that session


class _Wanted(NamedTuple):
    """Where sliders and mixing stand for a place in the strip."""

    slot: _Slot
    edits: Edits
    mix: Mix

    @property
    def is_shown(self) -> bool:
        shown = self.slot.rendering
        return _same(shown.edits, self.edits) and shown.mix.shows_as(self.mix)


@dataclass
class _EditUnderWay:
    """The edit that the daemon works on, and where the sliders went meanwhile."""

    wanted: _Wanted
    mixing: Mixing | None
    by_recipe: bool  # no session was named
    next: _Wanted | None = None


class Presenter:
    """One open dialog. All methods but `report` are for the window's thread."""

    def __init__(self, view: View, worker: Worker, post: Post) -> None:
        self._view = view
        self._worker = worker
        self._post = post
        self._source_of: SourceOf | None = None
        self._layers: Layers = NoLayers()
        self._offered_layers: Sequence[Other] = ()
        self._keys = 0  # of the slots made so far
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

    def fill(self, job: FillJob, source_of: SourceOf, layers: Layers | None = None) -> None:
        """Start a fill; what was there before is dropped. `layers`: what can be mixed with."""
        self._source_of, self._layers = source_of, layers or NoLayers()
        self._edit = None
        self._slots, self.chosen = [], 0
        self._view.show_renderings([], 0)
        self._view.show_mix(NOTHING)
        self.offer()
        collector = Collector(job.edits, job.variants)
        self._submit(job, lambda message: self._fill_message(collector, message))
        self._show(State(Phase.RUNNING, collector.status))

    def open(self, rendering: Rendering, source_of: SourceOf, layers: Layers | None = None) -> None:
        """Begin with a fill that was made earlier, to change it."""
        self._source_of, self._layers = source_of, layers or NoLayers()
        self._slots, self.chosen = [self._slot(rendering)], 0
        self._view.show_renderings(self.renderings, 0)
        self.offer()
        self._view.show_mix(rendering.mix)

    def stop(self) -> None:
        """End the run; what has arrived can be used."""
        if self._run is not None:
            self._run.cancel()

    def close(self) -> None:
        """The dialog is gone: the daemon is freed, messages that still come are dropped."""
        self._serial += 1
        self.stop()

    def _slot(self, rendering: Rendering, session_id: str = "", index: int = 0) -> _Slot:
        self._keys += 1
        return _Slot(rendering, -self._keys, session_id, index)

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
            self.offer()
            return
        collector.receive(message)
        if isinstance(message, Candidate):
            session = collector.session_id
            self._slots = [
                self._slot(each, session, each.candidate.index) for each in collector.renderings
            ]
            self._view.show_renderings(self.renderings, self.chosen)
        if collector.is_complete:
            text = " ".join(collector.warnings) or collector.status
            self._show(State(Phase.READY, text, 1.0))
            self.offer()
        else:
            self._show(State(Phase.RUNNING, collector.status, collector.fraction))

    # --- choosing and changing

    def choose(self, index: int) -> None:
        if index != self.chosen and 0 <= index < len(self._slots):
            self.chosen = index
            self.offer()
            self._show_controls()

    def _show_controls(self) -> None:
        """Where they stand for the chosen one."""
        shown = self._slots[self.chosen].rendering
        self._view.show_mix(shown.mix)
        self._view.show_edits(shown.edits)

    def keep(self) -> None:
        """Keep the chosen rendering as it is, beside the one that the sliders go on changing."""
        if self.state.phase is Phase.READY and self._slots:
            chosen = self._slots[self.chosen]
            copy = self._slot(chosen.rendering, chosen.session_id, chosen.index)
            self._slots.insert(self.chosen + 1, copy)
            self._view.show_renderings(self.renderings, self.chosen)
            self.offer()

    def offer(self) -> None:
        """Say what the chosen one can be mixed with: layers come and go."""
        others: list[Other] = []
        if self._slots:
            chosen = self._slots[self.chosen]
            self._offered_layers = self._layers.others(chosen.rendering.candidate.recipe)
            others = [each for each in self._results() if each.key != chosen.key]
            others += self._offered_layers
        self._view.show_others(others)

    def _results(self) -> list[Other]:
        """All of the strip, as they are now."""
        return [
            Other(slot.key, layer_name(slot.rendering), slot.rendering.candidate.recipe)
            for slot in self._slots
        ]

    def slide(self, edits: Edits, mix: Mix = NOTHING) -> None:
        """The sliders stand at `edits` and `mix`: render the chosen one so.

        Of positions that come while the daemon works only the latest counts.
        """
        if self.state.phase is not Phase.READY or not self._slots:
            return
        wanted = _Wanted(self._slots[self.chosen], edits, mix)
        if self._edit is not None:
            self._edit.next = wanted
        elif not wanted.is_shown:
            self._start_edit(wanted)
        elif self.state.is_error:  # what is wanted is there: nothing is wrong any more
            self._show(State(Phase.READY, ""))

    def _start_edit(self, wanted: _Wanted) -> None:
        assert self._source_of is not None
        slot = wanted.slot
        try:
            others = (*self._results(), *self._offered_layers)
            mixing = mixing_of(wanted.mix, others, self._layers.look)
            source = None if slot.session_id else self._source_of(slot.rendering)
        except InpaintError as error:
            self._refuse(error)
            return
        self._edit = _EditUnderWay(wanted, mixing, by_recipe=not slot.session_id)
        self._submit(
            EditJob(
                session_id=slot.session_id,
                source=source,
                index=slot.index,
                edits=wanted.edits,
                mixing=mixing,
            ),
            self._edit_message,
        )

    def _edit_message(self, message: Message) -> None:
        edit = self._edit
        assert edit is not None
        slot = edit.wanted.slot
        if isinstance(message, Accepted):
            if not slot.session_id:  # a recipe was sent: it is the new session's only one
                slot.session_id, slot.index = message.session_id, 0
        elif isinstance(message, Candidate):
            slot.rendering = _rendered(edit, message)
            if slot in self._slots:
                self._view.show_rendering(self._slots.index(slot), slot.rendering)
        elif isinstance(message, Failed):
            self._edit_failed(edit, message.error)
        elif isinstance(message, Done):
            self._edit_done(edit)

    def _edit_failed(self, edit: _EditUnderWay, error: InpaintError) -> None:
        slot = edit.wanted.slot
        if isinstance(error, NotFound) and slot.session_id and not edit.by_recipe:
            log.info("the daemon has forgotten the session: the recipe is sent instead")
            slot.session_id = ""
            self._start_edit(edit.wanted)
            if self._edit is not None:
                self._edit.next = edit.next
            return
        self._refuse(error)

    def _refuse(self, error: InpaintError) -> None:
        """Nothing was rendered: all controls go back to what is shown."""
        self._edit = None
        self._show_controls()
        self._show(State(Phase.READY, str(error), is_error=True))

    def _edit_done(self, edit: _EditUnderWay) -> None:
        self._edit = None
        if self.state.is_error:
            self._show(State(Phase.READY, ""))
        if edit.next is not None and not edit.next.is_shown:
            self._start_edit(edit.next)

    def _show(self, state: State) -> None:
        self.state = state
        self._view.show_state(state)


def _rendered(edit: _EditUnderWay, new: Candidate) -> Rendering:
    """What has arrived, in the old rendering's place."""
    old, wanted = edit.wanted.slot.rendering, edit.wanted
    candidate = replace(
        new,
        index=old.candidate.index,
        variant=old.candidate.variant,
        attachment=new.attachment or old.candidate.attachment,
    )
    mixed = mixed_of(old.unmixed, wanted.mix, edit.mixing)
    return Rendering(candidate, wanted.edits, wanted.mix, mixed)


def _same(first: Edits, second: Edits) -> bool:
    """Whether both make the same picture: an edit of 0 is none."""
    return all(first.get(name, 0) == second.get(name, 0) for name in {*first, *second})
