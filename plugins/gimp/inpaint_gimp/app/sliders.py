"""The sliders and the mixing of a dialog: their values, their undo, and rendering anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from inpaint_client import (
    Box,
    Candidate,
    EditJob,
    Edits,
    InpaintError,
    Job,
    Limits,
    Message,
    Mixing,
    Model,
    Picture,
    RecipeSource,
    Run,
)
from inpaint_client.session.abilities import why_unedited
from inpaint_client.session.daemon_session import Session
from inpaint_client.session.live_edit import LiveEdit
from inpaint_client.session.value_history import ValueHistory

from ..runs.layers import Rendering
from ..runs.mixing import NOTHING, Layers, Mix, Mixed, NoLayers, Other, mixed_of, mixing_of
from ..translation import _, say, say_error
from .state import Phase, State, View
from .strip import Slot, Strip

SourceOf = Callable[[Rendering], RecipeSource]  # the source of an edit without a session
Values = tuple[Edits, Mix]  # of the sliders and of the mixing
BEFORE_FILL = 0  # key of the values that are set while there are no candidates


class Dialog(Protocol):
    """What the sliders need of the presenter."""

    state: State

    @property
    def limits(self) -> Limits: ...
    @property
    def model(self) -> Model | None: ...
    def show_state(self, state: State) -> None: ...
    def submit(self, job: Job, receive: Callable[[Message], None]) -> Run: ...


class _Wanted(NamedTuple):
    """The sliders' values and the mix for a slot."""

    slot: Slot
    edits: Edits
    mix: Mix

    @property
    def is_shown(self) -> bool:
        shown = self.slot.rendering
        return _same(shown.edits, self.edits) and shown.mix.shows_as(self.mix)


