"""Thumbnails of results: the fill in its surroundings."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Protocol

from inpaint_client.geometry import Box, Extent
from inpaint_client.session.history import PastRun

from ..host.qt import QtCore, QtGui
from ..host.scratch import Scratch

SIDE = 192  # px; shown at half this size, to be sharp on high-density screens
DETAIL = 4  # px read per thumbnail px: enough for smooth scaling
STRIP_PX = 1 << 17  # read and converted in about 5 ms
MARGIN = 0.35  # around the hole, relative to its longer side


class Images(Protocol):
    @property
    def extent(self) -> Extent: ...
    def view(self, box: Box, step: int) -> QtGui.QImage: ...
    def thumbnail(
        self, layer_id: str, box: Box, step: int, scratch: Scratch
    ) -> QtGui.QImage | None: ...
    def is_attached(self, layer_id: str) -> bool: ...


def region(hole: Box, canvas: Box) -> Box:
    """Return a square around the hole, moved into the canvas."""
    side = round(hole.extent.longest * (1 + 2 * MARGIN))
    x = hole.x + (hole.width - side) // 2
    y = hole.y + (hole.height - side) // 2
    return Box(x, y, side, side).moved_into(canvas)


class Thumbnails:
    """Draws in `draw` only: a widget must not access the document while it is painted.

    `draw` is a generator: each `yield` returns control to Krita after one strip.
    """

    def __init__(self, images: Images, scratch: Scratch) -> None:
        self._images = images
        self._scratch = scratch
        self._drawn: dict[tuple[str, str], QtGui.QImage] = {}
        self._unmixed: dict[tuple[str, str], QtGui.QImage] = {}
        self._backdrops: dict[str, QtGui.QImage] = {}

    def get(self, run: PastRun, position: int) -> QtGui.QImage | None:
        """Return the thumbnail drawn last; None if there is none."""
        return self._drawn.get((run.key, run.results[position].layer))

    def unmixed(self, run: PastRun) -> QtGui.QImage | None:
        """Return the chosen result as it was drawn before mixing; None if it was mixed already."""
        if not run.results:
            return None
        return self._unmixed.get((run.key, run.results[run.chosen].layer))

    def draw(self, run: PastRun, position: int) -> Generator[None, None, None]:
        result = run.results[position]
        area = region(run.hole_box, Box.of_extent(self._images.extent))
        layer = result.layer
        if run.kept and position == run.chosen and not self._images.is_attached(layer):
            layer = run.kept
        box = run.hole_box
        step = max(1, area.extent.longest // (DETAIL * SIDE))
        parts = []
        for strip in _strips(box, step):
            part = self._images.thumbnail(layer, strip, step, self._scratch)
            if part is None:
                return
            parts.append(part)
            yield
        if run.key not in self._backdrops:
            views = []
            for strip in _strips(area, step):
                views.append(self._images.view(strip, step))
                yield
            self._backdrops[run.key] = joined(views, _size(area, area))
        image = self._backdrops[run.key].copy()
        scale = SIDE / area.extent.longest
        painter = QtGui.QPainter(image)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(
            QtCore.QRectF(*(scale * value for value in box.relative(area))),
            joined(parts, _size(box, area)),
        )
        painter.end()
        self._drawn[run.key, result.layer] = image
        if not result.mix.is_on:
            self._unmixed[run.key, result.layer] = image

    def forget(self, run: PastRun) -> None:
        """Discard a run's thumbnails and backdrop, so that they are drawn again."""
        self._backdrops.pop(run.key, None)
        for images in (self._drawn, self._unmixed):
            for key in [key for key in images if key[0] == run.key]:
                del images[key]


def _strips(box: Box, step: int) -> Iterator[Box]:
    """Yield strips of complete squares of `step` px; the last one may be incomplete."""
    return box.strips(step * max(1, STRIP_PX // (step * box.width)))


def _size(box: Box, area: Box) -> Extent:
    """Return the size of a box in a thumbnail of `area`."""
    scale = SIDE / area.extent.longest
    return Extent(max(1, round(box.width * scale)), max(1, round(box.height * scale)))


def joined(strips: Sequence[QtGui.QImage], extent: Extent) -> QtGui.QImage:
    """Return the strips as one image, scaled to `extent`."""
    image = QtGui.QImage(
        strips[0].width(),
        sum(strip.height() for strip in strips),
        QtGui.QImage.Format.Format_ARGB32_Premultiplied,
    )
    image.fill(0)
    painter = QtGui.QPainter(image)
    y = 0
    for strip in strips:
        painter.drawImage(0, y, strip)
        y += strip.height()
    painter.end()
    return image.scaled(
        *extent,
        QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )
