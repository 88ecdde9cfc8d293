"""Keep the starred results of a run, or the chosen one, as layers, in one undo step."""

from __future__ import annotations

import logging
from dataclasses import replace

from inpaint_client.errors import InpaintError, InputError
from inpaint_client.session import layer_names
from inpaint_client.session.strip import neighbor

from ..host.document_protocol import Document
from ..host.merging import keep_some, keep_visible
from ..host.qt import QtCore
from ..runs.cooperative_task import CooperativeTask
from ..text import say, tr
from .results import Results

log = logging.getLogger(__name__)


class Keeper(QtCore.QObject):
    """One run at a time; `ended` is emitted after each."""

    ended = QtCore.pyqtSignal(object)  # InpaintError or None

    def __init__(
        self, document: Document, results: Results, parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._results = results
        self._merging: CooperativeTask[str] | CooperativeTask[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether layers are being merged. Merging recognizes its result as the only new layer."""
        return self._merging is not None

    def keep(self) -> None:
        """Keep the starred results of the shown run; without any, the chosen one."""
        run, left = self._results.shown, self._results.left
        if run is None or not left:
            return
        starred = [i for i in left if run.results[i].starred]
        chosen = neighbor(run.chosen, starred or left)
        self._results.choose(chosen)
        if len(starred) > 1:
            layers = [run.results[i].layer for i in starred]
            steps = keep_some(self._document, run.group, layers)
            self._merging = CooperativeTask(steps, lambda _: self._kept(starred), self._fail)
        else:
            merge = keep_visible(self._document, run.group)
            self._merging = CooperativeTask(
                merge, lambda layer: self._kept([chosen], layer), self._fail
            )

    def stop(self) -> None:
        """Stop without signals."""
        if self._merging is not None:
            self._merging.cancel()

    def _kept(self, positions: list[int], merged: str = "") -> None:
        """Rename the kept layers; `merged` is the new layer if only one was kept."""
        self._merging = None
        run = self._results.shown
        if run is None:
            return
        for result in (run.results[i] for i in positions):
            self._document.rename(
                merged or result.layer,
                say(
                    layer_names.kept_smooth()
                    if result.is_smooth
                    else layer_names.run(result.seed, run.model)
                ),
            )
        self._results.put(replace(run, kept=merged))
        self._document.refresh()
        self.ended.emit(None)

    def _fail(self, error: Exception) -> None:
        self._merging = None
        if not isinstance(error, InpaintError):
            log.error("keeping a result failed", exc_info=error)
            error = InputError(tr("Krita did not merge the group. Nothing was changed."))
        self.ended.emit(error)
