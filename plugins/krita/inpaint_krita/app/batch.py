"""Fill several images or layers, one after the other, with the same settings."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from inpaint_client.errors import (
    DaemonNotFoundError,
    InpaintError,
    InputError,
    NotRespondingError,
    RequestCancelledError,
    UnauthenticatedError,
)
from inpaint_client.geometry import Box
from inpaint_client.info import Model
from inpaint_client.pixels import bounding_box, crop
from inpaint_client.requests import Edits
from inpaint_client.segments import Part
from inpaint_client.session.abilities import possible_count, why_single
from inpaint_client.session.run_status import RunStatus, Stage

from ..host.document_protocol import Document
from ..host.guard import connect, later
from ..host.qt import QtCore
from ..host.selection import KeptSelection, box_of
from ..runs import batch_items
from ..runs.batch_items import Item
from ..runs.candidate_run import CandidateRun
from ..runs.fill_settings import FillSettings, draw_seed
from ..runs.part_selection import PartSelection
from ..text import say_error, tr
from .batch_report import Fate, Outcome
from .planning import Target
from .session import DocumentSession
from .state import BatchProgress

WATCH_MS = 300  # polling interval for images that are closed, which ends their runs silently
NO_DAEMON = (DaemonNotFoundError, NotRespondingError, UnauthenticatedError)


@dataclass(frozen=True)
class Order:
    """What the artist wants filled."""

    of_layers: bool = False  # the paint layers of the image, or all open images
    part: Part | None = None  # of the faces; None = each image's own selection
    candidates: int = 0  # 0 = as in the docker


@dataclass(frozen=True)
class Offer:
    """What a batch could fill."""

    images: int
    images_selected: int  # how many of them have a selection
    layers: int
    is_selected: bool  # whether the active image has a selection
    candidates: int  # as in the docker
    single: bool  # whether the model makes one candidate only


@dataclass(frozen=True)
class Means:
    """What a batch fills with."""

    session_of: Callable[[Document], DocumentSession]
    settings: Callable[[], FillSettings]  # of the next run, with a seed of its own
    model: Callable[[], Model | None]
    edits: Edits  # of the sliders


def offer_of(
    session: DocumentSession,
    sessions: Sequence[DocumentSession],
    fill_settings: FillSettings,
    model: Model | None,
) -> Offer:
    """Return what a batch could fill.

    Args:
        session: of the active image.
        sessions: of all open images.
        fill_settings: those of the docker.
        model: of the next run.
    """
    layers = batch_items.paint_layers(session.document, session.results.history.runs)
    return Offer(
        images=len(sessions),
        images_selected=sum(each.selector.is_selected for each in sessions),
        layers=sum(not layer.why_skipped for layer in layers),
        is_selected=session.selector.is_selected,
        candidates=possible_count(model, fill_settings.candidates),
        single=why_single(model) is not None,
    )


def items_of(order: Order, session: DocumentSession, documents: Sequence[Document]) -> list[Item]:
    """Return the layers of the session's image, or all open images."""
    if order.of_layers:
        return batch_items.paint_layers(session.document, session.results.history.runs)
    return batch_items.images(documents)


def settings_of_item(fill_settings: FillSettings, order: Order) -> FillSettings:
    """Return the settings of one run: the docker's, as far as they apply to several images."""
    changes: dict[str, object] = {}
    if fill_settings.new_seed:
        changes["seed"] = draw_seed()
    if order.candidates:
        changes["candidates"] = order.candidates
    if order.of_layers:
        changes["all_visible"] = False
    elif fill_settings.context == "frame":  # the artist has drawn it in another image
        changes["context"] = "auto"
    return replace(fill_settings, **changes)  # type: ignore[arg-type]


