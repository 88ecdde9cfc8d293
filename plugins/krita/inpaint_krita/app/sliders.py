"""The sliders and the mixing: their values, their undo, and rendering the chosen result anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from inpaint_client.errors import InputError
from inpaint_client.info import Limits, Model
from inpaint_client.requests import Edits
from inpaint_client.session.abilities import why_unedited
from inpaint_client.session.history import Mix, PastRun
from inpaint_client.session.value_history import ValueHistory

from ..host.document_protocol import Document, Pixels
from ..host.guard import connect
from ..host.layer_placement import Source
from ..host.qt import QtCore
from ..host.scratch import Scratch
from ..host.selection import KeptSelection
from ..runs.candidate_run import Submit
from ..runs.fill_settings import usable_edits
from ..runs.live_edit import LayerEdits, Rendered, Wanted
from ..runs.mixing import mixing_of, with_other
from .results import Results


class Sliders(QtCore.QObject):
    """The values apply to the chosen result; without results, to the next run."""

    changed = QtCore.pyqtSignal()
    failed = QtCore.pyqtSignal(object)  # InpaintError
    rendered = QtCore.pyqtSignal(object, int)  # PastRun; the position of the result

    def __init__(
        self,
        document: Document,
        results: Results,
        scratch: Scratch,
        submit: Submit,
        limits: Callable[[], Limits],
        model_of: Callable[[str], Model | None],
        is_filling: Callable[[], bool],
        show_run: Callable[[str], None],
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._results = results
        self._scratch = scratch
        self._limits = limits
        self._model_of = model_of  # a recipe, if the daemon has it
        self._is_filling = is_filling
        self._show_run = show_run
        self.edits: Edits = {}
        self.mix = Mix()
        # History of the values for each candidate, identified by run and layer.
        self.history: ValueHistory[tuple[str, str], tuple[Edits, Mix]] = ValueHistory()
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
        connect(self.live.failed, self.failed)
        connect(self.live.changed, self.changed)
        connect(results.chosen, self.show_chosen)
        self.show_chosen()

    @property
    def is_busy(self) -> bool:
        """Whether an edit is being rendered or written to its layer."""
        return self.live.is_busy

    def stop(self) -> None:
        """Stop rendering, since the layers will change otherwise."""
        self.live.stop()

    def show_chosen(self) -> None:
        """Take the values of the chosen result."""
        run = self._results.shown
        if run is not None and run.results:
            chosen = run.results[run.chosen]
            self.edits, self.mix = chosen.edits, chosen.mix

    def edit(self, edits: Edits, model: Model | None) -> None:
        """Render the chosen result again with these edits, into the same layer."""
        moved = [
            name for name in {**self.edits, **edits} if self.edits.get(name) != edits.get(name)
        ]
        self._set_values(edits, self.mix, ",".join(sorted(moved)))
        self._render_chosen(model)

    def mix_with(self, layer: str, model: Model | None) -> None:
        """Mix in the styles of a layer, a result's or any other; empty = none."""
        run = self._results.shown
        if run is not None:
            self.remix(with_other(self.mix, layer, run), model)

    def remix(self, mix: Mix, model: Model | None) -> None:
        """Change the levels or the amount of mixing."""
        run = self._results.shown
        if run is not None and self.is_fixed(run):
            return
        self._set_values(self.edits, mix, "mix")
        self._render_chosen(model)

    def undo(self, model: Model | None) -> None:
        """Undo the last change of sliders or mixing."""
        if (change := self.history.undo()) is not None:
            self._go_to(change.place, *change.before, model)

    def redo(self, model: Model | None) -> None:
        """Redo the change that was undone last."""
        if (change := self.history.redo()) is not None:
            self._go_to(change.place, *change.after, model)

    def is_fixed(self, run: PastRun) -> bool:
        """Return whether the chosen result cannot be edited or mixed."""
        is_smooth = run.results[run.chosen].is_smooth
        return is_smooth or why_unedited(self._model_of(run.recipe)) is not None

    def _set_values(self, edits: Edits, mix: Mix, control: str) -> None:
        run = self._results.shown
        place = (run.key, run.results[run.chosen].layer) if run and run.results else ("", "")
        self.history.record(place, control, (self.edits, self.mix), (edits, mix))
        self.edits, self.mix = edits, mix

    def _go_to(self, place: tuple[str, str], edits: Edits, mix: Mix, model: Model | None) -> None:
        """Show the candidate that had these values, and render it again with them."""
        key, layer = place
        if self._results.shown is None or self._results.shown.key != key:
            self._show_run(key)
        if (run := self._results.shown) is not None and run.key == key:
            layers = [result.layer for result in run.results]
            if layer in layers and run.chosen != layers.index(layer):
                self._results.choose(layers.index(layer))
        self.edits, self.mix = edits, mix
        self._render_chosen(model)
        self.changed.emit()

    def _render_chosen(self, model: Model | None) -> None:
        run = self._results.shown
        if run is None or not run.results or self._is_filling():
            return
        layer = self._results.layer_of_chosen(run)
        if not layer or self.is_fixed(run):
            return
        try:
            mixing = mixing_of(self.mix, run, self._document, self._scratch, self._limits())
        except InputError as error:
            self.mix = run.results[run.chosen].mix  # the mixing that the layer shows
            self.failed.emit(error)
            return
        edits = usable_edits(self.edits, model)
        self.live.request(Wanted(run, run.chosen, layer, edits, self.mix, mixing))

    def _read_again(self, run: PastRun, selection: KeptSelection) -> Pixels:
        node = self._document.find(run.source) if run.source else None
        rendered = node is not None and node.type() != "paintlayer"
        return self._document.pixels(Source(node, rendered, ""), selection, self._scratch)

    def _take_rendered(self, rendered: Rendered) -> None:
        run = self._results.history.find(rendered.run_key)
        if run is None:
            return
        self._document.refresh()
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
        self._results.put(run)
        self.rendered.emit(run, rendered.position)
