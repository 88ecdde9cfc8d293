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
    Candidate,
    DaemonInfo,
    EditJob,
    Edits,
    Failed,
    FillJob,
    FrameChosen,
    InpaintError,
    Job,
    Message,
    Mixing,
    ProgramNotFoundError,
    RecipeSource,
    RequestCancelledError,
    Resumed,
    Run,
    SmoothFill,
    Worker,
)
from inpaint_client.session.killed_notice import KilledNotice
from inpaint_client.session.live_edit import LiveEdit, Session
from inpaint_client.session.strip import seeds_after

from ..runs.collector import Collector
from ..runs.layers import Rendering, layer_name
from ..runs.mixing import NOTHING, Layers, Mix, NoLayers, Other, mixed_of, mixing_of
from ..translation import _, say, say_error

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
    """What the view shows beside the images."""

    phase: Phase
    status: str
    fraction: float = 0.0
    is_error: bool = False
    lacks_program: bool = False  # the service's program can be chosen by hand


class View(Protocol):
    def show_info(self, info: DaemonInfo) -> None: ...
    def show_state(self, state: State) -> None: ...
    def show_notice(self, text: str) -> None: ...
    def show_renderings(self, renderings: list[Rendering], chosen: int) -> None: ...
    def show_rendering(self, index: int, rendering: Rendering) -> None: ...
    def show_edits(self, edits: Edits) -> None: ...
    def show_mix(self, mix: Mix) -> None: ...
    def show_others(self, others: Sequence[Other]) -> None: ...
    def show_fixed(self, why: str) -> None: ...


@dataclass(eq=False)
class _Slot:
    """A place in the strip; its rendering changes when sliders move."""

    rendering: Rendering
    key: int  # as `Other.key`


