"""Thumbnails of results: the fill in its surroundings."""

from __future__ import annotations

from typing import Protocol

from inpaint_client.geometry import Box, Extent
from inpaint_client.session.history import PastRun

from ..host.qt import QtCore, QtGui
from ..host.scratch import Scratch

SIDE = 192  # px; shown at half this size, to be sharp on high-density screens
MARGIN = 0.35  # around the hole, relative to its longer side


class Images(Protocol):
    @property
    def extent(self) -> Extent: ...
    def view(self, box: Box, extent: Extent) -> QtGui.QImage: ...
    def thumbnail(
        self, layer_id: str, box: Box, extent: Extent, scratch: Scratch
    ) -> QtGui.QImage | None: ...
    def is_attached(self, layer_id: str) -> bool: ...


def region(hole: Box, canvas: Box) -> Box:
    """Return a square around the hole, moved into the canvas."""
    side = round(hole.extent.longest * (1 + 2 * MARGIN))
    x = hole.x + (hole.width - side) // 2
    y = hole.y + (hole.height - side) // 2
    return Box(x, y, side, side).moved_into(canvas)


class Thumbnails:
    """Draws in `draw` only: a widget must not access the document while it is painted."""

    def __init__(self, images: Images, scratch: Scratch) -> None:
        self._images = images
        self._scratch = scratch
        self._drawn: dict[tuple[str, str], QtGui.QImage] = {}
        self._backdrops: dict[str, QtGui.QImage] = {}

    def get(self, run: PastRun, position: int) -> QtGui.QImage | None:
        """Return the thumbnail drawn last; None if there is none."""
        return self._drawn.get((run.key, run.results[position].layer))

    def draw(self, run: PastRun, position: int) -> None:
        result = run.results[position]
        area = region(run.hole_box, Box.of_extent(self._images.extent))
        scale = SIDE / area.extent.longest
        layer = result.layer
        if run.kept and position == run.chosen and not self._images.is_attached(layer):
            layer = run.kept
        box = run.hole_box
        size = Extent(max(1, round(box.width * scale)), max(1, round(box.height * scale)))
        fill = self._images.thumbnail(layer, box, size, self._scratch)
        if fill is None:
            return
        image = self._backdrop(run, area).copy()
        painter = QtGui.QPainter(image)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(
            QtCore.QRectF(
                (box.x - area.x) * scale,
                (box.y - area.y) * scale,
                box.width * scale,
                box.height * scale,
            ),
            fill,
        )
        painter.end()
        self._drawn[run.key, result.layer] = image

    def forget(self, run: PastRun) -> None:
        """Discard a run's thumbnails and backdrop, so that they are drawn again."""
        self._backdrops.pop(run.key, None)
        self._drawn = {key: image for key, image in self._drawn.items() if key[0] != run.key}

    def _backdrop(self, run: PastRun, area: Box) -> QtGui.QImage:
        if run.key not in self._backdrops:
            scale = SIDE / area.extent.longest
            size = Extent(max(1, round(area.width * scale)), max(1, round(area.height * scale)))
            image = self._images.view(area, size)
            self._backdrops[run.key] = image.convertToFormat(
                QtGui.QImage.Format.Format_ARGB32_Premultiplied
            )
        return self._backdrops[run.key]
