"""A bubble that points at a widget of the docker.

It is a window of the kind of a tooltip: a window manager neither moves nor activates it, on Wayland
it belongs to the window that it points into, and a click on it leaves the keyboard to the canvas.
So Escape is noticed in the windows below it, and they get it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from ..host.guard import connect, guarded, guarded_or, later
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import tr
from .parts import IconButton, column, muted, row

WIDTH = 250  # px, with the pointer on either side
TIP = 8  # px: length of the pointer, and half of its width
RADIUS = 4  # px
ROOM = 10  # px: between the edge and the words
SETTLED_MS = 300  # for layouts

_MOVES = {
    QtCore.QEvent.Type.Move,
    QtCore.QEvent.Type.Resize,
    QtCore.QEvent.Type.Show,
    QtCore.QEvent.Type.Hide,
    QtCore.QEvent.Type.ParentChange,
    QtCore.QEvent.Type.WindowStateChange,
    QtCore.QEvent.Type.WindowBlocked,  # by a dialog
    QtCore.QEvent.Type.WindowUnblocked,
}


class Side(Enum):
    """The side of the bubble on which its pointer is."""

    LEFT = auto()
    RIGHT = auto()
    TOP = auto()


class Placement(NamedTuple):
    """Where a bubble is, in px of the screen, and where its pointer ends along that side."""

    corner: QtCore.QPoint
    side: Side
    tip: int


def place(
    target: QtCore.QRect, docker: QtCore.QRect, size: QtCore.QSize, screen: QtCore.QRect
) -> Placement:
    """Place a bubble beside the docker, on the side with more room; without room, below the target.

    Args:
        target: what it points at, inside the docker.
        docker: what it must not cover.
        size: of the bubble.
        screen: where it must stay.
    """
    lowest = screen.bottom() + 1 - size.height()
    left, right = docker.left() - screen.left(), screen.right() - docker.right()
    if max(left, right) < size.width():
        farthest = screen.right() + 1 - size.width()
        x = max(screen.left(), min(target.center().x() - size.width() // 2, farthest))
        corner = QtCore.QPoint(x, min(target.bottom() + 1, lowest))
        return Placement(corner, Side.TOP, _tip(target.center().x() - x, size.width()))
    is_left = left >= right
    x = docker.left() - size.width() if is_left else docker.right() + 1
    middle = target.center().y()
    y = max(screen.top(), min(middle - size.height() // 3, lowest))
    side = Side.RIGHT if is_left else Side.LEFT
    return Placement(QtCore.QPoint(x, y), side, _tip(middle - y, size.height()))


def _tip(place: int, length: int) -> int:
    """Keep the pointer clear of the rounded corners."""
    margin = 2 * TIP + RADIUS
    return max(margin, min(place, length - margin))


class Bubble(QtWidgets.QWidget):
    """Words, a button that goes on, and perhaps one that offers something."""

    onward = QtCore.pyqtSignal()
    closed = QtCore.pyqtSignal()
    accepted = QtCore.pyqtSignal()  # what the other button offers

    def __init__(
        self, docker: QtWidgets.QWidget, reveal: Callable[[QtWidgets.QWidget], None]
    ) -> None:
        """Start hidden.

        Args:
            docker: what bubbles are placed beside.
            reveal: scrolls to a widget.
        """
        flags = Qt.WindowType
        super().__init__(docker, flags.ToolTip | flags.WindowDoesNotAcceptFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self._docker = docker
        self._reveal = reveal
        self._is_new = False  # what it points at: it is scrolled to until layouts have settled
        self._targets: tuple[QtWidgets.QWidget, ...] = ()
        self._watch: _Watch | None = None
        self._shape = QtGui.QPolygonF()
        self._is_away = False  # Krita is behind another application
        self._is_due = False  # it is going to be placed
        self.words = QtWidgets.QLabel()
        self.words.setWordWrap(True)
        self.close_button = IconButton("cross", tr("End the tour"))
        self.place_words = muted(QtWidgets.QLabel())
        self.offer = QtWidgets.QPushButton()  # its text and tooltip are the owner's
        self.next = QtWidgets.QPushButton(tr("Next"))
        self.next.setToolTip(tr("Go on with the tour"))
        for button in (self.close_button, self.offer, self.next):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        connect(self.close_button.clicked, lambda: self.closed.emit())
        connect(self.offer.clicked, lambda: self.accepted.emit())
        connect(self.next.clicked, lambda: self.onward.emit())
        top = row()
        top.addWidget(self.words, 1)
        top.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        bottom = row()
        bottom.addWidget(self.place_words)
        bottom.addStretch(1)
        bottom.addWidget(self.next)
        layout = column(self)
        layout.setContentsMargins(TIP + ROOM, TIP + ROOM - 2, TIP + ROOM - 4, TIP + ROOM - 2)
        layout.addLayout(top)
        layout.addWidget(self.offer)
        layout.addLayout(bottom)
        application = QtWidgets.QApplication.instance()
        if isinstance(application, QtWidgets.QApplication):
            connect(application.applicationStateChanged, self._take_application_state)

    def say(self, words: str, place_words: str, onward: str, has_offer: bool) -> None:
        """Set the texts, and show the button of the offer or not."""
        self.words.setText(words)
        self.place_words.setText(place_words)
        self.next.setText(onward)
        self.offer.setVisible(has_offer)
        self.setAccessibleName(words)

    def point_at(self, *targets: QtWidgets.QWidget) -> None:
        """Point at the first of these widgets that is shown, and follow it, until `leave`.

        Scroll to it, unless the targets are the same as before.
        """
        self._is_new = self._is_new or targets != self._targets
        self._targets = targets
        if self._watch is None:
            self._watch = _Watch(self)
            connect(self._watch.moved, self._place_soon)
            connect(self._watch.escaped, self._take_escape)
        self._place_soon()

    def leave(self) -> None:
        self._targets = ()
        if self._watch is not None:
            self._watch.deleteLater()
            self._watch = None
        self.hide()

    # -- following -----------------------------------------------------------------------------

    def _take_escape(self) -> None:
        if self.isVisible():
            self.closed.emit()

    def _take_application_state(self, state: Qt.ApplicationState) -> None:
        self._is_away = state != Qt.ApplicationState.ApplicationActive
        self._place_soon()

    def _place_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            later(0, self._place)

    def _place(self) -> None:
        self._is_due = False
        if self._watch is None:
            return  # it has left
        for each in self._targets:
            self._watch.add(each)  # again, since the docker may have moved to another window
        target = next((each for each in self._targets if each.isVisible()), None)
        if target is not None and self._is_new:
            self._reveal(target)
        seen = target.visibleRegion().boundingRect() if target is not None else QtCore.QRect()
        screen = self._docker.screen()
        # A window of this kind would stay above other applications and dialogs.
        is_behind = self._is_away or QtWidgets.QApplication.activeModalWidget() is not None
        if is_behind or target is None or seen.isEmpty() or screen is None:
            self.hide()
            return
        self.setFont(self._docker.font())  # smaller than that of Krita's windows
        size = self._size()
        placement = place(
            QtCore.QRect(target.mapToGlobal(seen.topLeft()), seen.size()),
            QtCore.QRect(self._docker.mapToGlobal(QtCore.QPoint()), self._docker.size()),
            size,
            screen.availableGeometry(),
        )
        self._shape = _shape(size, placement)
        self.setMask(QtGui.QRegion(self._shape.toPolygon()))
        self.setGeometry(QtCore.QRect(placement.corner, size))
        self._belong_to(target.window())
        if not self.isVisible():
            self.show()
            self.raise_()
        self.update()
        if self._is_new:
            later(SETTLED_MS, self._settle)

    def _settle(self) -> None:
        self._is_new = False

    def _belong_to(self, window: QtWidgets.QWidget | None) -> None:
        """Stay above the docker's window and move with it, also where it floats."""
        self.winId()  # creates the window
        handle, owner = self.windowHandle(), window.windowHandle() if window else None
        if handle is not None and owner is not None and handle.transientParent() is not owner:
            self.hide()
            handle.setTransientParent(owner)

    def _size(self) -> QtCore.QSize:
        layout = self.layout()
        assert layout is not None
        layout.invalidate()
        return QtCore.QSize(WIDTH, layout.totalHeightForWidth(WIDTH))

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        palette, role = self.palette(), QtGui.QPalette.ColorRole
        painter.fillRect(self.rect(), palette.color(role.Highlight))
        painter.setPen(QtGui.QPen(palette.color(role.Highlight), 3))
        painter.setBrush(palette.color(role.Window))
        painter.drawPolygon(self._shape)


