"""The three bubbles of the tour: what each says, and what it points at."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from inpaint_client.session.tour import Stop

from ..app.state import State
from ..host.qt import QtCore, QtWidgets
from ..text import tr
from .bubble import Bubble

Targets = Mapping[Stop, tuple[QtWidgets.QWidget, ...]]


class TourBubbles(QtCore.QObject):
    """One bubble that goes from stop to stop."""

    def __init__(
        self,
        docker: QtWidgets.QWidget,
        targets: Targets,
        reveal: Callable[[QtWidgets.QWidget], None],
    ) -> None:
        """Start without a bubble.

        Args:
            docker: the widget that bubbles are placed beside.
            targets: for each stop, what to point at: the first that is visible.
            reveal: scrolls to a widget.
        """
        super().__init__(docker)
        self.bubble = Bubble(docker, reveal)
        self.bubble.offer.setText(tr("Open the example"))
        self.bubble.offer.setToolTip(tr("A portrait that a generator made, as a new image"))
        self._targets = targets

    def draw(self, state: State) -> None:
        """Show the bubble of the current stop, if any."""
        stop = state.tour.stop
        # While a run starts, there is nothing to press.
        if stop is None or (stop is Stop.FILL and state.progress.is_running):
            self.bubble.leave()
            return
        needs_image = stop is Stop.SELECTION and not state.has_document
        self.bubble.say(
            tr("Open a portrait, or try it on the example.") if needs_image else _words(stop),
            tr("{number} of {count}").format(number=int(stop), count=len(Stop)),
            tr("Done") if state.tour.is_last else tr("Next"),
            needs_image,
        )
        self.bubble.point_at(*self._targets[stop])


def _words(stop: Stop) -> str:
    words = {
        Stop.SELECTION: tr(
            "Select what to replace with any selection tool, or choose a part of the face here."
        ),
        Stop.FILL: tr("Press this button. Nothing outside the selection changes."),
        Stop.CANDIDATES: tr(
            "Click a candidate, move the sliders under “{adjust}”, and press “{keep}”. "
            "Until then, one undo removes everything."
        ).format(adjust=tr("Adjust"), keep=tr("Keep this one")),
    }
    return words[stop]
