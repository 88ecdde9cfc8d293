"""One open document: its runs, the one that is shown, and what the artist does with it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Protocol

from inpaint_client.errors import BadInput, Cancelled, InpaintError, StartFailed, Unauthenticated
from inpaint_client.events import FrameChosen
from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.info import Limits, Model
from inpaint_client.requests import Edit

from .capture import Pixels
from .colour import Space, route
from .history import DESCRIPTION, MAX_RUNS, PastRun, Result, attachment_of, pack, run_names, unpack
from .live_edit import LiveEdit, Rendered, Wanted
from .paint import Painting
from .place import Node, Source, Spot, source_of, spot_above
from .progress import RunProgress
from .qt import QtCore, QtGui
from .run_fill import FillRun, Plan, Submit
from .scratch import Scratch
from .selection import KeptSelection, Selection, box_of
from .state import Notice, Offer
from .stepper import Steps
from .text import tr
from .thumbnails import Thumbnails
from .wishes import Wishes, usable_edits

log = logging.getLogger(__name__)
_TURN_MS = 20


class Document(Protocol):
    """What a session needs of an open document (document.KritaDocument)."""

    key: str

    @property
    def is_open(self) -> bool: ...
    @property
    def extent(self) -> Extent: ...
    @property
    def space(self) -> Space: ...
    def active_node(self) -> Node | None: ...
    def settle(self) -> None: ...
    def selection(self) -> Selection | None: ...
    def select_transparent_part(self) -> None: ...
    def pixels(self, source: Source, selection: Selection, scratch: Scratch) -> Pixels: ...
    def view(self, box: Box, extent: Extent) -> QtGui.QImage: ...
    def insert_run(self, spot: Spot, title: str, names: list[str]) -> tuple[str, list[str]]: ...
    def add_layer(self, group_id: str, name: str) -> str | None: ...
    def keep_layers(self, group_id: str, layer_ids: list[str]) -> None: ...
    def write(self, layer_id: str, painting: Painting) -> bool: ...
    def refresh(self) -> None: ...
    def show(self, layer_id: str, visible: bool) -> bool: ...
    def is_attached(self, layer_id: str) -> bool: ...
    def thumbnail(self, layer_id: str, extent: Extent) -> tuple[QtGui.QImage, Box] | None: ...
    def rename(self, layer_id: str, name: str) -> None: ...
    def activate(self, layer_id: str) -> bool: ...
    def active_id(self) -> str: ...
    def flatten_active(self) -> None: ...
    def find(self, layer_id: str) -> Node | None: ...
    def id_of(self, node: Node) -> str: ...
    def annotation_names(self) -> list[str]: ...
    def annotation(self, name: str) -> bytes: ...
    def annotate(self, name: str, description: str, data: bytes) -> None: ...
    def remove_annotation(self, name: str) -> None: ...


class DocumentSession(QtCore.QObject):
    """`changed` after anything that the docker shows; `drawn` when a thumbnail changed."""

    changed = QtCore.pyqtSignal()
    drawn = QtCore.pyqtSignal(int)
    failed = QtCore.pyqtSignal(object)  # InpaintError: perhaps it tells about the daemon

    def __init__(
        self,
        document: Document,
        scratch: Scratch,
        submit: Submit,
        limits: Callable[[], Limits],
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.document = document
        self.runs: list[PastRun] = self._stored_runs()
        self.shown: PastRun | None = self.runs[-1] if self.runs else None
        self.missing: frozenset[str] = frozenset()
        self.notice: Notice | None = None
        self.fill: FillRun | None = None
        self.frame: Frame | None = None  # of the last run, for the adjustable rectangle
        self.edits: dict[str, float] = {}
        self._scratch = scratch
        self._submit = submit
        self._limits = limits
        self._thumbnails = Thumbnails(document)
        self._keeping: Steps[str] | None = None
        self._compares = False
        self.live = LiveEdit(
            document,
            self._read_again,
            lambda: document.space,
            limits,
            submit,
            scratch.convert,
            self,
        )
        self.live.rendered.connect(self._take_rendered)
        self.live.failed.connect(self._take_failure)
        self.live.busy_changed.connect(self.changed)
        self._show_edits_of_chosen()
        self.check_layers()

    # -- a run -------------------------------------------------------------------------------

    @property
    def progress(self) -> RunProgress:
        return self.fill.progress if self.fill else RunProgress()

    def start(self, wishes: Wishes, model: Model | None) -> None:
        """Fill the selection; if that is not possible, `notice` says why."""
        if self.fill is not None:
            return
        self.document.settle()
        self.live.stop()
        self.notice = None
        plan = self._plan(wishes, model)
        if plan is not None:
            run = FillRun(self.document, plan, self._submit, self._scratch.convert, self)
            run.progressed.connect(self.changed)
            run.framed.connect(self._take_frame)
            run.inserted.connect(self._take_inserted)
            run.arrived.connect(self._take_arrived)
            run.finished.connect(self._take_end)
            self.fill = run
        self.changed.emit()

    def cancel(self) -> None:
        if self.fill is not None:
            self.fill.cancel()

    def _plan(self, wishes: Wishes, model: Model | None) -> Plan | None:
        document = self.document
        active = document.active_node()
        if active is None:
            self.notice = Notice(tr("Click a layer first: the result goes above it."))
            return None
        selection = document.selection()
        box = Box(0, 0, 0, 0) if selection is None else box_of(selection)
        if selection is None or Box.of_extent(document.extent).clamp(box).is_empty:
            self.notice = _nothing_selected(selection is not None)
            return None
        try:
            route(document.space)
            spot = spot_above(active, self._is_result)
        except (KeyError, ValueError):
            self.notice = Notice(
                tr("This kind of picture cannot be filled. Convert it to RGB, gray or CMYK.")
            )
            return None
        source = source_of(active, wishes.all_visible)
        if spot.notice or source.notice:
            self.notice = Notice(source.notice or spot.notice, is_problem=False)
        return Plan(
            pixels=document.pixels(source, selection, self._scratch),
            selection=box,
            space=document.space,
            spot=spot,
            source="" if source.node is None else document.id_of(source.node),
            wishes=wishes,
            edits=usable_edits(self.edits, model),
            limits=self._limits(),
            model_title=(model.title or model.name) if model else wishes.model,
        )

    def _is_result(self, node: Node) -> bool:
        groups = {run.group for run in self.runs}
        return self.document.id_of(node) in groups

    def select_transparent_part(self) -> None:
        self.notice = None
        self.document.select_transparent_part()
        self.changed.emit()

    def _take_frame(self, chosen: FrameChosen) -> None:
        if chosen.group == 0:
            self.frame = chosen.frame
        if chosen.warning:
            self.notice = Notice(chosen.warning, is_problem=False)
        self.changed.emit()

    def _take_inserted(self) -> None:
        past = self.fill.past if self.fill else None
        if past is not None:
            self._thumbnails.forget(past)
            self._update(past)

    def _take_arrived(self, position: int) -> None:
        fill = self.fill
        if fill is None or fill.past is None:
            return
        result = fill.past.results[position]
        if result.variant < 0:
            self.live.remember(fill.past.key, position, fill.session, result.index)
        current = self._by_key(fill.past.key) or fill.past
        # What was chosen or starred meanwhile stays.
        merged = current.with_result(
            position, replace(result, starred=current.results[position].starred)
        )
        fill.past = replace(fill.past, chosen=current.chosen)
        self._update(merged)
        self._draw(merged, position)
        if merged.chosen == position:
            self._show_edits_of_chosen()

    def _take_end(self, error: InpaintError | None) -> None:
        fill, self.fill = self.fill, None
        past = fill.past if fill else None
        if past is not None:
            current = self._by_key(past.key)
            if current is not None and len(past.results) < len(current.results):
                self._shrink(current, past)
        self._scratch.close()
        if error is not None:
            self._take_failure(error)
        self.changed.emit()

    def _shrink(self, current: PastRun, ended: PastRun) -> None:
        """A run that was cut short keeps the candidates that had arrived."""
        layers = {result.layer for result in ended.results}
        kept = tuple(result for result in current.results if result.layer in layers)
        self._thumbnails.forget(current)
        if not kept:
            self.runs = [run for run in self.runs if run.key != current.key]
            self.document.remove_annotation(current.annotation)
            self.shown = self.runs[-1] if self.runs else None
            return
        shrunk = replace(current, results=kept, chosen=0)
        self._update(shrunk)
        self.choose(0)

    def _take_failure(self, error: InpaintError) -> None:
        self.notice = notice_of(error)
        self.failed.emit(error)
        self.changed.emit()

    # -- the results -------------------------------------------------------------------------

    def choose(self, position: int) -> None:
        """Show this result on the canvas, hide its siblings."""
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
        if run is not None:
            result = run.results[position]
            self._update(run.with_result(position, replace(result, starred=not result.starred)))
            self.changed.emit()

    def compare(self, with_original: bool) -> None:
        """Hide the run while the button is held."""
        run = self.shown
        if run is None or with_original == self._compares:
            return
        self._compares = with_original
        self.document.show(run.kept or run.group, not with_original)
        if run.kept:
            self.document.show(run.group, not with_original)
        self.document.refresh()

    def keep(self, position: int) -> None:
        """Make the run one layer with this result; one undo step brings the others back."""
        run = self.shown
        if run is None or self._keeping is not None or self.fill is not None:
            return
        self.live.stop()
        self.choose(position)
        self._keeping = Steps(self._keep(run.group), self._kept, self._not_kept)

    def _keep(self, group: str) -> Generator[int, None, str]:
        """Flattening a group keeps what is visible, in one undo step of Krita's own."""
        document = self.document
        before = document.active_id()
        if not document.activate(group):
            raise BadInput(tr("The layers of this run are no longer in the picture."))
        yield from _until(lambda: document.active_id() == group)
        document.flatten_active()
        yield from _until(lambda: not document.is_attached(group))
        document.settle()
        yield _TURN_MS
        merged = document.active_id()
        if document.is_attached(before):
            document.activate(before)
        return merged

    def _kept(self, layer: str) -> None:
        self._keeping = None
        run = self.shown
        if run is None:
            return
        result = run.results[run.chosen]
        self.document.rename(
            layer,
            tr("Inpaint · {model} · seed {seed}").format(model=run.model, seed=result.seed),
        )
        self._update(replace(run, kept=layer))
        self.check_layers()
        self.changed.emit()

    def _not_kept(self, error: Exception) -> None:
        self._keeping = None
        if isinstance(error, InpaintError):
            self._take_failure(error)
        else:
            log.error("keeping a result failed", exc_info=error)
            self._take_failure(BadInput(tr("Krita did not merge the group; nothing was changed.")))

    # -- sliders -----------------------------------------------------------------------------

    def edit(self, edits: dict[str, float], model: Model | None) -> None:
        """The sliders moved: render the chosen result again, into the same layer."""
        self.edits = dict(edits)
        run = self.shown
        if run is None or not run.results or self.fill is not None:
            return
        layer = self._layer_of_chosen(run)
        if layer:
            wanted = Wanted(run, run.chosen, layer, usable_edits(self.edits, model))
            self.live.request(wanted)

    def add_variant(self, model: Model | None) -> None:
        """The chosen result as it was, and one more layer with the sliders' edits."""
        run = self.shown
        if run is None or self.fill is not None or (run.kept and run.kept not in self.missing):
            return
        chosen = run.results[run.chosen]
        name = tr("Seed {seed}, edited").format(seed=chosen.seed)
        layer = self.document.add_layer(run.group, name)
        if layer is None:
            return
        count = sum(1 for result in run.results if result.index == chosen.index)
        variant = Result(
            chosen.seed, layer, chosen.recipe, chosen.index, count - 1, attachment_of(run, chosen)
        )
        self._update(replace(run, results=(*run.results, variant)))
        position = len(run.results)
        edits = dict(self.edits)
        self.choose(position)
        self.edit(edits, model)
        self.changed.emit()

    def _layer_of_chosen(self, run: PastRun) -> str:
        """Where the chosen result is now: its own layer, or the one that was kept."""
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
        run = self._by_key(rendered.run_key)
        if run is None:
            return
        self.document.refresh()
        self._scratch.close()
        old = run.results[rendered.position]
        self._update(
            run.with_result(
                rendered.position, replace(old, edits=rendered.edits, recipe=rendered.recipe)
            )
        )
        self._draw(run, rendered.position)
        self.changed.emit()

    def _show_edits_of_chosen(self) -> None:
        if self.shown is not None and self.shown.results:
            chosen: tuple[Edit, ...] = self.shown.results[self.shown.chosen].edits
            self.edits = {edit.name: edit.value for edit in chosen}

    # -- history -----------------------------------------------------------------------------

    def show_run(self, key: str) -> None:
        """Show another run of this document in the docker."""
        run = self._by_key(key)
        if run is not None:
            self.shown = run
            self._show_edits_of_chosen()
            self.check_layers()
            self.changed.emit()

    def check_layers(self) -> bool:
        """Notice undo, redo and deletions, which Krita does not tell; whether anything changed."""
        run = self.shown
        if run is None:
            return False
        layers = {run.group, run.kept, *(result.layer for result in run.results)} - {""}
        missing = frozenset(layer for layer in layers if not self.document.is_attached(layer))
        changed, self.missing = missing != self.missing, missing
        return changed

    def thumbnail(self, position: int) -> QtGui.QImage | None:
        run = self.shown
        return None if run is None else self._thumbnails.get(run, position)

    def close(self) -> None:
        """The document is closed: stop everything that goes on for it."""
        if self.fill is not None:
            self.fill.abandon()
        self.live.stop()
        if self._keeping is not None:
            self._keeping.cancel()

    def _stored_runs(self) -> list[PastRun]:
        runs = []
        for name in run_names(self.document.annotation_names()):
            try:
                runs.append(unpack(name, self.document.annotation(name)))
            except BadInput as error:
                log.warning("%s: %s", name, error)
        return runs

    def _by_key(self, key: str) -> PastRun | None:
        return next((run for run in self.runs if run.key == key), None)

    def _update(self, run: PastRun) -> None:
        """Put a new or changed run into the list and into the document; show it if it is new."""
        old = self._by_key(run.key)
        if old is None:
            self.runs.append(run)
            self.shown = run
        else:
            self.runs[self.runs.index(old)] = run
            if self.shown is not None and self.shown.key == run.key:
                self.shown = run
        self.document.annotate(run.annotation, DESCRIPTION, pack(run))
        for forgotten in self.runs[:-MAX_RUNS]:
            self.document.remove_annotation(forgotten.annotation)
        self.runs = self.runs[-MAX_RUNS:]
        self.check_layers()

    def _draw(self, run: PastRun, position: int) -> None:
        self._thumbnails.draw(run, position)
        if self.shown is not None and self.shown.key == run.key:
            self.drawn.emit(position)


