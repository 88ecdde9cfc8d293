"""The frame of the next run, beside the button that starts it, while the pointer rests there.

Krita's Python interface has no way to draw over the canvas: neither its views nor its canvas take a
decoration, and a layer made for it would be a step in the undo history. So a small image of the
document shows the frame.
"""

from __future__ import annotations

from ..app.preview import Preview
from ..host.qt import Qt, QtCore, QtWidgets
from .frame_view import FrameImage
from .parts import column

WIDTH = 230  # px
GAP = 6


class FrameTip(QtWidgets.QFrame):
    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent, Qt.WindowType.ToolTip)
        self.setFrameShape(QtWidgets.QFrame.Shape.StyledPanel)
        self.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFixedWidth(WIDTH)
        self.image = FrameImage()
        self.words = QtWidgets.QLabel()
        self.words.setWordWrap(True)
        layout = column(self, margin=6)
        layout.addWidget(self.image)
        layout.addWidget(self.words)

    def show_beside(self, button: QtWidgets.QWidget, shown: Preview) -> None:
        """Show it where it covers neither the button nor the docker: to its left, or its right."""
        self.image.show_image(shown.image, shown.extent)
        self.image.show_frame(shown.frame)
        self.words.setText(f"⚠ {shown.words}" if shown.is_warning else shown.words)
        margins = 12
        height = self.image.minimumHeight() + self.words.heightForWidth(WIDTH - margins)
        self.resize(WIDTH, height + 2 * margins)
        corner = button.mapToGlobal(QtCore.QPoint(-WIDTH - GAP, 0))
        screen = button.screen()
        if screen is not None and corner.x() < screen.availableGeometry().left():
            corner = button.mapToGlobal(QtCore.QPoint(button.width() + GAP, 0))
        self.move(corner)
        self.show()
