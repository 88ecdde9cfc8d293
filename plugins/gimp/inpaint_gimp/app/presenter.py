"""The logic of the dialogs without a window: phases, renderings, choosing, sliders, keeping.

The view shows the presenter's state and forwards the user's actions. `post` brings the worker's
messages to the GUI thread. Nothing here changes the image.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple, Protocol

from inpaint_client import (
    Box,
    Candidate,
    DaemonInfo,
    EditJob,
    Edits,
    Failed,
    FillJob,
    FrameChosen,
    InpaintError,
    Job,
    Limits,
    Message,
    Mixing,
    Model,
    Picture,
    ProgramNotFoundError,
    RecipeSource,
    RequestCancelledError,
    Resumed,
    Run,
    SmoothFill,
    Worker,
)
from inpaint_client.session.abilities import model_of, why_single, why_unedited
from inpaint_client.session.daemon_session import Session
from inpaint_client.session.killed_notice import KilledNotice
from inpaint_client.session.live_edit import LiveEdit
from inpaint_client.session.ranking import is_ranked, most_natural_first
from inpaint_client.session.strip import seeds_after
from inpaint_client.session.value_history import ValueHistory

from ..runs.collector import Collector
from ..runs.layers import Rendering, layer_name
from ..runs.mixing import (
    NOTHING,
    Layers,
    Mix,
    Mixed,
    NoLayers,
    Other,
    mixed_of,
    mixing_of,
)
from ..translation import _, say, say_error

log = logging.getLogger(__name__)
Post = Callable[[Callable[[], None]], None]
SourceOf = Callable[[Rendering], RecipeSource]  # the source of an edit without a session
Values = tuple[Edits, Mix]  # of the sliders and of the mixing
BEFORE_FILL = 0  # key of the values that are set while there are no candidates


class Phase(Enum):
    CONNECTING = auto()  # finding or starting the daemon
    UNREACHABLE = auto()  # no connection; trying again may help
    IDLE = auto()  # nothing to insert yet
    RUNNING = auto()  # waiting for candidates
    READY = auto()  # candidates can be chosen, edited and inserted


@dataclass(frozen=True)
class State:
    """What the view shows in addition to the images."""

    phase: Phase
    status: str
    fraction: float = 0.0
    is_error: bool = False
    lacks_program: bool = False  # offer to choose the daemon's program


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
    """A position in the strip; its rendering changes with the sliders."""

    rendering: Rendering
    key: int  # as `Other.key`


class _Wanted(NamedTuple):
    """The sliders' values and the mix for a slot."""

    slot: _Slot
    edits: Edits
    mix: Mix

    @property
    def is_shown(self) -> bool:
        shown = self.slot.rendering
        return _same(shown.edits, self.edits) and shown.mix.shows_as(self.mix)


