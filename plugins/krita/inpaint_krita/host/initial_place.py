"""Place the docker on first use; afterward Krita remembers where the artist put it."""

from __future__ import annotations

from .qt import Qt, QtWidgets

LAYERS = "KisLayerBox"  # Krita's name for its docker of layers
SHARE = 0.6  # of the window's height


def take_initial_place(docker: QtWidgets.QDockWidget) -> None:
    """Dock as a tab next to *Layers*, with enough height for the candidates.

    Krita puts a new docker below all others, where only about 100 px are left.
    """
    window = docker.window()
    if docker.isFloating() or not isinstance(window, QtWidgets.QMainWindow):
        return
    layers = window.findChild(QtWidgets.QDockWidget, LAYERS)
    if layers is not None and not layers.isFloating():  # it has a place even if hidden
        window.tabifyDockWidget(layers, docker)
        docker.raise_()
    window.resizeDocks([docker], [round(SHARE * window.height())], Qt.Orientation.Vertical)
