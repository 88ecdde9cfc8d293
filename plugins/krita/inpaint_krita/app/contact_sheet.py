"""Save the contact sheet of a run: propose a file, draw the sheet, write it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from pathlib import Path

from inpaint_client.errors import InpaintError, InputError
from inpaint_client.session.history import PastRun

from ..host.document_protocol import Document
from ..host.image_file import write_image
from ..host.qt import QtCore, QtGui
from ..runs.contact_sheet import draw_sheet
from ..runs.cooperative_task import CooperativeTask
from ..text import say_error, tr
from .session import DocumentSession
from .state import Notice

log = logging.getLogger(__name__)
WAIT_MS = 50


def proposed_file(document: Document) -> Path:
    """Return a file beside the document's own, or in the folder of images."""
    file = document.file_name
    places = QtCore.QStandardPaths
    folder = (
        Path(file).parent
        if file
        else Path(places.writableLocation(places.StandardLocation.PicturesLocation))
    )
    if not folder.is_dir():
        folder = Path.home()
    return folder / (tr("{name} contact sheet").format(name=Path(document.title).stem) + ".png")


def no_candidates() -> Notice:
    return Notice(tr("There are no candidates to show. Fill a selection first."), is_problem=False)


def save_sheet(
    session: DocumentSession, run: PastRun, path: Path, tell: Callable[[Notice], None]
) -> CooperativeTask[QtGui.QImage | None]:
    """Draw the sheet between turns of the event loop and write it; `tell` says how it ended.

    Returns:
        The task, which stops when nothing refers to it anymore.
    """

    def done(sheet: QtGui.QImage | None) -> None:
        if sheet is None:
            tell(no_candidates())
            return
        try:
            write_image(sheet, path)
        except InputError as error:
            tell(Notice(say_error(error)))
            return
        said = tr("The contact sheet was saved as “{name}”.").format(name=path.name)
        tell(Notice(said, is_problem=False))

    def failed(error: Exception) -> None:
        if not isinstance(error, InpaintError):
            log.error("the contact sheet failed", exc_info=error)
            error = InputError(
                tr("The image could not be read or written ({error}).").format(error=error)
            )
        tell(Notice(say_error(error)))

    return CooperativeTask(_draw(session, run), done, failed)


def _draw(
    session: DocumentSession, run: PastRun
) -> Generator[int | None, None, QtGui.QImage | None]:
    """Draw the sheet as soon as no edit is being written to a layer."""
    while session.sliders.is_busy:
        yield WAIT_MS
    if not session.document.is_open:
        raise InputError(tr("The image was closed."), "")
    run = session.results.history.find(run.key) or run  # with that edit
    return (yield from draw_sheet(session.document, run))
