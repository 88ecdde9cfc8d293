"""Find the frame of each group of holes: what the framer proposes, or the square around it."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from inpaint_model.document import geometry
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame, FrameChoice
from inpaint_model.document.grouping import Choice
from inpaint_model.document.hole import Hole, inside_frame
from inpaint_model.document.notices import Notice
from inpaint_model.document.placement import Placement, check_hole, place, sharing_memory
from inpaint_model.framing.network import Framer
from inpaint_model.framing.refining import Reconstructor, is_cheap, refine_by_reconstruction
from inpaint_model.framing.search import propose

# At 1.25 mouths sit too low and grow too wide (docs/research/finding-and-fitting.md).
_MAX_WIDENED = 1.1
_MIN_INSIDE = 0.1
"""Share of a hole that must lie inside a frame that was found; else it fills too little."""
_THIN = 0.02  # of the document's smaller side: what is no wider is a speck or a hairline
_MIN_THIN = 4  # px


class Model(Reconstructor, Protocol):
    """What framing needs of an inpainter."""

    @property
    def framer(self) -> Framer | None:
        """What proposes frames; None if the model has none."""


def frame_holes(
    model: Model,
    image: DocumentImage,
    hole: Hole,
    *,
    frame: FrameChoice = "auto",
    overview: DocumentImage | None = None,
) -> list[Placement]:
    """Find a frame for each group of the hole and look through it.

    Args:
        model: the inpainter that will fill.
        image: the document, or the crop of it around the hole.
        hole: of the image's size and origin.
        frame: "auto" asks the model's framer and falls back to "box" where it is unsure; "box" is
            the square around the selection with context; or the frame itself, document px.
        overview: the whole document at low resolution, for what lies beyond a crop.

    Returns:
        One placement a group.

    Raises:
        ValueError: the selection is empty, does not meet the frame, or falls into too many groups;
            or it is not of the image's size and origin.
    """
    check_hole(image, hole)
    if isinstance(frame, Frame):
        return [place(image, hole, frame, model.resolution, overview=overview)]
    choose = partial(_choice, model, image, hole, overview, search=frame == "auto")
    placements = [
        place(
            image,
            group,
            chosen.frame,
            model.resolution,
            mode=chosen.mode,
            confidence=chosen.confidence,
            notices=chosen.notices,
            selection=hole,
            overview=overview,
            whole=True,
        )
        for group, chosen in hole.groups(choose, thin=_thin_px(image))
    ]
    return sharing_memory(placements)


def _thin_px(image: DocumentImage) -> int:
    """Return the width up to which a part of a hole is a speck or a hairline, px."""
    return max(round(_THIN * min(image.document_size)), _MIN_THIN)


def _choice(
    model: Model,
    image: DocumentImage,
    hole: Hole,
    overview: DocumentImage | None,
    box: Box,
    search: bool,
) -> Choice:
    """Return the frame of the parts in a box: by the framer if `search`, else the square around."""
    square = geometry.box_frame(box, *image.document_size, model.resolution)
    if not search:
        return Choice(square, "box", 1.0)
    if model.framer is None:
        return Choice(square, "box", 0.0, (Notice("NO_FRAMER"),))
    proposals = propose(model.framer, image, hole, box, overview)
    best = proposals[0]
    if best.confidence < model.framer.config.threshold:
        return Choice(square, "box", best.confidence, (Notice("UNKNOWN_CONTENT"),))
    part = hole.cut(box)
    share = inside_frame(best.frame, box)[part.mask].mean()
    # What of scratches lies beyond a frame is filled smoothly, which is good for all of them.
    enough = share > 0 if part.is_thin(_thin_px(image)) else share >= _MIN_INSIDE
    if not enough:
        return Choice(square, "box", best.confidence, (Notice("BESIDE_THE_KNOWN"),))
    frame = best.frame
    if is_cheap(model):
        frame = refine_by_reconstruction(model, image, hole, [frame], overview)
    return Choice(_expand_to_contain(frame, box), "auto", best.confidence)


def _expand_to_contain(frame: Frame, box: Box) -> Frame:
    """Return the frame, a little larger where that makes it hold the box of a hole.

    Hair often ends just beyond it, and a model minds a slightly smaller head less than the loss of
    what it knows near the frame's edge. What reaches further is filled smoothly (`place`).
    """
    wider = frame._replace(side=frame.side * geometry.scale_to_contain(frame, box))
    return wider if wider.side <= _MAX_WIDENED * frame.side else frame
