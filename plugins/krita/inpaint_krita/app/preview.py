"""Preview of the frame that the next run will use."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint_client.geometry import Box, Extent, Frame
from inpaint_client.requests import FrameMode
from inpaint_client.session.frame_preview import leaves, square_around

from ..host.qt import QtGui
from ..runs.fill_settings import FillSettings
from ..text import tr


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
    choice = fill_settings.frame_choice
    if selection is None or selection.is_empty:
        return Preview(image, extent, None, tr("Nothing is selected."), is_warning=True)
    if isinstance(choice, Frame):
        if leaves(selection, choice):
            words = tr(
                "The selection extends beyond the frame. Only the part inside the frame is filled."
            )
            return Preview(image, extent, choice, words, is_warning=True)
        return Preview(image, extent, choice, tr("The model sees the frame shown here."))
    if choice is FrameMode.BOX:
        words = tr(
            "The model sees the square around the selection. Parts that are far apart get "
            "separate frames."
        )
        return Preview(image, extent, square_around(selection, extent, resolution), words)
    words = tr(
        "The daemon finds the frame during the fill, so it cannot be shown yet. If it "
        "finds no face, it uses the square around the selection."
    )
    return Preview(image, extent, None, words)
