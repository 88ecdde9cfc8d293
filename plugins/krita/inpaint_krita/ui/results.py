"""The candidates of a run as thumbnails, with seeds and stars."""

from __future__ import annotations

from inpaint_client.session.abilities import why_single
from inpaint_client.session.history import PastRun, Result
from inpaint_client.session.ranking import described, is_ranked

from ..app.state import State, Strip
from ..host.guard import connect, guarded, guarded_or
from ..host.qt import Qt, QtCore, QtGui, QtWidgets
from ..text import say, tr
from .icons import paint_star
from .narrow import ElidedButton, FoldingRow
from .parts import MUTED, IconButton, column, named

CELL = 88  # px: minimum side of a thumbnail, which grows with the docker
CAPTION = 17
GAP = 4
STAR = 18
GAUGE = 4  # px: height of the bar that shows the likeness


class Grid(QtWidgets.QWidget):
    """A grid with as many columns as fit. It shows all rows, so that the docker scrolls, not it."""

    chosen = QtCore.pyqtSignal(int)
    starred = QtCore.pyqtSignal(int)
    deleted = QtCore.pyqtSignal(int)
    sheet_wanted = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.strip = Strip()
        self._hover = -1
        self._may_delete = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        policy = QtWidgets.QSizePolicy(
            QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Minimum
        )
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def draw(self, strip: Strip, may_delete: bool = False) -> None:
        self._may_delete = may_delete
        before, self.strip = self.strip, strip
        if strip.count != before.count:
            self.updateGeometry()
        self.update()

    # -- geometry ----------------------------------------------------------------------------

    def cell(self, position: int) -> QtCore.QRect:
        side = self._side(self.width())
        line, place = divmod(self.strip.order.index(position), self._columns(self.width()))
        return QtCore.QRect(
            place * (side + GAP), line * (side + CAPTION + GAP), side, side + CAPTION
        )

    def star_box(self, position: int) -> QtCore.QRect:
        cell = self.cell(position)
        return QtCore.QRect(cell.right() - STAR - 3, cell.top() + 3, STAR, STAR)

    @guarded_or(True)
    def hasHeightForWidth(self) -> bool:
        return True

    @guarded_or(CELL)
    def heightForWidth(self, width: int) -> int:
        lines = -(-self.strip.count // self._columns(width))
        return max(1, lines) * (self._side(width) + CAPTION + GAP)

    @guarded_or(QtCore.QSize(CELL, CELL))
    def sizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(2 * (CELL + GAP), self.heightForWidth(max(self.width(), 2 * CELL)))

    @guarded_or(QtCore.QSize(CELL, CELL))
    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(CELL, self.heightForWidth(max(self.width(), 2 * CELL)))

    def _columns(self, width: int) -> int:
        """Return as many columns as fit, or fewer to balance the rows: 2 + 2, not 3 + 1."""
        most = max(1, (width + GAP) // (CELL + GAP))
        count = self.strip.count
        lines = -(-count // most)
        return max(1, -(-count // max(1, lines)))

    def _side(self, width: int) -> int:
        columns = self._columns(width)
        return max(16, (width - (columns - 1) * GAP) // columns)

    def _at(self, place: QtCore.QPoint) -> int:
        return next((i for i in range(self.strip.count) if self.cell(i).contains(place)), -1)

    # -- drawing -----------------------------------------------------------------------------

    @guarded
    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter = QtGui.QPainter(self)
        hints = QtGui.QPainter.RenderHint
        painter.setRenderHints(hints.Antialiasing | hints.SmoothPixmapTransform)
        if self.strip.run is not None:
            for position, image in enumerate(self.strip.thumbnails):
                self._paint_cell(painter, self.strip.run, position, image)

    def _paint_cell(
        self, painter: QtGui.QPainter, run: PastRun, position: int, image: QtGui.QImage | None
    ) -> None:
        result = run.results[position]
        cell = self.cell(position)
        area = QtCore.QRect(cell.left(), cell.top(), cell.width(), cell.width())
        palette = self.palette()
        role = QtGui.QPalette.ColorRole
        chosen = position == run.chosen
        missing = self.strip.missing
        is_kept = chosen and bool(run.kept) and run.kept not in missing
        gone = result.layer in missing and not is_kept
        painter.setOpacity(0.35 if gone else 1.0)
        if image is None:
            painter.fillRect(area, palette.color(role.AlternateBase))
            painter.setPen(palette.color(QtGui.QPalette.ColorGroup.Disabled, role.Text))
            if not gone:  # else no thumbnail will follow
                painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), "…")
        else:
            size = image.size()
            size.scale(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
            target = QtCore.QRect(QtCore.QPoint(0, 0), size)
            target.moveCenter(area.center())
            painter.fillRect(area, palette.color(role.AlternateBase))
            painter.drawImage(target, image)
        if chosen or position == self._hover:
            pen = QtGui.QPen(palette.color(role.Highlight), 3 if chosen else 1.5)
            pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            inset = 1.5 if chosen else 0.75
            painter.drawRect(QtCore.QRectF(area).adjusted(inset, inset, -inset, -inset))
        if image is not None and result.scores.likeness is not None:
            self._paint_gauge(painter, area, result.scores.likeness)
        if image is not None and (result.starred or position == self._hover):
            paint_star(painter, QtCore.QRectF(self.star_box(position)), result.starred)
        caption = QtCore.QRect(cell.left(), area.bottom() + 1, cell.width(), CAPTION)
        painter.setOpacity(MUTED if gone else 1.0)
        painter.setPen(palette.color(QtGui.QPalette.ColorGroup.Active, role.WindowText))
        painter.drawText(caption, int(Qt.AlignmentFlag.AlignCenter), caption_of(result))
        painter.setOpacity(1.0)

    def _paint_gauge(self, painter: QtGui.QPainter, area: QtCore.QRect, share: float) -> None:
        """Draw a bar at the bottom of a thumbnail, filled up to a share of 0..1."""
        bar = QtCore.QRectF(area.left(), area.bottom() + 1 - GAUGE, area.width(), GAUGE)
        painter.fillRect(bar, QtGui.QColor(0, 0, 0, 140))
        bar.setWidth(share * bar.width())
        painter.fillRect(bar, self.palette().color(QtGui.QPalette.ColorRole.Highlight))

    # -- mouse and keys ----------------------------------------------------------------------

    @guarded
    def mousePressEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        position = self._at(event.pos())
        if position < 0:
            return
        if self.star_box(position).contains(event.pos()):
            self.starred.emit(position)
        else:
            self.chosen.emit(position)

    @guarded
    def mouseMoveEvent(self, event: QtGui.QMouseEvent | None) -> None:
        if event is None:
            return
        position = self._at(event.pos())
        if position != self._hover:
            self._hover = position
            self.update()

    @guarded
    def leaveEvent(self, event: QtCore.QEvent | None) -> None:
        self._hover = -1
        self.update()

    @guarded_or(False)
    def event(self, event: QtCore.QEvent | None) -> bool:
        """Explain scores, and override Krita's Delete, which clears pixels of the active layer."""
        if isinstance(event, QtGui.QHelpEvent) and event.type() == QtCore.QEvent.Type.ToolTip:
            text = self._scores_at(event.pos())
            if text:
                QtWidgets.QToolTip.showText(event.globalPos(), text, self)
                return True
        if (
            isinstance(event, QtGui.QKeyEvent)
            and event.type() == QtCore.QEvent.Type.ShortcutOverride
            and event.key() == Qt.Key.Key_Delete
        ):
            event.accept()
            return True
        return bool(super().event(event))

    def _scores_at(self, place: QtCore.QPoint) -> str:
        """Return the scores of the result at a place, in words; empty if there are none."""
        run, position = self.strip.run, self._at(place)
        if run is None or position < 0:
            return ""
        return "\n".join(map(say, described(run.results[position].scores)))

    @guarded
    def contextMenuEvent(self, event: QtGui.QContextMenuEvent | None) -> None:
        run = self.strip.run
        position = -1 if event is None else self._at(event.pos())
        if event is None or run is None or position < 0:
            return
        menu = QtWidgets.QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        star = menu.addAction(
            tr("Remove star") if run.results[position].starred else tr("Add star")
        )
        delete = menu.addAction(tr("Delete this candidate"))
        menu.addSeparator()
        sheet = menu.addAction(tr("Save contact sheet…"))
        assert sheet is not None
        connect(sheet.triggered, lambda: self.sheet_wanted.emit())
        assert star is not None
        assert delete is not None
        connect(star.triggered, lambda: self.starred.emit(position))
        connect(delete.triggered, lambda: self.deleted.emit(position))
        delete.setEnabled(self._may_delete)
        menu.popup(event.globalPos())

    @guarded
    def keyPressEvent(self, event: QtGui.QKeyEvent | None) -> None:
        run, count, columns = self.strip.run, self.strip.count, self._columns(self.width())
        if event is None or run is None or not count:
            return
        key = Qt.Key
        steps = {key.Key_Left: -1, key.Key_Right: 1, key.Key_Up: -columns, key.Key_Down: columns}
        pressed = key(event.key()) if event.key() in set(map(int, steps)) else None
        if pressed is not None:
            place = self.strip.order.index(run.chosen) + steps[pressed]
            if 0 <= place < count:
                self.chosen.emit(self.strip.order[place])
        elif event.text() == "*":
            self.starred.emit(run.chosen)
        elif event.key() == key.Key_Delete:
            if self._may_delete:
                self.deleted.emit(run.chosen)
        else:
            super().keyPressEvent(event)


def caption_of(result: Result) -> str:
    """Return the caption of a thumbnail."""
    if result.is_smooth:
        return tr("smooth")
    return str(result.seed) + (" ✎" if any(result.edits.values()) else "")


class Results(QtWidgets.QWidget):
    chosen = QtCore.pyqtSignal(int)
    starred = QtCore.pyqtSignal(int)
    compared = QtCore.pyqtSignal(bool)
    kept = QtCore.pyqtSignal()
    deleted = QtCore.pyqtSignal(int)
    more_wanted = QtCore.pyqtSignal()
    sheet_wanted = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.grid = named(
            Grid(),
            tr("Candidates"),
            tr(
                "Click a candidate to show it on the canvas. Keys: arrows to choose, * to "
                "star, Delete to delete."
            ),
        )
        connect(self.grid.chosen, self.chosen)
        connect(self.grid.starred, self.starred)
        connect(self.grid.deleted, self.deleted)
        connect(self.grid.sheet_wanted, self.sheet_wanted)
        self.compare = _LabeledButton("eye", tr("Hold to compare"))
        self.compare.setToolTip(tr("Show the image without the fill while you hold the button"))
        connect(self.compare.pressed, lambda: self.compared.emit(True))
        connect(self.compare.released, lambda: self.compared.emit(False))
        self.keep = _LabeledButton("check", tr("Keep this one"))
        connect(self.keep.clicked, lambda: self.kept.emit())
        self.more = ElidedButton(tr("More candidates"))
        connect(self.more.clicked, lambda: self.more_wanted.emit())
        self.note = QtWidgets.QLabel()
        self.note.setWordWrap(True)
        layout = column(self)
        layout.addWidget(self.note)
        layout.addWidget(self.grid)
        layout.addWidget(FoldingRow(self.compare, self.keep))
        layout.addWidget(self.more)

    def draw(self, state: State) -> None:
        attached = state.run_is_attached
        may_change = attached and not state.run_is_kept and not state.progress.is_running
        self.grid.setVisible(state.strip.count > 0)
        self.grid.setEnabled(attached)
        self.grid.draw(state.strip, may_change)
        for button in (self.compare, self.keep, self.more):
            button.setVisible(attached)
        self.compare.setEnabled(attached)
        self.keep.setEnabled(may_change)
        single = why_single(state.run_model)
        self.more.setEnabled(may_change and single is None)
        self.more.setToolTip(
            tr("Add candidates for the same selection and settings, with new seeds")
            if single is None
            else say(single)
        )
        self._draw_keep(state.starred)
        self.note.setText(_note(state))
        self.note.setVisible(bool(self.note.text()))

    def _draw_keep(self, starred: int) -> None:
        if starred:
            self.keep.setText(tr("Keep starred ({count})").format(count=starred))
            self.keep.setToolTip(
                tr(
                    "Keep each starred candidate as a layer and remove the others. Undo restores "
                    "them."
                )
            )
        else:
            self.keep.setText(tr("Keep this one"))
            self.keep.setToolTip(
                tr(
                    "Keep the chosen candidate as a layer and remove the others. Undo restores "
                    "them."
                )
            )


class _LabeledButton(ElidedButton):
    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self._name = name
        self._icon = IconButton(name, text, self)
        self._icon.hide()
        self.setIcon(self._icon.icon())

    @guarded
    def changeEvent(self, event: QtCore.QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QtCore.QEvent.Type.PaletteChange:
            self.setIcon(self._icon.icon())


def _note(state: State) -> str:
    run, can_return = state.run, state.strip.can_return
    if run is None:  # empty_state says what to do
        return ""
    if not state.run_is_attached:
        if can_return:
            return tr("This run was undone or deleted. Undo or redo in Krita can restore it.")
        return tr("The layers of this run are no longer in the image.")
    if not state.run_is_kept:
        is_over = not state.progress.is_running
        return (
            tr("The most natural candidate is first.") if is_over and is_ranked(run.ranked) else ""
        )
    is_one = bool(run.kept) and run.kept not in state.missing
    what = tr("One candidate was kept.") if is_one else tr("These candidates were kept.")
    return f"{what} {tr('Undo in Krita restores the others.')}" if can_return else what