class _Wanted(NamedTuple):
    """Where sliders and mixing stand for a place in the strip."""

    slot: _Slot
    edits: Edits
    mix: Mix

    @property
    def is_shown(self) -> bool:
        shown = self.slot.rendering
        return _same(shown.edits, self.edits) and shown.mix.shows_as(self.mix)


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
        self._job: FillJob | None = None  # the fill whose candidates are in the strip
        self._seeds: tuple[int, ...] = ()  # asked for so far, those of deleted candidates included
        self._numbers = 0  # candidates that have arrived, deleted ones included
        self._run: Run | None = None
        self._stop_reading: Callable[[], None] | None = None  # while the image is read for a fill
        self._serial = 0  # of the run whose messages count
        self._live: LiveEdit[_Wanted] = LiveEdit(self)
        self._slots: list[_Slot] = []
        self.chosen = 0
        self.state = State(Phase.CONNECTING, "")
        self.notice = ""  # what stays to be read while the status changes
        self._last_killed = KilledNotice()

    @property
    def renderings(self) -> list[Rendering]:
        return [slot.rendering for slot in self._slots]

    @property
    def is_rendering(self) -> bool:
        """Whether the daemon still works on what the sliders ask for."""
        return self._live.is_busy

    # --- the service

    def connect(self) -> None:
        """Ask the service what it can do, which may start it."""
        self._show(State(Phase.CONNECTING, _("Looking for the daemon…")))
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
            lacks = isinstance(error, ProgramNotFoundError)
            self._show(
                State(Phase.UNREACHABLE, say_error(error), is_error=True, lacks_program=lacks)
            )
            return
        self._view.show_info(info)
        if sentence := self._last_killed.news(info):
            self.warn(say(sentence))
        phase = Phase.READY if self._slots else Phase.IDLE
        self._show(State(phase, _("Ready on {device}.").format(device=info.device)))

    # --- what stays to be read

    def warn(self, text: str) -> None:
        """Show a sentence, behind those that are there, until `dismiss` or the next fill."""
        if text not in self.notice:
            self.notice = f"{self.notice} {text}".strip()
            self._view.show_notice(self.notice)

    def dismiss(self) -> None:
        """Take away what was to be read."""
        self.notice = ""
        self._view.show_notice("")

    # --- filling

    def read(self, cancel: Callable[[], None]) -> None:
        """The image is being read for a fill; `fill` or `unreadable` follows, or `stop` cancels."""
        self._stop_reading = cancel
        self._show(State(Phase.RUNNING, _("Reading the image…")))

    def unreadable(self, error: InpaintError) -> None:
        """The image could not be read: what was there before stays."""
        self._stop_reading = None
        self._show(State(self._phase, say_error(error), is_error=True))

    @property
    def _phase(self) -> Phase:
        """Of a dialog in which nothing is under way."""
        return Phase.READY if self._slots else Phase.IDLE

    def fill(self, job: FillJob, source_of: SourceOf, layers: Layers | None = None) -> None:
        """Start a fill; what was there before is dropped. `layers`: what can be mixed with."""
        self._stop_reading = None
        self._source_of, self._layers = source_of, layers or NoLayers()
        self._live.stop()
        self._slots, self.chosen = [], 0
        self._view.show_renderings([], 0)
        self._view.show_mix(NOTHING)
        self.dismiss()
        self.offer()
        self._job, self._seeds, self._numbers = job, (), 0
        self._ask(job)

    def add_candidates(self, count: int, edits: Edits) -> None:
        """Add candidates of the same fill with other seeds, and with these edits."""
        if self._job is not None and self.state.phase is Phase.READY:
            self._live.stop()
            seeds = seeds_after(self._seeds, count)
            self._ask(replace(self._job, seeds=seeds, edits=edits, smooth=SmoothFill.NEVER))

    def _ask(self, job: FillJob) -> None:
        """Candidates go behind what is in the strip, and are numbered on."""
        collector = Collector(job.edits, job.variants)
        there, number = tuple(self._slots), self._numbers
        self._seeds += job.seeds

        def receive(message: Message) -> None:
            self._fill_message(collector, there, number, message)

        self.submit(job, receive)
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
        if self._stop_reading is not None:
            self._stop_reading()
            self._stop_reading = None
            self._show(State(self._phase, _("Stopped.")))
            return
        if self._run is not None:
            self._run.cancel()

    def close(self) -> None:
        """The dialog is gone: the daemon is freed, messages that still come are dropped."""
        self._serial += 1
        if self._stop_reading is not None:
            self._stop_reading()
            self._stop_reading = None
        self.stop()

    def _slot(self, rendering: Rendering, session: Session | None = None) -> _Slot:
        """Return a new place. `session`: where the daemon keeps what is in it."""
        self._keys += 1
        self._live.remember(-self._keys, session)
        return _Slot(rendering, -self._keys)

    def submit(self, job: Job, receive: Callable[[Message], None]) -> Run:
        """Submit a job; what still comes of the last one does not count any more."""
        self.stop()
        self._serial += 1
        serial = self._serial

        def in_window(message: Message) -> None:
            if serial == self._serial:
                receive(message)

        self._run = self._worker.submit(job, lambda message: self._post(lambda: in_window(message)))
        return self._run

    def _fill_message(
        self, collector: Collector, there: tuple[_Slot, ...], number: int, message: Message
    ) -> None:
        """`there` is what the strip had before, `number` that of the first new candidate."""
        if isinstance(message, Failed):
            stopped = isinstance(message.error, RequestCancelledError)
            text = _("Stopped.") if stopped else say_error(message.error)
            phase = Phase.READY if self._slots else Phase.IDLE
            self._show(State(phase, text, is_error=not stopped))
            self.offer()
            return
        collector.receive(message)
        if isinstance(message, Resumed):
            self.warn(say(message.text))
        if isinstance(message, FrameChosen):
            for notice in message.notices:
                if not notice.is_detail:
                    self.warn(say(notice.text))
        if isinstance(message, Candidate):
            self._slots = [
                *there,
                *(
                    self._slot(
                        _numbered(each, number + each.candidate.index),
                        Session(collector.run.session_id, each.candidate.index),
                    )
                    for each in collector.renderings
                ),
            ]
            self._numbers = max(self._numbers, number + message.index + 1)
            self._view.show_renderings(self.renderings, self.chosen)
        if collector.is_complete:
            self._show(State(Phase.READY, collector.status, 1.0))
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
            index = chosen.rendering.candidate.index
            alike = (each.copy for each in self.renderings if each.candidate.index == index)
            rendering = chosen.rendering._replace(copy=max(alike) + 1)
            copy = self._slot(rendering, self._live.session_of(chosen.key))
            self._slots.insert(self.chosen + 1, copy)
            self._view.show_renderings(self.renderings, self.chosen)
            self.offer()

    def delete(self) -> None:
        """Take the chosen rendering out of the strip; the next one is chosen, or the last."""
        if self.state.phase is not Phase.READY or not self._slots:
            return
        self._live.stop()
        del self._slots[self.chosen]
        self.chosen = max(0, min(self.chosen, len(self._slots) - 1))
        self._view.show_renderings(self.renderings, self.chosen)
        self.offer()
        if self._slots:
            self._show_controls()
        else:
            self._show(State(Phase.IDLE, ""))

    def offer(self) -> None:
        """Say whether the chosen one can be changed, and mixed with what: layers come and go."""
        others: list[Other] = []
        why_fixed = self._why_fixed()
        if self._slots and not why_fixed:
            chosen = self._slots[self.chosen]
            self._offered_layers = self._layers.others(chosen.rendering.candidate.recipe)
            others = [each for each in self._results() if each.key != chosen.key]
            others += self._offered_layers
        self._view.show_others(others)
        self._view.show_fixed(why_fixed)

    def _why_fixed(self) -> str:
        """Why the chosen one cannot be changed; empty if it can."""
        if self._slots and self._slots[self.chosen].rendering.is_smooth:
            return _(
                "The smooth candidate is made without the model, so sliders and mixing do not "
                "apply to it. To edit, choose another candidate."
            )
        return ""

    def _results(self) -> list[Other]:
        """All of the strip that have styles, as they are now."""
        return [
            Other(slot.key, layer_name(slot.rendering), slot.rendering.candidate.recipe)
            for slot in self._slots
            if not slot.rendering.is_smooth
        ]

    def slide(self, edits: Edits, mix: Mix = NOTHING) -> None:
        """The sliders stand at `edits` and `mix`: render the chosen one so.

        Of positions that come while the daemon works only the latest counts.
        """
        if self.state.phase is not Phase.READY or not self._slots or self._why_fixed():
            return
        wanted = _Wanted(self._slots[self.chosen], edits, mix)
        if self.state.is_error and not self.is_rendering and wanted.is_shown:
            self._show(State(Phase.READY, ""))  # what is wanted is there: nothing is wrong any more
        self._live.request(wanted)

    # --- what `LiveEdit` asks for

    def key(self, wanted: _Wanted) -> int:
        return wanted.slot.key

    def is_shown(self, wanted: _Wanted) -> bool:
        return wanted.is_shown

    def changes(self, wanted: _Wanted) -> tuple[Edits, Mixing | None]:
        others = (*self._results(), *self._offered_layers)
        return wanted.edits, mixing_of(wanted.mix, others, self._layers.look)

    def give_source(self, wanted: _Wanted, give: Callable[[RecipeSource], None]) -> None:
        assert self._source_of is not None
        give(self._source_of(wanted.slot.rendering))

    def show(self, wanted: _Wanted, candidate: Candidate, job: EditJob) -> None:
        slot = wanted.slot
        slot.rendering = _rendered(wanted, candidate, job.mixing)
        if slot in self._slots:
            self._view.show_rendering(self._slots.index(slot), slot.rendering)
        self._live.shown()

    def refused(self, error: InpaintError) -> None:
        """Nothing was rendered: all controls go back to what is shown."""
        self._show_controls()
        self._show(State(Phase.READY, say_error(error), is_error=True))

    def busy_changed(self) -> None:
        if self.state.is_error and self.state.phase is Phase.READY and not self.is_rendering:
            self._show(State(Phase.READY, ""))

    def _show(self, state: State) -> None:
        self.state = state
        self._view.show_state(state)


def _numbered(rendering: Rendering, index: int) -> Rendering:
    """The rendering with its candidate's place among all of the strip."""
    return rendering._replace(candidate=replace(rendering.candidate, index=index))


def _rendered(wanted: _Wanted, new: Candidate, mixing: Mixing | None) -> Rendering:
    """What has arrived, in the old rendering's place."""
    old = wanted.slot.rendering
    candidate = replace(
        new,
        index=old.candidate.index,
        variant=old.candidate.variant,
        attachment=new.attachment or old.candidate.attachment,
    )
    mixed = mixed_of(old.unmixed, wanted.mix, mixing)
    return Rendering(candidate, wanted.edits, wanted.mix, mixed, old.copy)


def _same(first: Edits, second: Edits) -> bool:
    """Whether both make the same image: an edit of 0 is none."""
    return all(first.get(name, 0) == second.get(name, 0) for name in {*first, *second})
