"""A tooltip next to the button that starts a run, with a preview of the frame.

Krita's Python API cannot draw over the canvas: neither views nor the canvas accept decorations, and
a layer would create an undo step. So the frame is shown on a small image of the document.
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
        """Show the tooltip to the left or right of the button, where it does not cover it."""
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