def notice_of(error: InpaintError) -> Notice:
    """A failure as one sentence with what helps."""
    if isinstance(error, Cancelled):
        return Notice(tr("Cancelled."), is_problem=False)
    if isinstance(error, StartFailed):
        return Notice(str(error), offer=Offer.SHOW_LOG, offer_label=tr("Show log"))
    if isinstance(error, Unauthenticated):
        return Notice(str(error), offer=Offer.SETTINGS, offer_label=tr("Settings …"))
    if isinstance(error, BadInput):
        return Notice(str(error))
    return Notice(str(error), offer=Offer.AGAIN, offer_label=tr("Try again"))


def _nothing_selected(is_outside: bool) -> Notice:
    if is_outside:
        return Notice(tr("The selection lies outside the canvas. Select the region to fill."))
    return Notice(
        tr("Nothing is selected. Select the region to fill, or take what is transparent."),
        is_problem=False,
        offer=Offer.SELECT_TRANSPARENT,
        offer_label=tr("Select the transparent part"),
    )


def _until(condition: Callable[[], bool], turns: int = 500) -> Generator[int, None, None]:
    """Let the event loop turn until it holds; Krita does such things when it comes to them."""
    for _turn in range(turns):
        if condition():
            return
        yield _TURN_MS
    raise TimeoutError("Krita did not do it")
