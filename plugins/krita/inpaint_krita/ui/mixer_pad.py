"""The mixer pad: thumbnails of four candidates in the corners of a square, and a dot to drag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inpaint_client.session.mixer_pad import MixerPad

from ..host.guard import connect, guarded, guarded_or
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import number, tr

SIDE = 192  # px; fits into the narrowest docker, and keeps it short
THUMBNAIL = 0.4  # of the side
ARROW = 16  # px: side of the button in a thumbnail that opens the menu of its corner
DOT = 6.5  # px: radius
FAINT = 70  # alpha of the border
STEP = 0.05  # of an arrow key; a fifth of it with Shift

Pad = MixerPad[str]  # the keys are the layers of results


@dataclass(frozen=True)
class Candidate:
    """A candidate that can be in a corner."""

    layer: str
    label: str
    thumbnail: QtGui.QImage | None = None  # None = not drawn yet, or unknown


class PadView(QtWidgets.QWidget):
    """Emits `moved` while the artist drags the dot, and `rested` when it is released."""

    moved = QtCore.pyqtSignal(object)  # MixerPad
    corner_chosen = QtCore.pyqtSignal(object)  # MixerPad with another candidate in a corner
    rested = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.pad: Pad = MixerPad(("", "", ""))
        self.own = Candidate("", "")  # the chosen candidate, in the top left corner
        self.others: Sequence[Candidate] = ()  # for the other corners
        self._is_held = False
        self.setFixedHeight(SIDE)
        self.setMinimumWidth(SIDE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Mixer pad"))

    def draw(self, pad: Pad, own: Candidate, others: Sequence[Candidate]) -> None:
        """Show the candidates and, unless it is being dragged, the dot."""
        self.pad = self.pad if self._is_held else pad
        self.own, self.others = own, others
        self.setAccessibleDescription(self.shares_in_words())
        self.update()

    @property
    def is_held(self) -> bool:
        """Whether the dot is being dragged."""
        return self._is_held

    def shares_in_words(self) -> str:
        """Return the shares, for example "1 · seed 5: 40%, 2 · seed 6: 60%"."""
        shares = (1 - sum(self.pad.shares), *self.pad.shares)
        return ", ".join(
            tr("{candidate}: {share}%").format(
                candidate=self._in(corner).label, share=number(str(round(100 * share)))
            )
            for corner, share in zip((None, 0, 1, 2), shares, strict=True)
            if share > 0
        )

    # -- geometry ----------------------------------------------------------------------------

    def square(self) -> QtCore.QRectF:
        """Return the square, in the middle of the widget."""
        side = min(self.width(), self.height())
        return QtCore.QRectF((self.width() - side) / 2, 0, side, side)

    def place(self, x: float, y: float) -> QtCore.QPointF:
        """Return where the dot is for a position in the pad."""
        area = self._of_dot()
        return QtCore.QPointF(area.x() + x * area.width(), area.y() + y * area.height())

    def thumbnail_box(self, corner: int | None) -> QtCore.QRectF:
        """Return the box of a corner's thumbnail; None is the chosen candidate's corner."""
        square = self.square()
        side = THUMBNAIL * square.width()
        box = QtCore.QRectF(0, 0, side, side)
        box.moveTopLeft(square.topLeft())
        if corner in (0, 2):
            box.moveRight(square.right())
        if corner in (1, 2):
            box.moveBottom(square.bottom())
        return box

    def arrow_box(self, corner: int) -> QtCore.QRectF:
        """Return the box of a corner's button, in its thumbnail's inner corner."""
        thumbnail = self.thumbnail_box(corner)
        box = QtCore.QRectF(0, 0, ARROW, ARROW)
        if corner == 0:
            box.moveBottomLeft(thumbnail.bottomLeft())
        elif corner == 1:
            box.moveTopRight(thumbnail.topRight())
        else:
            box.moveTopLeft(thumbnail.topLeft())
        return box

    def _of_dot(self) -> QtCore.QRectF:
        """Return the area in which the middle of the dot moves."""
        inset = DOT + 2
        return self.square().adjusted(inset, inset, -inset, -inset)

    def _corner_at(self, place: QtCore.QPointF) -> int | None:
        return next((c for c in range(3) if self.thumbnail_box(c).contains(place)), None)

    def _in(self, corner: int | None) -> Candidate:
        """Return the candidate in a corner."""
        if corner is None:
            return self.own
        layer = self.pad.corners[corner]
        gone = Candidate(layer, tr("Deleted layer"))
        return next((each for each in self.others if each.layer == layer), gone)

    # -- drawing -----------------------------------------------------------------------------

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        hints = QtGui.QPainter.RenderHint
        painter.setRenderHints(hints.Antialiasing | hints.SmoothPixmapTransform)
        if not self.isEnabled():
            painter.setOpacity(0.4)
        role = QtGui.QPalette.ColorRole
        painter.fillRect(self.square(), self.palette().color(role.Base))
        for corner in (None, 0, 1, 2):
            self._paint_corner(painter, corner)
        border = self.palette().color(role.Highlight if self.hasFocus() else role.WindowText)
        border.setAlpha(255 if self.hasFocus() else FAINT)
        painter.setPen(QtGui.QPen(border, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self.square().adjusted(0.5, 0.5, -0.5, -0.5))
        self._paint_dot(painter)

    def _paint_corner(self, painter: QtGui.QPainter, corner: int | None) -> None:
        palette, role = self.palette(), QtGui.QPalette.ColorRole
        box = self.thumbnail_box(corner)
        if corner is not None and not self.pad.corners[corner]:
            return  # the mean of its neighbors
        image = self._in(corner).thumbnail
        painter.fillRect(box, palette.color(role.AlternateBase))
        if image is None:
            painter.setPen(palette.color(role.Text))
            number_of = self._in(corner).label.partition(" ")[0]
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), number_of)
        else:
            size = QtCore.QSizeF(image.size()).scaled(
                box.size(), Qt.AspectRatioMode.KeepAspectRatio
            )
            target = QtCore.QRectF(QtCore.QPointF(), size)
            target.moveCenter(box.center())
            painter.drawImage(target, image)
        if corner is None:
            pen = QtGui.QPen(palette.color(role.Highlight), 2)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box.adjusted(1, 1, -1, -1))
        else:
            self._paint_arrow(painter, self.arrow_box(corner))

    def _paint_arrow(self, painter: QtGui.QPainter, box: QtCore.QRectF) -> None:
        painter.fillRect(box, QtGui.QColor(0, 0, 0, 150))
        middle, half = box.center(), 3.5
        painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1.5))
        painter.drawPolyline(
            QtGui.QPolygonF(
                [
                    QtCore.QPointF(middle.x() - half, middle.y() - half / 2),
                    QtCore.QPointF(middle.x(), middle.y() + half / 2),
                    QtCore.QPointF(middle.x() + half, middle.y() - half / 2),
                ]
            )
        )

    def _paint_dot(self, painter: QtGui.QPainter) -> None:
        """Paint the dot with a light and a dark ring, to be seen on every image."""
        place = self.place(self.pad.x, self.pad.y)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QtGui.QPen(QtGui.QColor(0, 0, 0, 150), 1))
        painter.drawEllipse(place, DOT + 1, DOT + 1)
        painter.setPen(QtGui.QPen(QtGui.QColor("white"), 1.8))
        painter.setBrush(self.palette().color(QtGui.QPalette.ColorRole.Highlight))
        painter.drawEllipse(place, DOT - 0.4, DOT - 0.4)

    # -- mouse and keys ----------------------------------------------------------------------

    @guarded
    def mousePressEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        place = QtCore.QPointF(event.pos())
        corner = self._corner_at(place)
        if (
            corner is not None
            and self.pad.corners[corner]
            and self.arrow_box(corner).contains(place)
        ):
            self._menu_of(corner).popup(self.mapToGlobal(event.pos()))
            return
        self._is_held = True
        self._drag_to(place)

    @guarded
    def mouseMoveEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is not None and self._is_held:
            self._drag_to(QtCore.QPointF(event.pos()))

    @guarded
    def mouseReleaseEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if self._is_held:
            self._is_held = False
            self.rested.emit()

    @guarded
    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent | None) -> None:
        self._step_to(0.0, 0.0)

    def _drag_to(self, place: QtCore.QPointF) -> None:
        area = self._of_dot()
        self._go_to(
            self.pad.moved(
                (place.x() - area.x()) / area.width(), (place.y() - area.y()) / area.height()
            )
        )

    def _go_to(self, pad: Pad) -> None:
        if pad != self.pad:
            self.pad = pad
            self.setAccessibleDescription(self.shares_in_words())
            self.update()
            self.moved.emit(pad)

    def _step_to(self, x: float, y: float) -> None:
        self._go_to(self.pad.moved(x, y, snap=0.0))
        self.rested.emit()

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        """Override Krita's shortcuts of the pad's keys; show the shares in the tooltip."""
        kinds = QtCore.QEvent.Type
        if (
            isinstance(event, QtGui.QKeyEvent)
            and event.type() == kinds.ShortcutOverride
            and self._step_of(event) is not None
        ):
            event.accept()
            return True
        return bool(super().event(event))

    @guarded
    def keyPressEvent(self, event: QtGui.QKeyEvent | None) -> None:
        if event is None:
            return
        if (step := self._step_of(event)) is not None:
            self._step_to(*step)
        else:
            super().keyPressEvent(event)

    def _step_of(self, event: QtGui.QKeyEvent) -> tuple[float, float] | None:
        """Return where a key moves the dot; None for other keys."""
        key = Qt.Key
        is_fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        by = STEP / 5 if is_fine else STEP
        steps = {
            int(key.Key_Left): (-by, 0.0),
            int(key.Key_Right): (by, 0.0),
            int(key.Key_Up): (0.0, -by),
            int(key.Key_Down): (0.0, by),
        }
        if event.key() == key.Key_Home:
            return 0.0, 0.0
        if event.key() not in steps:
            return None
        dx, dy = steps[event.key()]
        return self.pad.x + dx, self.pad.y + dy

    # -- choosing the candidates in the corners ----------------------------------------------

    @guarded
    def contextMenuEvent(self, event: QtGui.QContextMenuEvent | None) -> None:
        if event is None:
            return
        corner = self._corner_at(QtCore.QPointF(event.pos()))
        if event.reason() != QtGui.QContextMenuEvent.Reason.Keyboard:
            if corner is not None and self.pad.corners[corner]:
                self._menu_of(corner).popup(event.globalPos())
            return
        menu = _menu(self)
        for corner, title in enumerate((tr("Top right"), tr("Bottom left"), tr("Bottom right"))):
            if self.pad.corners[corner] and (inner := menu.addMenu(title)) is not None:
                self._fill(inner, corner)
        menu.popup(self.mapToGlobal(self.rect().center()))

    def _menu_of(self, corner: int) -> QtWidgets.QMenu:
        menu = _menu(self)
        self._fill(menu, corner)
        return menu

    def _fill(self, menu: QtWidgets.QMenu, corner: int) -> None:
        """Add the candidates, with the one that is in the corner checked."""
        for candidate in self.others:
            action = menu.addAction(candidate.label.replace("&", "&&"))
            assert action is not None
            action.setCheckable(True)
            action.setChecked(candidate.layer == self.pad.corners[corner])
            connect(
                action.triggered,
                lambda _, layer=candidate.layer: self._choose(corner, layer),
            )

    def _choose(self, corner: int, layer: str) -> None:
        pad = self.pad.with_corner(corner, layer)
        if pad != self.pad:
            self.pad = pad
            self.update()
            self.corner_chosen.emit(pad)


def what_it_does() -> str:
    return tr(
        "Drag the dot to mix the candidates in the corners; in the top left corner, this candidate "
        "is unchanged. The arrow in a corner chooses another candidate. Keys: arrows to move the "
        "dot, with Shift in small steps, Home to put it back."
    )


def _menu(parent: QtWidgets.QWidget) -> QtWidgets.QMenu:
    menu = QtWidgets.QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return menu
