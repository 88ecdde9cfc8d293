"""Select a part of the faces: read the document, ask the daemon, use the mask."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future

from inpaint_client.errors import InpaintError, InputError
from inpaint_client.geometry import Box, reducing_step
from inpaint_client.images import Picture
from inpaint_client.info import Limits
from inpaint_client.segments import DEFAULT_SIDE, Part, Segmentation, SegmentJob, room_to_fill

from ..host.document_protocol import Document
from ..host.layer_placement import Source
from ..host.qt import QtCore
from ..host.scratch import Scratch
from ..host.selection import KeptSelection, reduced
from ..text import tr
from .capture import capture_visible
from .cooperative_task import CooperativeTask
from .mask_bands import mask_bands

log = logging.getLogger(__name__)
Answer = Future[Segmentation]
Segment = Callable[[SegmentJob, Callable[[Answer], None]], Answer]
# Takes boxes with their coverage, from the top of the document to its bottom, in steps.
Use = Callable[[Iterable[tuple[Box, bytes]]], Generator[int | None, None, None]]
_VISIBLE = Source(None, rendered=False, notice="")
_NOTHING = KeptSelection(Box(0, 0, 0, 0), b"")


class PartSelection(QtCore.QObject):
    """One selection in progress. If it ends without one, the artist's selection stays.

    The answer is dropped if the document was closed or changed its size meanwhile.
    """

    ended = QtCore.pyqtSignal(object)  # InpaintError or None; the only signal

    def __init__(
        self,
        document: Document,
        part: Part,
        limits: Limits,
        segment: Segment,
        scratch: Scratch,
        parent: QtCore.QObject | None = None,
        *,
        layer: str = "",
        use: Use | None = None,
    ) -> None:
        """Start.

        Args:
            document: the document.
            part: what to select, of the faces that the selection touches, or of all.
            limits: the daemon's.
            segment: sends a job, and calls a function with the answer in the GUI thread.
            scratch: converts colors.
            parent: the owner.
            layer: ID of the layer to look in; empty = all visible layers.
            use: does something else with the mask than to select it; it is that of all faces.
        """
        super().__init__(parent)
        self._document = document
        self._part = part
        self._segment = segment
        self._extent = document.extent
        longest = min(DEFAULT_SIDE, limits.max_segment_side or DEFAULT_SIDE)
        # A document that is thinner than a step is refused by the daemon, in a sentence.
        self._step = min(reducing_step(self._extent, longest), *self._extent)
        self._answer: Answer | None = None
        self._is_over = False
        self._use = use
        source = Source(document.find(layer), False, "") if layer else _VISIBLE
        pixels = document.pixels(source, _NOTHING, scratch)
        self._task: CooperativeTask[Picture] | CooperativeTask[None] = CooperativeTask(
            capture_visible(pixels, self._step), self._ask, self._fail
        )

    def cancel(self) -> None:
        """Stop without touching the document, and without a signal."""
        self._is_over = True
        self._task.cancel()
        if self._answer is not None:
            self._answer.cancel()

    def _ask(self, image: Picture) -> None:
        job = SegmentJob(image=image, parts=(self._part,), room=room_to_fill(self._part))
        self._answer = self._segment(job, self._take)

    def _take(self, answer: Answer) -> None:
        if self._is_over:
            return
        error = answer.exception()
        if isinstance(error, Exception):
            self._fail(error)
        elif not self._document.is_open or self._document.extent != self._extent:
            self._end(None)
        else:
            try:
                steps = self._select(answer.result())
            except InputError as nothing:
                self._end(nothing)
                return
            self._task = CooperativeTask(steps, lambda _: self._end(None), self._fail)

    def _select(self, found: Segmentation) -> Generator[int | None, None, None]:
        """Return the steps that use the mask.

        Raises:
            InputError: the part was not found.
        """
        mask = found.mask((self._part,), self._meant(found))
        if not found.faces and self._part is not Part.BACKGROUND:
            raise InputError(
                tr("No face was found in the image."),
                tr("Turn the image until the face is upright, or select the region by hand."),
            )
        if mask is None:
            raise InputError(
                tr("The image does not show this part."), tr("Select the region by hand.")
            )
        use = self._use or self._document.select
        return use(mask_bands(mask, self._step, self._extent))

    def _meant(self, found: Segmentation) -> tuple[int, ...]:
        """Return the indices of the faces whose part is selected; none = all."""
        selection = self._document.selection()
        if self._use is not None or selection is None or len(found.faces) < 2:
            return ()
        canvas = Box(0, 0, *self._extent)
        return found.touched(*reduced(selection, canvas, self._step))

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, InpaintError):
            log.error("selecting a part failed", exc_info=error)
            error = InpaintError(f"The client failed: {error!r}.")
        self._end(error)

    def _end(self, error: InpaintError | None) -> None:
        if not self._is_over:
            self._is_over = True
            self.ended.emit(error)
