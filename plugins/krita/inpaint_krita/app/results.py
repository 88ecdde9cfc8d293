"""The results of a document's runs: which run is shown, what remains of it, and what is chosen."""

from __future__ import annotations

from dataclasses import replace

from inpaint_client.session.history import PastRun
from inpaint_client.session.strip import limited_to, neighbor, positions_left

from ..host.document_protocol import Document
from ..host.qt import QtCore
from ..runs.mixing import Choice, choices
from ..runs.run_history import RunHistory


class Results(QtCore.QObject):
    """Emits `chosen` after another result was chosen, and then `changed`."""

    chosen = QtCore.pyqtSignal()
    changed = QtCore.pyqtSignal()

    def __init__(self, document: Document, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self.history = RunHistory(document)
        self.shown: PastRun | None = self.history.last
        self.missing: frozenset[str] = frozenset()  # layers of the shown run
        self.mix_choices: tuple[Choice, ...] = ()
        # Layers that were missing when the image was opened: undo cannot restore them.
        self._lost = {
            layer
            for run in self.history.runs
            for layer in (run.group, *(result.layer for result in run.results))
            if not document.is_attached(layer)
        }
        # The run that was shown at the last check, and its layers that were missing then.
        self._followed: tuple[str, frozenset[str]] = ("", frozenset())
        self._compares = False
        self._find_missing()

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
            for run in self.history.runs
        )

    def put(self, run: PastRun) -> None:
        """Store a new or changed run; show it if it is new."""
        is_new = self.history.find(run.key) is None
        self.history.put(run)
        if is_new or (self.shown is not None and self.shown.key == run.key):
            self.shown = run
        self._find_missing()

    def drop(self, run: PastRun) -> None:
        """Remove a run, and show the last one that remains."""
        self.history.drop(run)
        self.shown = self.history.last

    def switch_to(self, key: str) -> bool:
        """Show another run of this document.

        Returns:
            Whether the document has it.
        """
        run = self.history.find(key)
        if run is None:
            return False
        self.shown = run
        self.chosen.emit()
        return True

    def choose(self, position: int) -> None:
        """Show this result on the canvas and hide the others."""
        run = self.shown
        if run is None or not 0 <= position < len(run.results):
            return
        for i, result in enumerate(run.results):
            self._document.show(result.layer, i == position)
        self._document.refresh()
        self.put(replace(run, chosen=position))
        self.chosen.emit()
        self.changed.emit()

    def star(self, position: int) -> None:
        """Mark a result as one to keep, or remove the mark."""
        run = self.shown
        if run is not None and 0 <= position < len(run.results):
            result = run.results[position]
            self.put(run.with_result(position, replace(result, starred=not result.starred)))
            self.changed.emit()

    def compare(self, with_original: bool) -> None:
        """Hide the run while the button is held down."""
        run = self.shown
        if run is None or with_original == self._compares:
            return
        self._compares = with_original
        kept = run.kept or run.results[run.chosen].layer
        layer = run.group if self._document.is_attached(run.group) else kept
        self._document.show(layer, not with_original)
        self._document.refresh()

    def layer_of_chosen(self, run: PastRun) -> str:
        """Return the layer of the chosen result: its own, or the one that was kept."""
        own = run.results[run.chosen].layer
        if self._document.is_attached(own):
            return own
        if run.kept and self._document.is_attached(run.kept):
            return run.kept
        return ""

    def check_layers(self, *, is_merging: bool) -> bool:
        """Detect undo, redo and deletions, which Krita does not signal.

        Args:
            is_merging: layers vanish because results are being kept.

        Returns:
            Whether anything changed.
        """
        changed = self._find_missing()
        if not is_merging:
            self._follow_layers()
        return changed

    def _follow_layers(self) -> None:
        """Keep one result visible after undo, redo or deletion, as long as any remains."""
        run, missing = self.shown, self.missing
        if run is None:
            return
        key, before = self._followed
        self._followed = run.key, missing
        left = [i for i, result in enumerate(run.results) if result.layer not in missing]
        if not left or (key, before) == self._followed:
            return
        back = [i for i in left if run.results[i].layer in before] if key == run.key else []
        if back and run.group in before:  # Krita's redo activates the group, at once or later
            self._document.return_to(run.results[neighbor(run.chosen, left)].layer, {run.group})
        seen = [i for i in back if self._document.is_shown(run.results[i].layer)]
        if run.chosen not in left:
            self.choose(neighbor(run.chosen, left))
        elif seen and run.chosen not in back:
            self.choose(seen[0])

    def _find_missing(self) -> bool:
        run = self.shown
        if run is None:
            return False
        layers = {run.group, run.kept, *(result.layer for result in run.results)} - {""}
        missing = frozenset(layer for layer in layers if not self._document.is_attached(layer))
        left = limited_to(run, positions_left(run, missing))
        offered = choices(left, self._document.paint_layers())
        self._lost -= layers - missing
        changed = missing != self.missing or offered != self.mix_choices
        self.missing, self.mix_choices = missing, offered
        return changed
