"""Preview of the frame that the next run will use."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.session.frame_preview import expected

from ..host.qt import QtGui
from ..runs.fill_settings import FillSettings
from ..text import say


@dataclass(frozen=True)
class Preview:
    """A reduced image with the frame, if it is known, and a description."""

    image: QtGui.QImage
    extent: Extent
    frame: Frame | None
    words: str
    is_warning: bool = False


def preview(
    image: QtGui.QImage,
    extent: Extent,
    selection: Box | None,
    fill_settings: FillSettings,
    resolution: int,
) -> Preview:
    """Return what is known about the frame that a run would use.

    Args:
        image: the reduced document.
        extent: of the document.
        selection: box of the selection; None if nothing is selected.
        fill_settings: settings of the run.
        resolution: of the model, px a side; 0 = unknown.
    """
    known = expected(selection, extent, fill_settings.frame_choice, resolution)
    return Preview(image, extent, known.frame, say(known.words), known.is_warning)
