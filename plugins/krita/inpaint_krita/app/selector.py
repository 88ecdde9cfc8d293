"""Change the selection of one document: to a part of the faces, or to what is transparent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator

from inpaint_client.errors import InpaintError
from inpaint_client.info import Limits
from inpaint_client.segments import Part

from ..host.document_protocol import Document
from ..host.guard import connect
from ..host.qt import QtCore
from ..host.scratch import Scratch
from ..host.selection import box_of
from ..runs.cooperative_task import CooperativeTask
from ..runs.part_selection import PartSelection, Segment, Use
from .notices import nothing_transparent, selection_notice

log = logging.getLogger(__name__)
SELECTION_MS = 50
SELECTION_TURNS = 16  # Krita applies a selection only some turns after the pen has drawn it


class Selector(QtCore.QObject):
    """One change at a time; `ended` is emitted after each."""

    ended = QtCore.pyqtSignal(object, object)  # Notice or None; InpaintError or None

    def __init__(
        self,
        document: Document,
        scratch: Scratch,
        segment: Segment,
        limits: Callable[[], Limits],
        parent: QtCore.QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._scratch = scratch
        self._segment = segment
        self._limits = limits
        self._part: PartSelection | None = None
        self._transparent: CooperativeTask[bool] | None = None

    @property
    def is_selected(self) -> bool:
        """Return whether anything is selected; a vector selection starts out empty."""
        selection = self._document.selection()
        return selection is not None and not box_of(selection).is_empty

    @property
    def is_finding_part(self) -> bool:
        """Whether a part of the faces is being selected."""
        return self._part is not None

    @property
    def is_busy(self) -> bool:
        return self._part is not None or self._transparent is not None

    def wait(self) -> Generator[int, None, None]:
        """Wait until Krita has applied what the artist has just selected."""
        for _turn in range(SELECTION_TURNS):
            if self.is_selected:
                self._document.settle()
                return
            yield SELECTION_MS

    def find_part(
        self, part: Part, parent: QtCore.QObject, layer: str = "", use: Use | None = None
    ) -> PartSelection:
        """Look for a part of the faces; the arguments are those of `PartSelection`."""
        return PartSelection(
            self._document,
            part,
            self._limits(),
            self._segment,
            self._scratch,
            parent,
            layer=layer,
            use=use,
        )

    def select_part(self, part: Part) -> None:
        """Replace the selection by a part of the faces."""
        self._document.settle()
        self._part = self.find_part(part, self)
        connect(self._part.ended, self._take_part)

    def select_transparent_part(self) -> None:
        """Select what is transparent, unless the artist has selected something meanwhile."""
        if self.is_selected:
            self.ended.emit(None, None)
            return
        self._transparent = CooperativeTask(
            self._document.select_transparent_part(), self._take_transparent, self._fail
        )

    def stop(self) -> None:
        """Stop without signals."""
        for steps in (self._part, self._transparent):
            if steps is not None:
                steps.cancel()

    def _take_part(self, error: InpaintError | None) -> None:
        self._part = None
        self.ended.emit(None if error is None else selection_notice(error), error)

    def _take_transparent(self, found: bool) -> None:
        self._transparent = None
        self.ended.emit(None if found else nothing_transparent(), None)

    def _fail(self, error: Exception) -> None:
        self._transparent = None
        log.error("selecting what is transparent failed", exc_info=error)
