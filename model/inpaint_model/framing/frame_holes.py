"""Find the frame of each group of holes: what the framer proposes, or the square around it."""

from __future__ import annotations

from functools import partial
from typing import Protocol

import numpy as np

from inpaint_model.document import geometry, holes
from inpaint_model.document.arrays import MaskU8
from inpaint_model.document.document_image import DocumentPicture
from inpaint_model.document.geometry import Box, Frame, FrameChoice
from inpaint_model.document.grouping import MET, Choice, grouped
from inpaint_model.document.placement import Placement, check_selection, place
from inpaint_model.framing.network import Framer
from inpaint_model.framing.refining import Reproducer, affordable, refined
from inpaint_model.framing.search import propose

_MOST_WIDENED = 1.1
_UNKNOWN = "This does not look like what the model knows; the square around the selection is used."
_BESIDE = "The selection lies mostly beside what the model knows; the square around it is used."
_NO_FRAMER = "This model cannot find frames; the square around the selection is used."


class Model(Reproducer, Protocol):
    """What framing needs of an inpainter."""

    @property
    def framer(self) -> Framer | None:
        """What proposes frames; None if the model has none."""


def frame_holes(
    model: Model,
    picture: DocumentPicture,
    coverage: MaskU8,
    *,
    frame: FrameChoice = "auto",
    overview: DocumentPicture | None = None,
) -> list[Placement]:
    """Find a frame for each group of the hole and look through it.

    Args:
        model: the inpainter that will fill.
        picture: the document, or the crop of it around the hole.
        coverage: uint8 [H, W], same size as the picture; the hole is where it is above 0.
        frame: "auto" asks the model's framer and falls back to "box" where it is unsure; "box" is
            the square around the selection with context; or the frame itself, document px.
        overview: the whole document at low resolution, for what lies beyond a crop.

    Returns:
        One placement a group.

    Raises:
        ValueError: the selection is empty, does not meet the frame, or falls into too many groups;
            or the sizes differ.
    """
    check_selection(picture, coverage)
    if isinstance(frame, Frame):
        return [place(picture, coverage, frame, model.resolution, overview=overview)]
    parts = holes.components(coverage > 0)
    boxes = [box.moved(*picture.origin) for box in parts.boxes]
    choose = partial(_choice, model, picture, coverage, overview, search=frame == "auto")
    return [
        place(
            picture,
            np.where(parts.mask(members), coverage, np.uint8(0)),
            chosen.frame,
            model.resolution,
            mode=chosen.mode,
            confidence=chosen.confidence,
            warning=chosen.warning,
            selection=coverage,
            overview=overview,
        )
        for members, chosen in grouped(boxes, choose)
    ]


def _choice(
    model: Model,
    picture: DocumentPicture,
    coverage: MaskU8,
    overview: DocumentPicture | None,
    hole: Box,
    search: bool,
) -> Choice:
    """Return the frame of one hole: by the framer if `search`, else the square around it."""
    square = geometry.box_frame(hole, *picture.document_size, model.resolution)
    if not search:
        return Choice(square, "box", 1.0, "")
    if model.framer is None:
        return Choice(square, "box", 0.0, _NO_FRAMER)
    proposals = propose(model.framer, picture, coverage, hole, overview)
    best = proposals[0]
    if best.confidence < model.framer.config.threshold:
        return Choice(square, "box", best.confidence, _UNKNOWN)
    if geometry.share_inside(best.frame, hole) < MET:
        return Choice(square, "box", best.confidence, _BESIDE)
    frame = best.frame
    if affordable(model):
        frame = refined(model, picture, coverage, [frame], overview)
    return Choice(_holding(frame, hole), "auto", best.confidence, "")


def _holding(frame: Frame, hole: Box) -> Frame:
    """Return the frame, a little larger where that makes it hold the hole.

    Hair often ends just beyond it, and a model minds a slightly smaller head less than an artist a
    strip that is not filled.
    """
    wider = frame._replace(side=frame.side * geometry.excess(frame, hole))
    return wider if wider.side <= _MOST_WIDENED * frame.side else frame
