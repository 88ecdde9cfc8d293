"""What the results show before there are any: the next step, and what helps to take it."""

from __future__ import annotations

from inpaint_client.segments import Part
from inpaint_client.session.abilities import possible_count

from ..app.state import State
from ..host.guard import connect, guarded_or
from ..host.qt import Qt, QtCore, QtWidgets
from ..text import tr
from .link import Link
from .narrow import ElidedButton, FoldingRow
from .parts import column
from .select_button import parts_of_faces
from .steps_drawing import StepsDrawing

OFFERED = (Part.HAIR, Part.EYES, Part.MOUTH)
PADDING = 12  # px: beside the text of a small button


class EmptyState(QtWidgets.QWidget):
    example_wanted = QtCore.pyqtSignal()
    part_chosen = QtCore.pyqtSignal(object)  # Part
    tour_wanted = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.drawing = StepsDrawing()
        self.words = QtWidgets.QLabel()
        self.words.setWordWrap(True)
        self.example = ElidedButton(tr("Open the example"))
        self.example.setToolTip(tr("A portrait that a generator made, as a new image"))
        connect(self.example.clicked, lambda: self.example_wanted.emit())
        self.parts: dict[Part, ElidedButton] = {}
        self._tips: dict[Part, str] = {}
        for part, label, tip in parts_of_faces():
            if part in OFFERED:
                self.parts[part] = button = _SmallButton(label)
                self._tips[part] = tip
                connect(button.clicked, lambda _=False, part=part: self.part_chosen.emit(part))
        self.part_row = FoldingRow(*self.parts.values())
        self.link = Link(tr("Show me around"), tr("Three hints, which follow what you do"))
        connect(self.link.clicked, lambda: self.tour_wanted.emit())
        layout = column(self)
        layout.addWidget(self.drawing, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self.words)
        layout.addWidget(self.example)
        layout.addWidget(self.part_row)
        layout.addWidget(self.link, 0, Qt.AlignmentFlag.AlignLeft)

    def draw(self, state: State) -> None:
        self.setVisible(state.run is None)
        self.words.setText(_next_step(state))
        self.example.setVisible(not state.has_document)
        self.part_row.setVisible(
            state.has_document and not state.is_selected and not state.progress.is_running
        )
        for part, button in self.parts.items():
            button.setEnabled(state.can_select)
            button.setToolTip(tr("Finding the faces…") if state.is_selecting else self._tips[part])
        self.link.setVisible(not state.fill_settings.toured and state.tour.stop is None)


class _SmallButton(ElidedButton):
    """A button that is as narrow as its text, so that three fit side by side."""

    @guarded_or(QtCore.QSize(2 * PADDING, 2 * PADDING))
    def sizeHint(self) -> QtCore.QSize:
        width = self.fontMetrics().horizontalAdvance(self.text()) + 2 * PADDING
        return QtCore.QSize(width, super().sizeHint().height())


def _next_step(state: State) -> str:
    if not state.has_document:
        return tr("Open a portrait, or try it on the example.")
    if state.progress.is_running:
        return tr("The candidates appear here.")
    if not state.is_selected:
        return tr("Select what to replace with any selection tool, or choose a part:")
    count = possible_count(state.model, state.fill_settings.candidates)
    if count == 1:
        words = tr(
            "Press “{button}”. The candidate appears here; nothing outside the selection changes."
        )
    else:
        words = tr(
            "Press “{button}”. {count} candidates appear here; nothing outside the selection "
            "changes."
        )
    return words.format(button=tr("Inpaint the selection"), count=count)
