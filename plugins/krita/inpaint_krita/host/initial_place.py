"""The docker's first place; afterward Krita remembers the one that the artist gave it."""

from __future__ import annotations

from .qt import Qt, QtWidgets

LAYERS = "KisLayerBox"  # Krita's name for its docker of layers
SHARE = 0.6  # of the window's height


def take_initial_place(docker: QtWidgets.QDockWidget) -> None:
    """Make the docker a tab beside *Layers*, and high enough for its candidates.

    Krita puts a new docker below all others, where some 100 px are left for it.
    """
    window = docker.window()
    if docker.isFloating() or not isinstance(window, QtWidgets.QMainWindow):
        return
    layers = window.findChild(QtWidgets.QDockWidget, LAYERS)
    if layers is not None and not layers.isFloating():  # hidden or not, it has a place
        window.tabifyDockWidget(layers, docker)
        docker.raise_()
    window.resizeDocks([docker], [round(SHARE * window.height())], Qt.Orientation.Vertical)