class _Watch(QtCore.QObject):
    """An event filter for all that can move a widget, and for the keys of the windows it is in.

    Its filters end when it is deleted; some of what they watch may be gone by then.
    """

    moved = QtCore.pyqtSignal()
    escaped = QtCore.pyqtSignal()

    def add(self, widget: QtWidgets.QWidget) -> None:
        """Watch a widget; may be called again."""
        for each in _upward(widget):
            each.installEventFilter(self)

    @guarded_or(False)
    def eventFilter(self, watched: QtCore.QObject | None, event: QtCore.QEvent | None) -> bool:
        if event is None:
            return False
        if event.type() in _MOVES:
            self.moved.emit()
        elif isinstance(watched, QtGui.QWindow) and _is_escape(event):
            self.escaped.emit()
        return False


def _is_escape(event: QtCore.QEvent) -> bool:
    is_press = event.type() == QtCore.QEvent.Type.KeyPress
    return is_press and isinstance(event, QtGui.QKeyEvent) and event.key() == Qt.Key.Key_Escape


def _upward(widget: QtWidgets.QWidget) -> Iterator[QtCore.QObject]:
    """Yield a widget, all that it is in, and their windows; a floating docker has two."""
    each: QtWidgets.QWidget | None = widget
    while each is not None:
        yield each
        if each.isWindow() and (handle := each.windowHandle()) is not None:
            yield handle
        each = each.parentWidget()


def _shape(size: QtCore.QSize, placement: Placement) -> QtGui.QPolygonF:
    body = QtCore.QRectF(QtCore.QPointF(), QtCore.QSizeF(size)).adjusted(TIP, TIP, -TIP, -TIP)
    path, pointer = QtGui.QPainterPath(), QtGui.QPainterPath()
    path.addRoundedRect(body, RADIUS, RADIUS)
    tip = placement.tip
    ends = {
        Side.LEFT: (QtCore.QPointF(0, tip), body.left(), None),
        Side.RIGHT: (QtCore.QPointF(size.width(), tip), body.right(), None),
        Side.TOP: (QtCore.QPointF(tip, 0), None, body.top()),
    }
    end, x, y = ends[placement.side]
    pointer.moveTo(end)
    for shift in (-TIP, TIP):
        if x is not None:
            pointer.lineTo(x, tip + shift)
        elif y is not None:
            pointer.lineTo(tip + shift, y)
    pointer.closeSubpath()
    return path.united(pointer).simplified().toFillPolygon()
