"""The button that selects a part of the faces."""

from __future__ import annotations

from inpaint_client.segments import Part

from ..host.guard import connect, guarded
from ..host.qt import QAction, Qt, QtCore, QtWidgets
from ..text import tr
from .icons import icon
from .narrow import ElidedMenuButton
from .parts import named

ICON_PX = 16


class SelectButton(ElidedMenuButton):
    """A menu with the parts of faces."""

    chosen = QtCore.pyqtSignal(object)  # Part

    def __init__(self) -> None:
        super().__init__()
        named(
            self,
            tr("Select"),
            tr(
                "Replace the selection by a part of the faces that it touches, or of all faces in "
                "the image, or by the background"
            ),
        )
        self.setText(tr("Part of a face"))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setIconSize(QtCore.QSize(ICON_PX, ICON_PX))
        self.setIcon(icon("marquee", self.palette()))
        menu = QtWidgets.QMenu(self)
        menu.setToolTipsVisible(True)
        for part, label, tip in parts_of_faces():
            entry = QAction(label, menu)
            entry.setToolTip(tip)
            connect(entry.triggered, lambda _=False, part=part: self.chosen.emit(part))
            menu.addAction(entry)
        self.setMenu(menu)

    @guarded
    def changeEvent(self, event: QtCore.QEvent | None) -> None:
        super().changeEvent(event)
        if event is not None and event.type() == QtCore.QEvent.Type.PaletteChange:
            self.setIcon(icon("marquee", self.palette()))

    def _room(self) -> int:
        return super()._room() - ICON_PX - 6


def parts_of_faces() -> tuple[tuple[Part, str, str], ...]:
    """Return what can be selected: part, label and tooltip."""
    return (
        (Part.HAIR, tr("Hair"), tr("On the head, without beards")),
        (Part.SKIN, tr("Skin"), tr("Of the face, without eyes, brows and mouth")),
        (Part.EYES, tr("Eyes"), tr("Both, with lids and lashes")),
        (Part.BROWS, tr("Brows"), tr("Both")),
        (Part.MOUTH, tr("Mouth"), tr("The lips and what is between them")),
        (Part.GLASSES, tr("Glasses"), tr("Where glasses are or would be")),
        (Part.BACKGROUND, tr("Background"), tr("Everything that shows no person")),
    )
