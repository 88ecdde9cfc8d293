"""Draw the contact sheet of a run, from a copy of the document."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from inpaint_client.geometry import Box, Extent
from inpaint_client.session import contact_sheet
from inpaint_client.session.contact_sheet import Caption
from inpaint_client.session.history import PastRun, Result
from inpaint_client.session.ranking import most_natural_first

from ..host.document_protocol import Copy
from ..host.qt import QtCore, QtGui
from ..text import say, tr
from .edit_words import in_words
from .thumbnails import joined

STRIP_PX = 1 << 20  # read in about 10 ms
DETAIL = 2  # px read per px of the sheet: enough for smooth scaling


class Images(Protocol):
    @property
    def extent(self) -> Extent: ...
    def copy(self, area: Box) -> Copy: ...
    def is_attached(self, layer_id: str) -> bool: ...


def draw_sheet(images: Images, run: PastRun) -> Generator[None, None, QtGui.QImage | None]:
    """Draw a sheet of the results of a run that are in the image; None if there are none.

    The most natural one comes first.

    The layers are read as they are now, with all edits. The document stays as it is: layers are
    hidden and shown in a copy.
    """
    ranked = [run.results[position] for position in most_natural_first(run.ranked)]
    shown = [(result, layer) for result in ranked if (layer := _layer(images, run, result))]
    if not shown:
        return None
    layers = {run.kept, *(result.layer for result in run.results)}
    area = contact_sheet.area_around(run.hole_box, Box.of_extent(images.extent))
    extent = contact_sheet.cell_extent(area.extent)
    copy = images.copy(area)
    cells = []
    try:
        yield
        for layer in ("", *(layer for _, layer in shown)):
            copy.show_only(layer, run.group, layers)
            cells.append((yield from _cell(copy, area, extent)))
    finally:
        copy.close()
    captions = contact_sheet.captions_of([result for result, _ in shown], _changes)
    return _paint(cells, [contact_sheet.before(), *captions], extent)


def _layer(images: Images, run: PastRun, result: Result) -> str:
    """Return the layer of a result: its own, or the one that was kept; empty if it is gone."""
    if images.is_attached(result.layer):
        return result.layer
    is_kept = result is run.results[run.chosen] and run.kept and images.is_attached(run.kept)
    return run.kept if is_kept else ""


def _changes(result: Result) -> list[str]:
    return [*in_words(result.edits), *([tr("mixed")] if result.mix.is_on else [])]


def _cell(copy: Copy, area: Box, extent: Extent) -> Generator[None, None, QtGui.QImage]:
    step = max(1, area.extent.longest // (DETAIL * extent.longest))
    views = []
    for strip in _strips(area, step):
        views.append(copy.view(strip, step))
        yield
    return joined(views, extent)


def _strips(area: Box, step: int) -> Iterator[Box]:
    return area.strips(step * max(1, STRIP_PX // (step * area.width)))


def _paint(
    cells: Sequence[QtGui.QImage], captions: Sequence[Caption], extent: Extent
) -> QtGui.QImage:
    font = QtGui.QFont()
    font.setPixelSize(contact_sheet.TEXT)
    metrics = QtGui.QFontMetrics(font)
    width = contact_sheet.column_width(extent)

    def fits(line: str) -> bool:
        return metrics.horizontalAdvance(line) <= width

    texts = [caption.lines(say(caption.title), fits) for caption in captions]
    spacing = metrics.lineSpacing()
    layout = contact_sheet.arrange(extent, [spacing * len(lines) for lines in texts])
    sheet = QtGui.QImage(*layout.extent, QtGui.QImage.Format.Format_RGB32)
    sheet.fill(QtGui.QColor(*contact_sheet.BACKGROUND))
    painter = QtGui.QPainter(sheet)
    painter.setRenderHint(QtGui.QPainter.RenderHint.TextAntialiasing)
    painter.setFont(font)
    painter.setPen(QtGui.QColor(*contact_sheet.INK))
    for cell, lines, place in zip(cells, texts, layout.places, strict=True):
        painter.drawImage(place.image.x, place.image.y, cell)
        for number, line in enumerate(lines):
            box = QtCore.QRect(place.caption.x, place.caption.y + number * spacing, width, spacing)
            elided = metrics.elidedText(line, QtCore.Qt.TextElideMode.ElideRight, width)
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignHCenter), elided)
    painter.end()
    return sheet