class Sliders:
    """The values apply to the chosen rendering; without renderings, to the next fill."""

    def __init__(self, view: View, strip: Strip, dialog: Dialog) -> None:
        self._view = view
        self._strip = strip
        self._dialog = dialog
        self._source_of: SourceOf | None = None
        self._layers: Layers = NoLayers()
        self._offered_layers: Sequence[Other] = ()
        self._values: Values = ({}, NOTHING)  # that the controls show
        self._history: ValueHistory[int, Values] = ValueHistory()  # the places are keys of slots
        self._live: LiveEdit[_Wanted] = LiveEdit(self)

    @property
    def is_rendering(self) -> bool:
        """Whether an edit is still being rendered."""
        return self._live.is_busy

    def use(self, source_of: SourceOf, layers: Layers | None) -> None:
        """Edit another fill.

        Args:
            source_of: returns the source for editing a rendering without a session.
            layers: the image's layers, to mix with.
        """
        self._source_of, self._layers = source_of, layers or NoLayers()

    def remember(self, slot: Slot, session: Session | None) -> None:
        """Store the daemon's session of a rendering."""
        self._live.remember(slot.key, session)

    def session_of(self, slot: Slot) -> Session | None:
        """Return the daemon's session of a rendering, if known."""
        return self._live.session_of(slot.key)

    def stop(self) -> None:
        """Stop rendering, since the renderings will change otherwise."""
        self._live.stop()

    def reset_mix(self) -> None:
        """Mix nothing in, and forget the values that could be undone."""
        self._values = self._values[0], NOTHING
        self._history.forget()
        self._view.show_mix(NOTHING)

    def take(self, rendering: Rendering) -> None:
        """Take the values of a rendering whose edits the view knows."""
        self._values = rendering.edits, rendering.mix
        self._view.show_mix(rendering.mix)

    def take_chosen(self) -> None:
        """Take the values of the chosen rendering."""
        if (slot := self._strip.chosen_slot) is not None:
            self.take(slot.rendering)
            self._view.show_edits(slot.rendering.edits)

    # --- what can be edited and mixed in

    def offer(self) -> None:
        """Update whether the chosen one can be edited, and what it can be mixed with.

        The layers of the image may have changed.
        """
        others: list[Other] = []
        why_fixed = self._why_fixed()
        chosen = self._strip.chosen_slot
        if chosen is not None and not why_fixed:
            self._offered_layers = self._layers.others(chosen.rendering.candidate.recipe)
            others = [each for each in self._strip.results if each.key != chosen.key]
            others += self._offered_layers
        self._view.show_others(others)
        self._view.show_fixed(why_fixed)

    def _why_fixed(self) -> str:
        """Return why the chosen one cannot be edited; empty if it can."""
        if (reason := why_unedited(self._dialog.model)) is not None:
            return say(reason)
        slot = self._strip.chosen_slot
        if slot is not None and slot.rendering.is_smooth:
            return _(
                "The smooth candidate is made without the model, so sliders and mixing do not "
                "apply to it. To edit, choose another candidate."
            )
        return ""

    @property
    def _sources(self) -> tuple[Other, ...]:
        """Everything that can be mixed in, also a result into itself."""
        return (*self._strip.results, *self._offered_layers)

    def look(self, key: int) -> tuple[Picture, Box]:
        """Return the pixels of a layer around the hole, and their box.

        Raises:
            InputError: it is gone or has no pixels there.
        """
        return self._layers.look(key)

    # --- values

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
        return self._dialog.state.phase in (Phase.IDLE, Phase.READY)

    @property
    def _place(self) -> int:
        """The key of the values in the history."""
        slot = self._strip.chosen_slot
        return slot.key if slot is not None else BEFORE_FILL

    def _go_to(self, place: int, values: Values) -> bool:
        """Choose the candidate that had these values, and render it with them.

        Returns:
            False if the candidate has been deleted.
        """
        strip = self._strip
        keys = [slot.key for slot in strip.slots] or [BEFORE_FILL]
        if place not in keys:
            return False
        if strip.slots and keys.index(place) != strip.chosen:
            strip.chosen = keys.index(place)
            self._view.show_renderings(strip.renderings, strip.chosen)
            self.offer()
        self._values = values
        self._view.show_mix(values[1])
        self._view.show_edits(values[0])
        self._render()
        return True

    def _render(self) -> None:
        """Render the chosen one with the values of the controls."""
        slot, state = self._strip.chosen_slot, self._dialog.state
        if state.phase is not Phase.READY or slot is None or self._why_fixed():
            return
        wanted = _Wanted(slot, *self._values)
        if state.is_error and not self.is_rendering and wanted.is_shown:
            # It is already shown, so the error no longer applies.
            self._dialog.show_state(State(Phase.READY, ""))
        self._live.request(wanted)

    # --- called by `LiveEdit`

    def key(self, wanted: _Wanted) -> int:
        return wanted.slot.key

    def is_shown(self, wanted: _Wanted) -> bool:
        return wanted.is_shown

    def changes(self, wanted: _Wanted) -> tuple[Edits, tuple[Mixing, ...]]:
        mixing = mixing_of(wanted.mix, self._sources, self._layers.look, self._dialog.limits)
        return wanted.edits, mixing

    def give_source(self, wanted: _Wanted, give: Callable[[RecipeSource], None]) -> None:
        assert self._source_of is not None
        give(self._source_of(wanted.slot.rendering))

    def submit(self, job: EditJob, receive: Callable[[Message], None]) -> Run:
        return self._dialog.submit(job, receive)

    def show(self, wanted: _Wanted, candidate: Candidate, job: EditJob) -> None:
        slot = wanted.slot
        mixed = mixed_of(slot.rendering.unmixed, wanted.mix, job.mixing, self._sources)
        slot.rendering = _rendered(wanted, candidate, mixed)
        if slot in self._strip.slots:
            self._view.show_rendering(self._strip.slots.index(slot), slot.rendering)
        self._live.shown()

    def refused(self, error: InpaintError) -> None:
        """Reset the controls to what is shown, since rendering failed."""
        self.take_chosen()
        self._dialog.show_state(State(Phase.READY, say_error(error), is_error=True))

    def busy_changed(self) -> None:
        state = self._dialog.state
        if state.is_error and state.phase is Phase.READY and not self.is_rendering:
            self._dialog.show_state(State(Phase.READY, ""))


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
