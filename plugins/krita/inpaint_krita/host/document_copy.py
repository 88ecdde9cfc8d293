"""A copy of a part of a document, in which layers can be hidden without the artist noticing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from inpaint_client.geometry import Box

from .nodes import id_of, walk
from .qt import QtGui
from .reduced import reduced


class DocumentCopy:
    """The copy has the layers' IDs. Krita neither lists it nor shows it, and copies no pixels."""

    def __init__(self, document: Any, area: Box) -> None:
        """Copy what is inside `area`; call `close` afterwards."""
        document.waitForDone()
        self._copy = document.clone()
        self._copy.setBatchmode(True)
        if self._copy.currentTime() != document.currentTime():
            self._copy.setCurrentTime(document.currentTime())
        self._copy.crop(*area)
        self._copy.waitForDone()
        self._area = area

    def show_only(self, layer: str, group: str, layers: Collection[str]) -> None:
        """Show one layer of a run and hide the others; an empty `layer` hides all.

        Args:
            layer: the ID of the layer.
            group: the ID of the run's group, which may be gone.
            layers: the IDs of all layers of the run.
        """
        wanted = None
        for node in walk(self._copy.rootNode()):
            key = id_of(node)
            if key == group or key in layers:
                node.setVisible(False)
            if key == layer:
                wanted = node
        if wanted is not None:
            path = [wanted]
            while (parent := path[-1].parentNode()) is not None:
                path.append(parent)
            ids = [id_of(node) for node in path]
            for node in path[: ids.index(group) + 1] if group in ids else path[:1]:
                node.setVisible(True)
        self._copy.refreshProjection()
        self._copy.waitForDone()

    def view(self, box: Box, step: int) -> QtGui.QImage:
        """Return what is visible in `box` with one pixel per square of `step` px, as sRGB."""
        return reduced(self._copy.projection(*box.relative(self._area)), step)

    def close(self) -> None:
        self._copy.setModified(False)
        self._copy.close()
