"""Find a frame for each group of holes: the framer's proposal, or the square around the group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from inpaint_model.document import geometry
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Box, Frame, FrameChoice
from inpaint_model.document.grouping import Choice
from inpaint_model.document.hole import Hole, inside_frame
from inpaint_model.document.notices import Notice
from inpaint_model.document.placement import (
    Placement,
    check_hole,
    is_usable,
    place,
    placed_anew,
    sharing_memory,
)
from inpaint_model.framing.network import Framer
from inpaint_model.framing.refining import Reconstructor, is_cheap, refine_by_reconstruction
from inpaint_model.framing.search import propose

_MAX_WIDENED = 1.1  # at 1.25, mouths are too low and wide (docs/research/finding-and-fitting.md)
_MIN_INSIDE = 0.1
"""Fraction of a hole that must lie inside a proposed frame."""
_THIN = 0.02  # largest width of a speck or hairline over the document's smaller side
_MIN_THIN = 4  # px


Align = Callable[[DocumentImage, Frame, DocumentImage | None], Frame | None]
"""From a document, an approximate frame and the overview to the exact frame, if it is found."""


class Model(Reconstructor, Protocol):
    """The part of an inpainter that framing uses."""

    @property
    def framer(self) -> Framer | None:
        """The network that proposes frames, if it has one."""


def frame_holes(
    model: Model,
    image: DocumentImage,
    hole: Hole,
    *,
    frame: FrameChoice = "auto",
    overview: DocumentImage | None = None,
    align: Align | None = None,
) -> list[Placement]:
    """Find a frame for each group of the hole, and place the group in it.

    "auto" asks the framer and falls back to "box", the square around the group with context. An
    explicit frame is in document px and takes the hole as one group. The overview shows what lies
    beyond a crop. `align` makes the framer's frames exact, and sure where it finds one.

    Raises:
        ValueError: The selection is empty, does not overlap the frame, forms too many groups, or
            does not have the image's size and origin.
    """
    check_hole(image, hole)
    if isinstance(frame, Frame):
        return [place(image, hole, frame, model.resolution, overview=overview)]
    choose = partial(_choice, model, image, hole, overview, align, search=frame == "auto")
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


def frame_alike(
    placements: Sequence[Placement],
    image: DocumentImage,
    hole: Hole,
    resolution: int,
    overview: DocumentImage | None = None,
) -> list[Placement]:
    """Place the hole for another model of the same alignment, which needs the same frames.

    Only squares around groups depend on the resolution.
    """
    if placements[0].mode == "explicit":
        return [place(image, hole, placements[0].frame, resolution, overview=overview)]
    moved = []
    for each in placements:
        frame = each.frame
        if each.mode == "box":
            frame = geometry.box_frame(each.box, *image.document_size, resolution)
        moved.append(placed_anew(each, frame, resolution, overview))
    return sharing_memory(moved)


def _thin_px(image: DocumentImage) -> int:
    return max(round(_THIN * min(image.document_size)), _MIN_THIN)


def _choice(
    model: Model,
    image: DocumentImage,
    hole: Hole,
    overview: DocumentImage | None,
    align: Align | None,
    box: Box,
    search: bool,
) -> Choice:
    """Return the framer's frame if `search`, else the square around the box."""
    square = geometry.box_frame(box, *image.document_size, model.resolution)
    if not search:
        return Choice(square, "box", 1.0)
    if model.framer is None:
        return Choice(square, "box", 0.0, (Notice("NO_FRAMER"),))
    best = propose(model.framer, image, hole, box, overview)[0]
    exact = None
    if align is not None and is_usable(best.frame, image):
        exact = align(image, best.frame, overview)
    frame, confidence = best if exact is None else (exact, 1.0)
    if confidence < model.framer.config.threshold:
        return Choice(square, "box", confidence, (Notice("UNKNOWN_CONTENT"),))
    part = hole.cut(box)
    share = inside_frame(frame, box)[part.mask].mean()
    # Scratches beyond the frame are filled smoothly, which suits them.
    enough = share > 0 if part.is_thin(_thin_px(image)) else share >= _MIN_INSIDE
    if not enough:
        return Choice(square, "box", confidence, (Notice("BESIDE_THE_KNOWN"),))
    if exact is None and is_cheap(model):
        frame = refine_by_reconstruction(model, image, hole, [frame], overview)
    frame = _expand_to_contain(frame, box)
    if not is_usable(frame, image):  # smaller than a pixel, for example
        return Choice(square, "box", confidence, (Notice("UNKNOWN_CONTENT"),))
    return Choice(frame, "auto", confidence)


def _expand_to_contain(frame: Frame, box: Box) -> Frame:
    """Enlarge the frame slightly if it then contains the box of a hole.

    Hair often extends just beyond the frame, and a slightly smaller head costs less quality than
    the loss of context near the edge.
    """
    wider = frame._replace(side=frame.side * geometry.scale_to_contain(frame, box))
    return wider if wider.side <= _MAX_WIDENED * frame.side else frame
