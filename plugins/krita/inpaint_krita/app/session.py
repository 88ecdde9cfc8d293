"""One open document: its runs, the run that is shown, and the artist's actions on it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from dataclasses import replace

from inpaint_client.errors import InpaintError, InputError
from inpaint_client.events import FrameChosen
from inpaint_client.geometry import Frame
from inpaint_client.info import Limits, Model
from inpaint_client.requests import Edits
from inpaint_client.segments import Part
from inpaint_client.session import layer_names
from inpaint_client.session.abilities import possible_count, why_single, why_unedited
from inpaint_client.session.history import Mix, PastRun, Result, attachment_of
from inpaint_client.session.ranking import is_ranked, most_natural_first
from inpaint_client.session.run_status import RunStatus, Stage
from inpaint_client.session.strip import limited_to, neighbor, positions_left
from inpaint_client.session.value_history import ValueHistory

from ..host.document_protocol import Document, Pixels
from ..host.guard import connect
from ..host.layer_placement import Source
from ..host.merging import keep_some, keep_visible
from ..host.qt import QtCore
from ..host.scratch import Scratch
from ..host.selection import KeptSelection
from ..runs.candidate_run import CandidateRun, Submit, layer_name
from ..runs.cooperative_task import CooperativeTask
from ..runs.fill_settings import FillSettings, edits_of_new, usable_edits
from ..runs.live_edit import LayerEdits, Rendered, Wanted
from ..runs.mixing import Choice, choices, mixing_of, with_other
from ..runs.part_selection import Segment
from ..runs.run_fill import FillRun
from ..runs.run_history import RunHistory
from ..runs.run_more import MorePlan, MoreRun, additions
from ..runs.thumbnails import Thumbnails
from ..text import say, tr
from .notices import merging, notice_of
from .planning import Target, plan_run
from .selector import Selector
from .state import Notice, Strip

log = logging.getLogger(__name__)


class DocumentSession(QtCore.QObject):
    """Emits `changed` after a change of anything that the docker shows."""

    changed = QtCore.pyqtSignal()
    failed = QtCore.pyqtSignal(object)  # InpaintError; it may be about the daemon

    def __init__(
        self,
        document: Document,
        scratch: Scratch,
        submit: Submit,
        segment: Segment,
        limits: Callable[[], Limits],
        model_of: Callable[[str], Model | None],
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document = document
        self.book = RunHistory(document)
        self.shown: PastRun | None = self.book.last
        self.missing: frozenset[str] = frozenset()
        # Layers that were missing when the image was opened: undo cannot restore them.
        self._lost = {
            layer
            for run in self.book.runs
            for layer in (run.group, *(result.layer for result in run.results))
            if not document.is_attached(layer)
        }
        self.notice: Notice | None = None
        self.fill: CandidateRun | None = None  # the run in progress
        self.details: tuple[str, ...] = ()  # sentences about the last run
        self.frame: Frame | None = None  # of the last run, to propose a custom frame
        self.edits: Edits = {}
        self.mix = Mix()
        self.mix_choices: tuple[Choice, ...] = ()
        # History of slider values for each candidate, identified by run and layer.
        self.values: ValueHistory[tuple[str, str], tuple[Edits, Mix]] = ValueHistory()
        self._scratch = scratch
        self._submit = submit
        self.selector = Selector(document, scratch, segment, limits, self)
        connect(self.selector.ended, self._take_selected)
        self._limits = limits
        self._model_of = model_of  # a recipe, if the daemon has it
        self._thumbnails = Thumbnails(document, scratch)
        # Waits for a selection that was just drawn.
        self._finding: CooperativeTask[None] | None = None
        self._is_planning = False  # some calls of Krita run the event loop meanwhile
        self._keeping: CooperativeTask[str] | CooperativeTask[None] | None = None
        self._followed: tuple[str, frozenset[str]] = (
            "",
            frozenset(),
        )  # a run and its `missing` layers
        self._undrawn: dict[tuple[str, str], tuple[PastRun, int]] = {}  # by run and layer
        self._drawing: CooperativeTask[None] | None = None
        self._compares = False
        self._asked = 0.0  # when the last run was asked for
        self.live = LayerEdits(
            document,
            self._read_again,
            lambda: document.space,
            limits,
            submit,
            scratch.convert,
            self,
        )
        connect(self.live.rendered, self._take_rendered)
        connect(self.live.failed, self._take_failure)
        connect(self.live.changed, self._take_live)
        self._show_edits_of_chosen()
        self.check_layers()
        self._draw_later()

    # -- a run -------------------------------------------------------------------------------

    @property
    def progress(self) -> RunStatus:
        if self._finding is not None or self._is_planning:
            return RunStatus(Stage.READING, started=self._asked)
        return self.fill.progress if self.fill else RunStatus()

    @property
    def is_filling(self) -> bool:
        """Whether a run is in progress, is being planned, or waits for its selection."""
        return self.fill is not None or self._finding is not None or self._is_planning

    @property
    def is_busy(self) -> bool:
        """Whether a run, an edit or a merge is in progress, including writing to layers."""
        return self.is_filling or self.live.is_busy or self._keeping is not None

    def start(
        self,
        fill_settings: FillSettings,
        model: Model | None,
        target: Target = Target(),  # noqa: B008 (a value)
    ) -> None:
        """Fill the selection; if that is impossible, `notice` gives the reason."""
        if self.is_filling or self.is_selecting:
            return
        if self._keeping is not None:  # merging recognizes its result as the only new layer
            self.notice = merging()
            self.changed.emit()
            return
        self._asked = time.monotonic()
        self.document.settle()
        self.live.stop()
        if target.selection is not None or self.selector.is_selected:
            self._begin(fill_settings, model, target)
            return
        self.notice = None
        self._finding = CooperativeTask(
            self.selector.wait(),
            lambda _: self._begin(fill_settings, model, target),
            self._not_found,
        )
        self.changed.emit()

    def _not_found(self, error: Exception) -> None:
        self._finding = None
        log.error("waiting for the selection failed", exc_info=error)
        self.changed.emit()

    def _begin(self, fill_settings: FillSettings, model: Model | None, target: Target) -> None:
        """Fill the selection as it is now."""
        self._finding = None
        if model is not None and fill_settings.model != model.name:
            # A model chosen earlier that this daemon does not have.
            fill_settings = replace(fill_settings, model="")
        count = possible_count(model, fill_settings.candidates)
        fill_settings = replace(fill_settings, candidates=count)
        edits = self.edits if target.edits is None else target.edits
        self._is_planning = True
        try:
            plan, self.notice = plan_run(
                self.document,
                self._scratch,
                fill_settings,
                model,
                edits_of_new(fill_settings, edits, model),
                self._limits(),
                self.book.runs,
                target,
            )
            if plan is not None:
                self.values.forget()
                self._watch(FillRun(self.document, plan, self._submit, self._scratch.convert, self))
        finally:
            self._is_planning = False
        self.changed.emit()

    def add_candidates(self, fill_settings: FillSettings, model: Model | None) -> None:
        """Add candidates with new seeds to the run that is shown, as many as are set."""
        run = self.shown
        if run is None or not self.left or self.is_filling or self._keeping is not None:
            return
        chosen = neighbor(run.chosen, self.left)
        known = (chosen, *self.left, *range(len(run.results)))
        able = [i for i in known if not run.results[i].is_smooth]  # can be rendered again
        if not able:
            return
        if (single := why_single(self._model_of(run.recipe))) is not None:
            self.tell(single)
            return
        self.document.settle()
        self.live.stop()
        self.notice = None
        sessions = [(i, self.live.session_of(run.key, i)) for i in able]
        position, session = next((each for each in sessions if each[1]), (able[0], None))
        plan = MorePlan(
            current=lambda: self.book.find(run.key) or run,
            position=position,
            wanted=additions(
                run,
                fill_settings.candidates,
                edits_of_new(fill_settings, self.edits, model),
                fill_settings.also_without_edits,
            ),
            space=self.document.space,
            session=session,
            give_source=lambda give, failed: self.live.read_source(run, position, give, failed),
        )
        self.values.forget()
        self._watch(MoreRun(self.document, plan, self._submit, self._scratch.convert, self))
        self.changed.emit()

    def _watch(self, run: CandidateRun) -> None:
        connect(run.progressed, self.changed)
        connect(run.framed, self._take_frame)
        connect(run.told, self.tell)
        connect(run.inserted, self._take_inserted)
        connect(run.arrived, self._take_arrived)
        connect(run.finished, self._take_end)
        self.fill = run
        self.details = ()

    def cancel(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
            self._finding = None
            self.changed.emit()
        if self.fill is not None:
            self.fill.cancel()

    @property
    def is_selecting(self) -> bool:
        """Whether a part of the faces is being selected."""
        return self.selector.is_finding_part

    def select_part(self, part: Part) -> None:
        """Replace the selection by a part of the faces; if it is not found, `notice` says so."""
        if self.selector.is_busy or self.is_filling:
            return
        if self._keeping is not None:  # merging goes through Krita's history too
            return
        self.notice = None
        self.selector.select_part(part)
        self.changed.emit()

    def select_transparent_part(self) -> None:
        """Select what is transparent; if nothing is, `notice` says so."""
        if not self.selector.is_busy:
            self.notice = None
            self.selector.select_transparent_part()
            self.changed.emit()

    def _take_selected(self, notice: Notice | None, error: InpaintError | None) -> None:
        self.notice = notice or self.notice
        if error is not None:
            self.failed.emit(error)
        self.changed.emit()

    def _take_frame(self, chosen: FrameChosen) -> None:
        if chosen.group == 0:
            self.frame = chosen.frame
        for notice in chosen.notices:
            if notice.is_detail:
                self.details = tuple(dict.fromkeys((*self.details, say(notice.text))))
            else:
                self.notice = Notice(say(notice.text), is_problem=False).after(self.notice)
        self.changed.emit()

    def tell(self, sentence: str) -> None:
        """Append a sentence of the client to the notice."""
        self.notice = Notice(say(sentence), is_problem=False).after(self.notice)
        self.changed.emit()

    def _take_inserted(self) -> None:
        past = self.fill.past if self.fill else None
        if past is not None:
            if self.book.find(past.key) is None:
                self._thumbnails.forget(past)
            self._update(past)
            self.changed.emit()

    def _take_arrived(self, position: int) -> None:
        fill = self.fill
        if fill is None or fill.past is None:
            return
        result = fill.past.results[position]
        if result.variant < 0:
            self.live.remember(fill.past.key, position, fill.session.of(result.index))
        current = self.book.find(fill.past.key) or fill.past
        # Keep what the artist has chosen or starred meanwhile.
        merged = current.with_result(
            position, replace(result, starred=current.results[position].starred)
        )
        fill.past = replace(fill.past, chosen=current.chosen)
        self._update(merged)
        self._draw(merged, position)
        if merged.chosen == position:
            self._show_edits_of_chosen()
        self.changed.emit()

    def _take_end(self, error: InpaintError | None) -> None:
        fill, self.fill = self.fill, None
        past = fill.past if fill else None
        if past is not None:
            current = self.book.find(past.key)
            if current is not None and len(past.results) < len(current.results):
                self._shrink(current, past)
            if isinstance(fill, FillRun):
                self._show_most_natural(past.key)
        self._close_scratch()
        if error is not None:
            self._take_failure(error)
        self.changed.emit()

    def _show_most_natural(self, key: str) -> None:
        """Choose the most natural result of a new run, unless the artist works on the first one."""
        run = self.shown
        if run is None or run.key != key or run.chosen != 0 or self.live.is_busy:
            return
        first = run.results[0]
        if is_ranked(run.ranked) and not first.starred and self.edits == first.edits:
            self.choose(most_natural_first(run.ranked)[0])

    def _shrink(self, current: PastRun, ended: PastRun) -> None:
        """Remove the results of a run that ended early, except those received."""
        layers = {result.layer for result in ended.results}
        kept = tuple(result for result in current.results if result.layer in layers)
        if not kept:
            self._thumbnails.forget(current)
            self.book.drop(current)
            self.shown = self.book.last
            return
        chosen = current.results[current.chosen]
        position = kept.index(chosen) if chosen in kept else 0
        self._update(replace(current, results=kept, chosen=position))
        if chosen not in kept and self.shown is not None and self.shown.key == current.key:
            self.choose(position)
        self._draw_later()

    def _take_failure(self, error: InpaintError) -> None:
        self.notice = notice_of(error).after(self.notice)
        self.failed.emit(error)
        self.changed.emit()

    # -- the results -------------------------------------------------------------------------

    @property
    def left(self) -> tuple[int, ...]:
        """Positions of the results that the docker lists: all but those lost for good."""
        run = self.shown
        if run is None:
            return ()
        kept = run.chosen if run.kept and run.kept not in self.missing else -1
        return tuple(
            i
            for i in positions_left(run, self.missing)
            if i == kept or run.results[i].layer not in self._lost
        )

    @property
    def can_return(self) -> bool:
        """Whether Krita's undo or redo can restore layers of the shown run."""
        run = self.shown
        layers = [] if run is None else [result.layer for result in run.results]
        return any(layer in self.missing and layer not in self._lost for layer in layers)

    @property
    def listed(self) -> PastRun | None:
        """The shown run with its remaining results."""
        return None if self.shown is None else limited_to(self.shown, self.left)

    @property
    def runs(self) -> tuple[PastRun, ...]:
        """All runs of the document, oldest first; the shown one with its remaining results."""
        listed = self.listed
        return tuple(
            listed if listed is not None and run.key == listed.key else run
            for run in self.book.runs
        )

    def choose(self, position: int) -> None:
        """Show this result on the canvas and hide the others."""
        run = self.shown
        if run is None or not 0 <= position < len(run.results):
            return
        for i, result in enumerate(run.results):
            self.document.show(result.layer, i == position)
        self.document.refresh()
        self._update(replace(run, chosen=position))
        self._show_edits_of_chosen()
        self.changed.emit()

    def star(self, position: int) -> None:
        run = self.shown
        if run is not None and 0 <= position < len(run.results):
            result = run.results[position]
            self._update(run.with_result(position, replace(result, starred=not result.starred)))
            self.changed.emit()

    def compare(self, with_original: bool) -> None:
        """Hide the run while the button is held down."""
        run = self.shown
        if run is None or with_original == self._compares:
            return
        self._compares = with_original
        kept = run.kept or run.results[run.chosen].layer
        layer = run.group if self.document.is_attached(run.group) else kept
        self.document.show(layer, not with_original)
        self.document.refresh()

    def delete(self, position: int) -> None:
        """Delete a result's layer in one undo step. If it was chosen, choose a neighbor."""
        run = self.shown
        if run is None or self._keeping is not None or self.is_filling:
            return
        result = run.results[position]
        if not self.document.is_attached(result.layer):
            return
        self.live.stop()
        self.values.forget()
        self.document.remove_layer(result.layer, run.group)
        self.document.refresh()
        self.check_layers()
        self.changed.emit()

    def keep(self) -> None:
        """Keep the starred results, or the chosen one, as layers, in one undo step."""
        run = self.shown
        if run is None or self._keeping is not None or self.is_filling:
            return
        if not self.left:
            return
        self.live.stop()
        self.values.forget()
        starred = [i for i in self.left if run.results[i].starred]
        chosen = neighbor(run.chosen, starred or self.left)
        self.choose(chosen)
        if len(starred) > 1:
            layers = [run.results[i].layer for i in starred]
            steps = keep_some(self.document, run.group, layers)
            self._keeping = CooperativeTask(steps, lambda _: self._kept(starred), self._not_kept)
        else:
            merge = keep_visible(self.document, run.group)
            self._keeping = CooperativeTask(
                merge, lambda layer: self._kept([chosen], layer), self._not_kept
            )

    def _kept(self, positions: list[int], merged: str = "") -> None:
        """Rename the kept layers; `merged` is the new layer if only one was kept."""
        self._keeping = None
        run = self.shown
        if run is None:
            return
        for result in (run.results[i] for i in positions):
            self.document.rename(
                merged or result.layer,
                say(
                    layer_names.kept_smooth()
                    if result.is_smooth
                    else layer_names.run(result.seed, run.model)
                ),
            )
        self._update(replace(run, kept=merged))
        self.document.refresh()
        self.check_layers()
        self.changed.emit()

    def _not_kept(self, error: Exception) -> None:
        self._keeping = None
        if isinstance(error, InpaintError):
            self._take_failure(error)
        else:
            log.error("keeping a result failed", exc_info=error)
            self._take_failure(
                InputError(tr("Krita did not merge the group. Nothing was changed."))
            )

    # -- sliders -----------------------------------------------------------------------------

    def edit(self, edits: Edits, model: Model | None) -> None:
        """Render the chosen result again with these edits, into the same layer."""
        moved = [
            name for name in {**self.edits, **edits} if self.edits.get(name) != edits.get(name)
        ]
        self._set_values(edits, self.mix, ",".join(sorted(moved)))
        self._render_chosen(model)

    def _set_values(self, edits: Edits, mix: Mix, control: str) -> None:
        run = self.shown
        place = (run.key, run.results[run.chosen].layer) if run and run.results else ("", "")
        self.values.record(place, control, (self.edits, self.mix), (edits, mix))
        self.edits, self.mix = edits, mix

    def undo_values(self, model: Model | None) -> None:
        """Undo the last change of sliders or mixing."""
        if (change := self.values.undo()) is not None:
            self._go_to_values(change.place, *change.before, model)

    def redo_values(self, model: Model | None) -> None:
        """Redo the change that was undone last."""
        if (change := self.values.redo()) is not None:
            self._go_to_values(change.place, *change.after, model)

    def _go_to_values(
        self, place: tuple[str, str], edits: Edits, mix: Mix, model: Model | None
    ) -> None:
        """Show the candidate that had these values, and render it again with them."""
        key, layer = place
        if self.shown is None or self.shown.key != key:
            self.show_run(key)
        if (run := self.shown) is not None and run.key == key:
            layers = [result.layer for result in run.results]
            if layer in layers and run.chosen != layers.index(layer):
                self.choose(layers.index(layer))
        self.edits, self.mix = edits, mix
        self._render_chosen(model)
        self.changed.emit()

    def mix_with(self, layer: str, model: Model | None) -> None:
        """Mix in the styles of a layer, a result's or any other; empty = none."""
        if self.shown is not None:
            self.remix(with_other(self.mix, layer, self.shown), model)

    def remix(self, mix: Mix, model: Model | None) -> None:
        """Change the levels or the amount of mixing."""
        if self.shown is not None and self._is_fixed(self.shown):
            return
        self._set_values(self.edits, mix, "mix")
        self._render_chosen(model)

    def _render_chosen(self, model: Model | None) -> None:
        run = self.shown
        if run is None or not run.results or self.is_filling:
            return
        layer = self._layer_of_chosen(run)
        if not layer or self._is_fixed(run):
            return
        try:
            mixing = mixing_of(self.mix, run, self.document, self._scratch, self._limits())
        except InputError as error:
            self.mix = run.results[run.chosen].mix  # the mixing that the layer shows
            self._take_failure(error)
            return
        edits = usable_edits(self.edits, model)
        self.live.request(Wanted(run, run.chosen, layer, edits, self.mix, mixing))

    def _is_fixed(self, run: PastRun) -> bool:
        """Return whether the chosen result cannot be edited or mixed."""
        is_smooth = run.results[run.chosen].is_smooth
        return is_smooth or why_unedited(self._model_of(run.recipe)) is not None

    def add_variant(self, model: Model | None) -> None:
        """Keep the chosen result as it was, and add a layer with the sliders' edits."""
        run = self.shown
        if run is None or self.is_filling or self._keeping is not None:
            return
        if run.kept and run.kept not in self.missing:
            return
        chosen = run.results[run.chosen]
        if self._is_fixed(run):
            return
        name = layer_name(chosen.index, chosen.seed, variant=0)
        layer = self.document.add_layer(run.group, name)
        if layer is None:
            return
        count = sum(1 for result in run.results if result.index == chosen.index)
        variant = Result(
            chosen.seed, layer, chosen.recipe, chosen.index, count - 1, attachment_of(run, chosen)
        )
        self._update(replace(run, results=(*run.results, variant)))
        position = len(run.results)
        edits = self.edits
        self.choose(position)
        self.edit(edits, model)
        self.values.forget()
        self.changed.emit()

    def _layer_of_chosen(self, run: PastRun) -> str:
        """Return the layer of the chosen result: its own, or the one that was kept."""
        own = run.results[run.chosen].layer
        if self.document.is_attached(own):
            return own
        if run.kept and self.document.is_attached(run.kept):
            return run.kept
        return ""

    def _read_again(self, run: PastRun, selection: KeptSelection) -> Pixels:
        node = self.document.find(run.source) if run.source else None
        rendered = node is not None and node.type() != "paintlayer"
        return self.document.pixels(Source(node, rendered, ""), selection, self._scratch)

    def _take_rendered(self, rendered: Rendered) -> None:
        run = self.book.find(rendered.run_key)
        if run is None:
            return
        self.document.refresh()
        old = run.results[rendered.position]
        new = replace(
            old,
            edits=rendered.edits,
            recipe=rendered.recipe,
            mix=rendered.mix,
            unmixed=(old.unmixed or old.recipe) if rendered.mix.is_on else "",
            # The naturalness decides the order, in which thumbnails must not jump.
            scores=replace(old.scores, likeness=rendered.scores.likeness),
        )
        run = run.with_result(rendered.position, new)
        self._update(run)
        self._draw(run, rendered.position)
        self.changed.emit()

    def _take_live(self) -> None:
        self._close_scratch()
        self.changed.emit()

    def _show_edits_of_chosen(self) -> None:
        if self.shown is not None and self.shown.results:
            chosen = self.shown.results[self.shown.chosen]
            self.edits = chosen.edits
            self.mix = chosen.mix

    # -- history -----------------------------------------------------------------------------

    def show_run(self, key: str) -> None:
        """Show another run of this document."""
        run = self.book.find(key)
        if run is not None:
            self.shown = run
            self._show_edits_of_chosen()
            self.check_layers()
            self.changed.emit()
            self._draw_later()

    def check_layers(self) -> bool:
        """Detect undo, redo and deletions, which Krita does not signal.

        Returns:
            Whether anything changed.
        """
        changed = self._look_for_layers()
        self._follow_layers()
        return changed

    def _follow_layers(self) -> None:
        """Keep one result visible after undo, redo or deletion, as long as any remains."""
        run, missing = self.shown, self.missing
        if run is None or self._keeping is not None:
            return
        key, before = self._followed
        self._followed = run.key, missing
        left = [i for i, result in enumerate(run.results) if result.layer not in missing]
        if not left or (key, before) == self._followed:
            return
        back = [i for i in left if run.results[i].layer in before] if key == run.key else []
        if back and run.group in before:  # Krita's redo activates the group, at once or later
            self.document.return_to(run.results[neighbor(run.chosen, left)].layer, {run.group})
        seen = [i for i in back if self.document.is_shown(run.results[i].layer)]
        if run.chosen not in left:
            self.choose(neighbor(run.chosen, left))
        elif seen and run.chosen not in back:
            self.choose(seen[0])

    def _look_for_layers(self) -> bool:
        run = self.shown
        if run is None:
            return False
        layers = {run.group, run.kept, *(result.layer for result in run.results)} - {""}
        missing = frozenset(layer for layer in layers if not self.document.is_attached(layer))
        left = limited_to(run, positions_left(run, missing))
        offered = choices(left, self.document.paint_layers())
        self._lost -= layers - missing
        changed = missing != self.missing or offered != self.mix_choices
        self.missing, self.mix_choices = missing, offered
        return changed

    @property
    def strip(self) -> Strip:
        """The remaining results of the shown run, with their current thumbnails."""
        run = self.shown
        if run is None:
            return Strip()
        drawn = tuple(self._thumbnails.get(run, i) for i in self.left)
        listed = limited_to(run, self.left)
        # While candidates arrive, thumbnails must not jump.
        order = range(len(drawn)) if self.is_filling else most_natural_first(listed.ranked)
        unmixed = self._thumbnails.unmixed(listed)
        return Strip(listed, self.missing, drawn, self.can_return, tuple(order), unmixed)

    def close(self) -> None:
        """Stop all work for the document, which was closed."""
        if self.fill is not None:
            self.fill.abandon()
        self.live.stop()
        self.selector.stop()
        for steps in (self._finding, self._keeping, self._drawing):
            if steps is not None:
                steps.cancel()

    def _update(self, run: PastRun) -> None:
        """Store a new or changed run; show it if it is new."""
        is_new = self.book.find(run.key) is None
        self.book.put(run)
        if is_new or (self.shown is not None and self.shown.key == run.key):
            self.shown = run
        self._look_for_layers()

    def _draw_later(self) -> None:
        """Draw the missing thumbnails of the run that is shown."""
        if (run := self.shown) is not None:
            for position in range(len(run.results)):
                if self._thumbnails.get(run, position) is None:
                    self._draw(run, position)

    def _draw(self, run: PastRun, position: int) -> None:
        """Draw a thumbnail between turns of the event loop, after those that wait."""
        self._undrawn[run.key, run.results[position].layer] = run, position
        if self._drawing is None:
            self._drawing = CooperativeTask(self._draw_all(), self._drawn, self._not_drawn)

    def _draw_all(self) -> Generator[None, None, None]:
        while self._undrawn and self.document.is_open:
            run, position = self._undrawn.pop(next(iter(self._undrawn)))
            yield from self._thumbnails.draw(run, position)
            if self.shown is not None and self.shown.key == run.key:
                self.changed.emit()
            yield

    def _drawn(self, _: None) -> None:
        self._drawing = None
        self._close_scratch()

    def _close_scratch(self) -> None:
        """Close the scratch documents as soon as nothing is converted anymore."""
        if self.fill is None and not self.live.is_busy and self._drawing is None:
            self._scratch.close()

    def _not_drawn(self, error: Exception) -> None:
        self._drawing = None
        log.warning("a thumbnail cannot be drawn", exc_info=error)
        if self._undrawn:
            self._drawing = CooperativeTask(self._draw_all(), self._drawn, self._not_drawn)