class Presenter:
    """The presenter of one dialog. Call all methods except `report` in the GUI thread."""

    def __init__(self, view: View, worker: Worker, post: Post) -> None:
        self._view = view
        self._worker = worker
        self._post = post
        self._source_of: SourceOf | None = None
        self._layers: Layers = NoLayers()
        self._offered_layers: Sequence[Other] = ()
        self._keys = 0  # number of slots created so far
        self._job: FillJob | None = None  # the fill whose candidates are in the strip
        self._seeds: tuple[int, ...] = ()  # requested so far, including deleted candidates
        self._numbers = 0  # candidates received, including deleted ones
        self._info: DaemonInfo | None = None
        self._run: Run | None = None
        self._stop_reading: Callable[[], None] | None = (
            None  # set while the image is read for a fill
        )
        self._serial = 0  # of the current run; messages of earlier runs are ignored
        self._live: LiveEdit[_Wanted] = LiveEdit(self)
        self._slots: list[_Slot] = []
        self.chosen = 0
        self._values: Values = ({}, NOTHING)  # that the controls show
        self._history: ValueHistory[int, Values] = ValueHistory()  # the places are keys of slots
        self.state = State(Phase.CONNECTING, "")
        self.notice = ""  # stays visible while the status changes
        self._last_killed = KilledNotice()

    @property
    def renderings(self) -> list[Rendering]:
        return [slot.rendering for slot in self._slots]

    @property
    def is_rendering(self) -> bool:
        """Whether an edit is still being rendered."""
        return self._live.is_busy

    # --- the daemon

    def connect(self) -> None:
        """Request the daemon's info, starting the daemon if necessary."""
        self._show(State(Phase.CONNECTING, _("Looking for the daemon…")))
        future = self._worker.call(lambda client: client.info())
        future.add_done_callback(lambda done: self._post(lambda: self._connected(done)))

    def report(self, text: str) -> None:
        """Show a status while the daemon starts. May be called from any thread."""

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
        self._info = info
        self._view.show_info(info)
        if sentence := self._last_killed.news(info):
            self.warn(say(sentence))
        self.offer()
        phase = Phase.READY if self._slots else Phase.IDLE
        self._show(State(phase, _("Ready on {device}.").format(device=info.device)))

    # --- notices

    def warn(self, text: str) -> None:
        """Append a sentence to the notice, which stays until `dismiss` or the next fill."""
        if text not in self.notice:
            self.notice = f"{self.notice} {text}".strip()
            self._view.show_notice(self.notice)

    def dismiss(self) -> None:
        self.notice = ""
        self._view.show_notice("")

    # --- filling

    def read(self, cancel: Callable[[], None]) -> None:
        """Show that the image is being read. `fill` or `unreadable` follows, or `stop` cancels."""
        self._stop_reading = cancel
        self._show(State(Phase.RUNNING, _("Reading the image…")))

    def unreadable(self, error: InpaintError) -> None:
        """Show that the image could not be read, and keep the candidates."""
        self._stop_reading = None
        self._show(State(self._phase, say_error(error), is_error=True))

    @property
    def _phase(self) -> Phase:
        """The phase while nothing is running."""
        return Phase.READY if self._slots else Phase.IDLE

    def fill(self, job: FillJob, source_of: SourceOf, layers: Layers | None = None) -> None:
        """Start a fill and discard the earlier candidates.

        Args:
            job: the request.
            source_of: returns the source for editing a rendering without a session.
            layers: the image's layers, to mix with.
        """
        self._stop_reading = None
        self._source_of, self._layers = source_of, layers or NoLayers()
        self._live.stop()
        self._slots, self.chosen = [], 0
        self._view.show_renderings([], 0)
        self._view.show_mix(NOTHING)
        self._values = self._values[0], NOTHING
        self._history.forget()
        self.dismiss()
        self.offer()
        self._job, self._seeds, self._numbers = job, (), 0
        self._ask(job)

    def add_candidates(self, count: int, edits: Edits) -> None:
        """Add candidates to the same fill, with new seeds and these edits."""
        if self._job is None or self.why_single():
            return
        if why_unedited(self._model) is not None:  # edits may be set for another model
            edits = {}
        if self.state.phase is Phase.READY:
            self._live.stop()
            seeds = seeds_after(self._seeds, count)
            self._ask(replace(self._job, seeds=seeds, edits=edits, smooth=SmoothFill.NEVER))

    def why_single(self) -> str:
        """Return why the fill in the strip has one candidate; empty if it may have more."""
        reason = why_single(self._model)
        return say(reason) if reason is not None else ""

    @property
    def _model(self) -> Model | None:
        """The model that made the candidates in the strip, if the daemon has it."""
        made = (each for each in self.renderings if not each.is_smooth)
        recipe = next((each.candidate.recipe for each in made), "")
        return model_of(self._info, recipe)

    def _ask(self, job: FillJob) -> None:
        """Submit a fill; its candidates are appended to the strip and numbered consecutively."""
        collector = Collector(job.edits, job.variants)
        there, number = tuple(self._slots), self._numbers
        self._seeds += job.seeds

        def receive(message: Message) -> None:
            self._fill_message(collector, there, number, message)

        self.submit(job, receive)
        self._show(State(Phase.RUNNING, collector.status))

    def open(self, rendering: Rendering, source_of: SourceOf, layers: Layers | None = None) -> None:
        """Start with an existing fill, to edit it; arguments as for `fill`."""
        self._source_of, self._layers = source_of, layers or NoLayers()
        self._slots, self.chosen = [self._slot(rendering)], 0
        self._view.show_renderings(self.renderings, 0)
        self.offer()
        self._view.show_mix(rendering.mix)
        self._values = rendering.edits, rendering.mix

    def stop(self) -> None:
        """Stop the run and keep the candidates received so far."""
        if self._stop_reading is not None:
            self._stop_reading()
            self._stop_reading = None
            self._show(State(self._phase, _("Stopped.")))
            return
        if self._run is not None:
            self._run.cancel()

    def close(self) -> None:
        """Cancel the run and ignore further messages, since the dialog is closed."""
        self._serial += 1
        if self._stop_reading is not None:
            self._stop_reading()
            self._stop_reading = None
        self.stop()

    def _slot(self, rendering: Rendering, session: Session | None = None) -> _Slot:
        """Return a new slot; `session` is the daemon's session of its candidate."""
        self._keys += 1
        self._live.remember(-self._keys, session)
        return _Slot(rendering, -self._keys)

    def submit(self, job: Job, receive: Callable[[Message], None]) -> Run:
        """Submit a job and ignore further messages of the previous one."""
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
        """Handle a message of a fill.

        Args:
            collector: collects the events of the fill.
            there: the slots that were in the strip before.
            number: of the first new candidate.
            message: the message.
        """
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
                        collector.run.session.of(each.candidate.index),
                    )
                    for each in collector.renderings
                ),
            ]
            self._numbers = max(self._numbers, number + message.index + 1)
            self._view.show_renderings(self.renderings, self.chosen)
        if collector.is_complete:
            told = collector.status
            if self._show_most_natural_first(is_new=not there):
                told = f"{told} {_('The most natural candidate is first.')}"
            self._show(State(Phase.READY, told, 1.0))
            self.offer()
        else:
            self._show(State(Phase.RUNNING, collector.status, collector.fraction))

    def _show_most_natural_first(self, *, is_new: bool) -> bool:
        """Sort the strip, and return whether the naturalness of several candidates is known.

        Args:
            is_new: choose the first one, unless the user already works on another one.
        """
        ranked = [each.ranked for each in self.renderings]
        if not is_ranked(ranked):
            return False
        order = most_natural_first(ranked)
        may_choose = is_new and self.chosen == 0 and not self.is_rendering
        chosen = order[0] if may_choose else self.chosen
        self._slots = [self._slots[position] for position in order]
        self.chosen = order.index(chosen)
        self._view.show_renderings(self.renderings, self.chosen)
        self._show_controls()
        return True

    # --- choosing and changing

    def choose(self, index: int) -> None:
        if index != self.chosen and 0 <= index < len(self._slots):
            self.chosen = index
            self.offer()
            self._show_controls()

    def _show_controls(self) -> None:
        """Set the controls to the edits and the mix of the chosen rendering."""
        shown = self._slots[self.chosen].rendering
        self._values = shown.edits, shown.mix
        self._view.show_mix(shown.mix)
        self._view.show_edits(shown.edits)

    def keep(self) -> None:
        """Keep a copy of the chosen rendering; the sliders continue to change the original."""
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
        """Remove the chosen rendering from the strip, and choose the next or the last one."""
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
        """Update whether the chosen one can be edited, and what it can be mixed with.

        The layers of the image may have changed.
        """
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
        """Return why the chosen one cannot be edited; empty if it can."""
        if (reason := why_unedited(self._model)) is not None:
            return say(reason)
        if self._slots and self._slots[self.chosen].rendering.is_smooth:
            return _(
                "The smooth candidate is made without the model, so sliders and mixing do not "
                "apply to it. To edit, choose another candidate."
            )
        return ""

    def _results(self) -> list[Other]:
        """Return the renderings in the strip that have styles."""
        return [
            Other(slot.key, layer_name(slot.rendering), slot.rendering.candidate.recipe)
            for slot in self._slots
            if not slot.rendering.is_smooth
        ]

    @property
    def _sources(self) -> tuple[Other, ...]:
        """Everything that can be mixed in, also a result into itself."""
        return (*self._results(), *self._offered_layers)

    @property
    def keyed(self) -> dict[int, Rendering]:
        """The renderings in the strip by `Other.key`."""
        return {slot.key: slot.rendering for slot in self._slots}

    @property
    def chosen_key(self) -> int:
        """The key of the chosen rendering; 0 if there is none."""
        return self._slots[self.chosen].key if self._slots else 0

    def look(self, key: int) -> tuple[Picture, Box]:
        """Return the pixels of a layer around the hole, and their box.

        Raises:
            InputError: it is gone or has no pixels there.
        """
        return self._layers.look(key)

    def slide(self, edits: Edits, mix: Mix = NOTHING) -> None:
        """Render the chosen one with these edits and this mix.

        While the daemon is rendering, only the latest values are kept.
        """
        before, self._values = self._values, (edits, mix)
        if self._may_change:
            self._history.record(self._place, _changed(before, self._values), before, self._values)
        self._render()

    def rest(self) -> None:
        """Note that a slider was released: its next change is another step of `undo`."""
        self._history.rest()

    def undo(self) -> None:
        """Undo the last change of the sliders or of the mixing."""
        while self._may_change and (change := self._history.undo()) is not None:
            if self._go_to(change.place, change.before):
                return

    def redo(self) -> None:
        """Redo the change that was undone last."""
        while self._may_change and (change := self._history.redo()) is not None:
            if self._go_to(change.place, change.after):
                return

    @property
    def _may_change(self) -> bool:
        """Whether the sliders may be moved, and so undone."""
        return self.state.phase in (Phase.IDLE, Phase.READY)

    @property
    def _place(self) -> int:
        """The key of the values in the history."""
        return self._slots[self.chosen].key if self._slots else BEFORE_FILL

    def _go_to(self, place: int, values: Values) -> bool:
        """Choose the candidate that had these values, and render it with them.

        Returns:
            False if the candidate has been deleted.
        """
        keys = [slot.key for slot in self._slots] or [BEFORE_FILL]
        if place not in keys:
            return False
        if self._slots and keys.index(place) != self.chosen:
            self.chosen = keys.index(place)
            self._view.show_renderings(self.renderings, self.chosen)
            self.offer()
        self._values = values
        self._view.show_mix(values[1])
        self._view.show_edits(values[0])
        self._render()
        return True

    def _render(self) -> None:
        """Render the chosen one with the values of the controls."""
        if self.state.phase is not Phase.READY or not self._slots or self._why_fixed():
            return
        edits, mix = self._values
        wanted = _Wanted(self._slots[self.chosen], edits, mix)
        if self.state.is_error and not self.is_rendering and wanted.is_shown:
            self._show(State(Phase.READY, ""))  # already shown, so the error no longer applies
        self._live.request(wanted)

    # --- called by `LiveEdit`

    def key(self, wanted: _Wanted) -> int:
        return wanted.slot.key

    def is_shown(self, wanted: _Wanted) -> bool:
        return wanted.is_shown

    def changes(self, wanted: _Wanted) -> tuple[Edits, tuple[Mixing, ...]]:
        limits = self._info.limits if self._info is not None else Limits()
        return wanted.edits, mixing_of(wanted.mix, self._sources, self._layers.look, limits)

    def give_source(self, wanted: _Wanted, give: Callable[[RecipeSource], None]) -> None:
        assert self._source_of is not None
        give(self._source_of(wanted.slot.rendering))

    def show(self, wanted: _Wanted, candidate: Candidate, job: EditJob) -> None:
        slot = wanted.slot
        mixed = mixed_of(slot.rendering.unmixed, wanted.mix, job.mixing, self._sources)
        slot.rendering = _rendered(wanted, candidate, mixed)
        if slot in self._slots:
            self._view.show_rendering(self._slots.index(slot), slot.rendering)
        self._live.shown()

    def refused(self, error: InpaintError) -> None:
        """Reset the controls to what is shown, since rendering failed."""
        self._show_controls()
        self._show(State(Phase.READY, say_error(error), is_error=True))

    def busy_changed(self) -> None:
        if self.state.is_error and self.state.phase is Phase.READY and not self.is_rendering:
            self._show(State(Phase.READY, ""))

    def _show(self, state: State) -> None:
        self.state = state
        self._view.show_state(state)


def _numbered(rendering: Rendering, index: int) -> Rendering:
    """Return the rendering with its candidate's index in the strip."""
    return rendering._replace(candidate=replace(rendering.candidate, index=index))


def _rendered(wanted: _Wanted, new: Candidate, mixed: Mixed | None) -> Rendering:
    """Return the new rendering for a slot."""
    old = wanted.slot.rendering
    candidate = replace(
        new,
        index=old.candidate.index,
        variant=old.candidate.variant,
        attachment=new.attachment or old.candidate.attachment,
    )
    return Rendering(candidate, wanted.edits, wanted.mix, mixed, old.copy)


def _changed(before: Values, after: Values) -> str:
    """Return the names of the controls whose values differ."""
    (edits, mix), (new_edits, new_mix) = before, after
    names = {name for name in (*edits, *new_edits) if edits.get(name) != new_edits.get(name)}
    return ",".join(sorted(names | ({"mix"} if mix != new_mix else set())))


def _same(first: Edits, second: Edits) -> bool:
    """Return whether both give the same image: a value of 0 is no edit."""
    return all(first.get(name, 0) == second.get(name, 0) for name in {*first, *second})
