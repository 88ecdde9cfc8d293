"""One open document: its runs, the run in progress, and the artist's actions on them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace

from inpaint_client.errors import InpaintError
from inpaint_client.events import FrameChosen
from inpaint_client.geometry import Frame
from inpaint_client.info import Limits, Model
from inpaint_client.segments import Part
from inpaint_client.session.abilities import possible_count, why_single
from inpaint_client.session.history import PastRun, Result, attachment_of
from inpaint_client.session.ranking import is_ranked, most_natural_first
from inpaint_client.session.run_status import RunStatus, Stage
from inpaint_client.session.strip import limited_to, neighbor

from ..host.document_protocol import Document
from ..host.guard import connect
from ..host.qt import QtCore
from ..host.scratch import Scratch
from ..runs.candidate_run import CandidateRun, Submit, layer_name
from ..runs.cooperative_task import CooperativeTask
from ..runs.fill_settings import FillSettings, edits_of_new
from ..runs.part_selection import Segment
from ..runs.run_fill import FillRun
from ..runs.run_more import MorePlan, MoreRun, additions
from ..text import say
from .keeper import Keeper
from .notices import merging, notice_of
from .planning import Target, plan_run
from .results import Results
from .selector import Selector
from .sliders import Sliders
from .state import Notice, Strip
from .thumbnail_queue import ThumbnailQueue

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
        self.results = Results(document, self)
        self.notice: Notice | None = None
        self.fill: CandidateRun | None = None  # the run in progress
        self.details: tuple[str, ...] = ()  # sentences about the last run
        self.frame: Frame | None = None  # of the last run, to propose a custom frame
        self._scratch = scratch
        self._submit = submit
        self._limits = limits
        self._model_of = model_of  # a recipe, if the daemon has it
        # Waits for a selection that was just drawn.
        self._finding: CooperativeTask[None] | None = None
        self._is_planning = False  # some calls of Krita run the event loop meanwhile
        self._asked = 0.0  # when the last run was asked for
        self.selector = Selector(document, scratch, segment, limits, self)
        self.sliders = Sliders(
            document,
            self.results,
            scratch,
            submit,
            limits,
            model_of,
            lambda: self.is_filling,
            self.show_run,
            self,
        )
        self._keeper = Keeper(document, self.results, self)
        self._queue = ThumbnailQueue(document, scratch, self)
        connect(self.results.changed, self.changed)
        connect(self.selector.ended, self._take_selected)
        connect(self.sliders.rendered, self._take_rendered)
        connect(self.sliders.failed, self._take_failure)
        connect(self.sliders.changed, self._take_slider_change)
        connect(self._keeper.ended, self._take_kept)
        connect(self._queue.drawn, self._take_thumbnail)
        connect(self._queue.ended, self._close_scratch)
        self.check_layers()
        self._queue.draw_missing(self.results.shown)

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
        return self.is_filling or self.sliders.is_busy or self._keeper.is_busy

    def start(
        self,
        fill_settings: FillSettings,
        model: Model | None,
        target: Target = Target(),  # noqa: B008 (a value)
    ) -> None:
        """Fill the selection; if that is impossible, `notice` gives the reason."""
        if self.is_filling or self.is_selecting:
            return
        if self._keeper.is_busy:  # merging recognizes its result as the only new layer
            self.notice = merging()
            self.changed.emit()
            return
        self._asked = time.monotonic()
        self.document.settle()
        self.sliders.stop()
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
        edits = self.sliders.edits if target.edits is None else target.edits
        self._is_planning = True
        try:
            plan, self.notice = plan_run(
                self.document,
                self._scratch,
                fill_settings,
                model,
                edits_of_new(fill_settings, edits, model),
                self._limits(),
                self.results.history.runs,
                target,
            )
            if plan is not None:
                self.sliders.history.forget()
                self._watch(FillRun(self.document, plan, self._submit, self._scratch.convert, self))
        finally:
            self._is_planning = False
        self.changed.emit()

    def add_candidates(self, fill_settings: FillSettings, model: Model | None) -> None:
        """Add candidates with new seeds to the run that is shown, as many as are set."""
        run = self.results.shown
        if run is None or not self.results.left or self.is_filling or self._keeper.is_busy:
            return
        chosen = neighbor(run.chosen, self.results.left)
        known = (chosen, *self.results.left, *range(len(run.results)))
        able = [i for i in known if not run.results[i].is_smooth]  # can be rendered again
        if not able:
            return
        if (single := why_single(self._model_of(run.recipe))) is not None:
            self.tell(single)
            return
        self.document.settle()
        self.sliders.stop()
        self.notice = None
        sessions = [(i, self.sliders.live.session_of(run.key, i)) for i in able]
        position, session = next((each for each in sessions if each[1]), (able[0], None))
        plan = MorePlan(
            current=lambda: self.results.history.find(run.key) or run,
            position=position,
            wanted=additions(
                run,
                fill_settings.candidates,
                edits_of_new(fill_settings, self.sliders.edits, model),
                fill_settings.also_without_edits,
            ),
            space=self.document.space,
            session=session,
            give_source=lambda give, failed: self.sliders.live.read_source(
                run, position, give, failed
            ),
        )
        self.sliders.history.forget()
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
        if self._keeper.is_busy:  # merging goes through Krita's history too
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
            if self.results.history.find(past.key) is None:
                self._queue.thumbnails.forget(past)
            self.results.put(past)
            self.changed.emit()

    def _take_arrived(self, position: int) -> None:
        fill = self.fill
        if fill is None or fill.past is None:
            return
        result = fill.past.results[position]
        if result.variant < 0:
            self.sliders.live.remember(fill.past.key, position, fill.session.of(result.index))
        current = self.results.history.find(fill.past.key) or fill.past
        # Keep what the artist has chosen or starred meanwhile.
        merged = current.with_result(
            position, replace(result, starred=current.results[position].starred)
        )
        fill.past = replace(fill.past, chosen=current.chosen)
        self.results.put(merged)
        self._queue.draw(merged, position)
        if merged.chosen == position:
            self.sliders.show_chosen()
        self.changed.emit()

    def _take_end(self, error: InpaintError | None) -> None:
        fill, self.fill = self.fill, None
        past = fill.past if fill else None
        if past is not None:
            current = self.results.history.find(past.key)
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
        run = self.results.shown
        if run is None or run.key != key or run.chosen != 0 or self.sliders.is_busy:
            return
        first = run.results[0]
        if is_ranked(run.ranked) and not first.starred and self.sliders.edits == first.edits:
            self.results.choose(most_natural_first(run.ranked)[0])

    def _shrink(self, current: PastRun, ended: PastRun) -> None:
        """Remove the results of a run that ended early, except those received."""
        layers = {result.layer for result in ended.results}
        kept = tuple(result for result in current.results if result.layer in layers)
        if not kept:
            self._queue.thumbnails.forget(current)
            self.results.drop(current)
            return
        chosen = current.results[current.chosen]
        position = kept.index(chosen) if chosen in kept else 0
        self.results.put(replace(current, results=kept, chosen=position))
        shown = self.results.shown
        if chosen not in kept and shown is not None and shown.key == current.key:
            self.results.choose(position)
        self._queue.draw_missing(self.results.shown)

    def _take_failure(self, error: InpaintError) -> None:
        self.notice = notice_of(error).after(self.notice)
        self.failed.emit(error)
        self.changed.emit()

    # -- the results -------------------------------------------------------------------------

    def delete(self, position: int) -> None:
        """Delete a result's layer in one undo step. If it was chosen, choose a neighbor."""
        run = self.results.shown
        if run is None or self._keeper.is_busy or self.is_filling:
            return
        result = run.results[position]
        if not self.document.is_attached(result.layer):
            return
        self.sliders.stop()
        self.sliders.history.forget()
        self.document.remove_layer(result.layer, run.group)
        self.document.refresh()
        self.check_layers()
        self.changed.emit()

    def keep(self) -> None:
        """Keep the starred results, or the chosen one, as layers, in one undo step."""
        if self._keeper.is_busy or self.is_filling or not self.results.left:
            return
        self.sliders.stop()
        self.sliders.history.forget()
        self._keeper.keep()

    def add_variant(self, model: Model | None) -> None:
        """Keep the chosen result as it was, and add a layer with the sliders' edits."""
        run = self.results.shown
        if run is None or self.is_filling or self._keeper.is_busy:
            return
        if run.kept and run.kept not in self.results.missing:
            return
        chosen = run.results[run.chosen]
        if self.sliders.is_fixed(run):
            return
        name = layer_name(chosen.index, chosen.seed, variant=0)
        layer = self.document.add_layer(run.group, name)
        if layer is None:
            return
        count = sum(1 for result in run.results if result.index == chosen.index)
        variant = Result(
            chosen.seed, layer, chosen.recipe, chosen.index, count - 1, attachment_of(run, chosen)
        )
        self.results.put(replace(run, results=(*run.results, variant)))
        position = len(run.results)
        edits = self.sliders.edits
        self.results.choose(position)
        self.sliders.edit(edits, model)
        self.sliders.history.forget()
        self.changed.emit()

    def show_run(self, key: str) -> None:
        """Show another run of this document."""
        if self.results.switch_to(key):
            self.check_layers()
            self.changed.emit()
            self._queue.draw_missing(self.results.shown)

    def check_layers(self) -> bool:
        """Detect undo, redo and deletions, which Krita does not signal.

        Returns:
            Whether anything changed.
        """
        return self.results.check_layers(is_merging=self._keeper.is_busy)

    @property
    def strip(self) -> Strip:
        """The remaining results of the shown run, with their current thumbnails."""
        results, thumbnails = self.results, self._queue.thumbnails
        run, left = results.shown, results.left
        if run is None:
            return Strip()
        drawn = tuple(thumbnails.get(run, i) for i in left)
        listed = limited_to(run, left)
        # While candidates arrive, thumbnails must not jump.
        order = range(len(drawn)) if self.is_filling else most_natural_first(listed.ranked)
        unmixed = thumbnails.unmixed(listed)
        return Strip(listed, results.missing, drawn, results.can_return, tuple(order), unmixed)

    def close(self) -> None:
        """Stop all work for the document, which was closed."""
        if self.fill is not None:
            self.fill.abandon()
        if self._finding is not None:
            self._finding.cancel()
        for each in (self.sliders, self.selector, self._keeper, self._queue):
            each.stop()

    def _take_rendered(self, run: PastRun, position: int) -> None:
        self._queue.draw(run, position)
        self.changed.emit()

    def _take_slider_change(self) -> None:
        self._close_scratch()
        self.changed.emit()

    def _take_kept(self, error: InpaintError | None) -> None:
        if error is not None:
            self._take_failure(error)
            return
        self.check_layers()
        self.changed.emit()

    def _take_thumbnail(self, key: str) -> None:
        run = self.results.shown
        if run is not None and run.key == key:
            self.changed.emit()

    def _close_scratch(self) -> None:
        """Close the scratch documents as soon as nothing is converted anymore."""
        if self.fill is None and not self.sliders.is_busy and not self._queue.is_busy:
            self._scratch.close()
