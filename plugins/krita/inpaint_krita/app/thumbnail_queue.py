"""Draw thumbnails one after the other, between turns of the event loop."""

from __future__ import annotations

import logging
from collections.abc import Generator

from inpaint_client.session.history import PastRun

from ..host.document_protocol import Document
from ..host.qt import QtCore
from ..host.scratch import Scratch
from ..runs.cooperative_task import CooperativeTask
from ..runs.thumbnails import Thumbnails

log = logging.getLogger(__name__)


class ThumbnailQueue(QtCore.QObject):
    """Emits `drawn` after each thumbnail, and `ended` when no more are waiting."""

    drawn = QtCore.pyqtSignal(str)  # the key of its run
    ended = QtCore.pyqtSignal()

    def __init__(
        self, document: Document, scratch: Scratch, parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._document = document
        self.thumbnails = Thumbnails(document, scratch)
        self._waiting: dict[tuple[str, str], tuple[PastRun, int]] = {}  # by run and layer
        self._drawing: CooperativeTask[None] | None = None

    @property
    def is_busy(self) -> bool:
        return self._drawing is not None

    def draw(self, run: PastRun, position: int) -> None:
        """Draw a result's thumbnail after those that wait."""
        self._waiting[run.key, run.results[position].layer] = run, position
        if self._drawing is None:
            self._start()

    def draw_missing(self, run: PastRun | None) -> None:
        """Draw the thumbnails of a run that have not been drawn yet."""
        if run is not None:
            for position in range(len(run.results)):
                if self.thumbnails.get(run, position) is None:
                    self.draw(run, position)

    def stop(self) -> None:
        """Stop without signals."""
        if self._drawing is not None:
            self._drawing.cancel()

    def _start(self) -> None:
        self._drawing = CooperativeTask(self._draw_all(), self._end, self._fail)

    def _draw_all(self) -> Generator[None, None, None]:
        while self._waiting and self._document.is_open:
            run, position = self._waiting.pop(next(iter(self._waiting)))
            yield from self.thumbnails.draw(run, position)
            self.drawn.emit(run.key)
            yield

    def _end(self, _: None) -> None:
        self._drawing = None
        self.ended.emit()

    def _fail(self, error: Exception) -> None:
        self._drawing = None
        log.warning("a thumbnail cannot be drawn", exc_info=error)
        if self._waiting:
            self._start()
        else:
            self.ended.emit()