class Batch(QtCore.QObject):
    """Runs at once; `ended` is the last signal. What is filled stays whatever comes next."""

    changed = QtCore.pyqtSignal()
    ended = QtCore.pyqtSignal()

    def __init__(
        self, items: Sequence[Item], part: Part | None, means: Means, parent: QtCore.QObject
    ) -> None:
        super().__init__(parent)
        self.outcomes: list[Outcome] = []
        self._items = items
        self._part = part
        self._means = means
        self._session: DocumentSession | None = None  # of the current item, once it has begun
        self._search: PartSelection | None = None
        self._mask: KeptSelection | None = None
        self._run: CandidateRun | None = None
        self._is_stopped = False
        self._is_over = False
        self._watch = QtCore.QTimer(self)
        self._watch.setInterval(WATCH_MS)
        connect(self._watch.timeout, self._check_document)
        self._watch.start()
        later(0, self._begin)

    @property
    def progress(self) -> RunStatus:
        """The status of the current run."""
        reading = RunStatus(Stage.READING)
        return self._run.progress if self._run and self._run.progress.is_running else reading

    @property
    def place(self) -> BatchProgress:
        number = min(len(self.outcomes) + 1, len(self._items))
        return BatchProgress(number, len(self._items), self._items[number - 1].title)

    @property
    def is_searching(self) -> bool:
        """Whether the part of the faces is being looked for."""
        return self._search is not None

    def cancel(self) -> None:
        """Stop immediately. What has been filled stays, and so do candidates received."""
        self._is_stopped = True
        if self._search is not None:
            self._search.cancel()
            self._end_item(Fate.NOT_REACHED)
        elif self._run is not None:
            self._run.cancel()

    def abandon(self) -> None:
        """Stop without signals, since Krita or the window is closing."""
        self._is_over = True
        self._watch.stop()
        if self._search is not None:
            self._search.cancel()

    # -- one item ----------------------------------------------------------------------------

    @property
    def _item(self) -> Item:
        return self._items[len(self.outcomes)]

    def _begin(self) -> None:
        """Begin with the next item, or end."""
        if self._is_over:
            return
        if len(self.outcomes) == len(self._items):
            self._watch.stop()
            self._is_over = True
            self.ended.emit()
            return
        self.changed.emit()
        item = self._item
        if self._is_stopped:
            self._end_item(Fate.NOT_REACHED)
        elif item.why_skipped:
            self._end_item(Fate.SKIPPED, item.why_skipped)
        elif not item.document.is_open:
            self._end_closed()
        elif item.layer and not item.document.is_attached(item.layer):
            self._end_item(Fate.FAILED, tr("The layer was deleted."))
        else:
            self._open(item)

    def _open(self, item: Item) -> None:
        session = self._means.session_of(item.document)
        if session.is_busy or session.is_selecting:
            self._end_item(Fate.FAILED, tr("Another run was in progress there."))
        elif self._part is not None:
            self._session, self._mask = session, None
            keep = partial(self._keep_mask, item.document)
            self._search = session.selector.find_part(self._part, self, item.layer, keep)
            connect(self._search.ended, self._take_search)
            self.changed.emit()
        elif not session.selector.is_selected:
            self._end_item(Fate.SKIPPED, tr("Nothing is selected."))
        else:
            self._fill(item, session)

    def _keep_mask(
        self, document: Document, bands: Iterable[tuple[Box, bytes]]
    ) -> Generator[None, None, None]:
        """Keep the mask of a part as the selection of the run; the image's own stays."""
        coverage = bytearray()
        for _box, part in bands:
            coverage += part
            yield
        extent = document.extent
        box = bounding_box(coverage, extent)
        self._mask = KeptSelection(box, crop(coverage, extent, box))

    def _take_search(self, error: InpaintError | None) -> None:
        self._search = None
        item, session = self._item, self._session
        assert session is not None
        if not item.document.is_open:
            self._end_closed()
        elif error is not None:
            self._fail(error)
        elif self._mask is None:
            self._end_item(Fate.FAILED, tr("The image was resized meanwhile."))
        else:
            self._fill(item, session, self._mask)

    def _fill(
        self, item: Item, session: DocumentSession, selection: KeptSelection | None = None
    ) -> None:
        if item.layer and not self._has_pixels(item, selection):
            self._end_item(Fate.SKIPPED, tr("It has no pixels inside the selection."))
            return
        target = Target(item.layer, selection, self._means.edits)
        session.start(self._means.settings(), self._means.model(), target)
        self._session, self._run = session, session.fill
        if self._run is None:
            notice, session.notice = session.notice, None
            self._end_item(Fate.SKIPPED, notice.text if notice else "")
            return
        # The session was connected first: it has stored the run when we hear that it is over.
        connect(self._run.progressed, self.changed)
        connect(self._run.finished, self._take_end)

    def _has_pixels(self, item: Item, selection: KeptSelection | None) -> bool:
        wanted, bounds = selection or item.document.selection(), item.document.bounds(item.layer)
        return wanted is None or (bounds is not None and not bounds.clamp(box_of(wanted)).is_empty)

    def _take_end(self, error: InpaintError | None) -> None:
        run, session = self._run, self._session
        if run is None or session is None:
            return
        is_filled = run.past is not None and bool(run.past.results)
        if not session.document.is_open:
            self._end_closed()
            return
        if error is None:
            self._end_item(Fate.FILLED)
            return
        session.notice = None  # the batch's own tells it
        if isinstance(error, RequestCancelledError):
            self._is_stopped = True
            self._end_item(Fate.FILLED if is_filled else Fate.NOT_REACHED)
        else:
            self._fail(error)

    def _fail(self, error: InpaintError) -> None:
        if isinstance(error, NO_DAEMON):
            self._is_stopped = True
        fate = Fate.SKIPPED if isinstance(error, InputError) else Fate.FAILED
        self._end_item(fate, say_error(error))

    def _end_closed(self) -> None:
        if self._session is not None:
            self._session.close()
        self._end_item(Fate.FAILED, tr("The image was closed."))

    def _end_item(self, fate: Fate, reason: str = "") -> None:
        self.outcomes.append(Outcome(self._item.title, fate, reason))
        self._session = self._search = self._run = self._mask = None
        later(0, self._begin)

    def _check_document(self) -> None:
        """Go on if the image was closed: its run then ends without a signal."""
        session = self._session
        if session is not None and not session.document.is_open:
            if self._search is not None:
                self._search.cancel()
            self._end_closed()
