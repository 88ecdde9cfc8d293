"""Find the frame around a selection in a document.

The framer first examines square views of several sizes around the selection, then upright views
around its most confident proposals; proposals for the same face are averaged. Views sample a few
points per pixel directly from the document, so that the cost does not depend on its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inpaint_model.document import geometry
from inpaint_model.document.arrays import BoolMask, FloatImage, Matrix
from inpaint_model.document.color import display_from_document
from inpaint_model.document.document_image import OPAQUE, DocumentImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.hole import Hole, reached_by_image
from inpaint_model.document.model_view import Layer, visible_layers
from inpaint_model.framing.network import Framer

_LADDER = 1.5  # ratio of the sides of successive first views
_MAX_VIEWS = 8
_KEPT = 3  # proposals to examine again
_SECOND_LOOKS = 2
_SECOND_VIEW = 1.6  # its side over the proposal's
_MAX_OCTAVES = 6.0  # between the sides of a view and a proposal
# Largest differences between proposals for the same face:
_NEAR = 0.15  # of the centers, over the side
_AS_LARGE = 0.3  # of the logarithm of the side
_AS_UPRIGHT = 15.0  # degrees


class Proposal(NamedTuple):
    """A frame in document px and its confidence, 0..1."""

    frame: Frame
    confidence: float


def propose(
    framer: Framer,
    image: DocumentImage,
    hole: Hole,
    box: Box,
    overview: DocumentImage | None = None,
) -> list[Proposal]:
    """Propose frames, best first, for the parts of a hole in a box (document px)."""
    shown = visible_layers(image, hole, overview)
    frames = first_views(box, shown[-1].image)
    seen = _propose(framer, shown, frames)
    rounds = [sorted(seen, key=lambda p: -p.confidence)[:_KEPT]]
    for _ in range(_SECOND_LOOKS):
        frames = [p.frame._replace(side=p.frame.side * _SECOND_VIEW) for p in rounds[-1]]
        rounds.append(_propose(framer, shown, frames))
    every = [proposal for looked in rounds for proposal in looked]
    found = []
    for same in zip(*rounds, strict=True):
        frame = average_nearby(same[-1].frame, every)
        frame = frame._replace(side=frame.side / framer.config.side_bias)
        found.append(Proposal(frame, _pooled_confidence(same)))
    return sorted(
        found, key=lambda p: -p.confidence * (1 + geometry.overlap_fraction(p.frame, box))
    )


def _pooled_confidence(proposals: Sequence[Proposal]) -> float:
    """Average the odds geometrically: chance resemblances rarely recur in other views."""
    sure = np.array([p.confidence for p in proposals]).clip(1e-6, 1 - 1e-6)
    odds = float(np.exp(np.log(sure / (1 - sure)).mean()))
    return odds / (1 + odds)


def average_nearby(frame: Frame, proposals: Sequence[Proposal]) -> Frame:
    """Average a frame with proposals for the same face, since their errors partly cancel out."""
    turns = [(p.frame.angle - frame.angle + 180) % 360 - 180 for p in proposals]
    near = [
        (p.confidence, p.frame.cx, p.frame.cy, math.log(p.frame.side / frame.side), turn)
        for p, turn in zip(proposals, turns, strict=True)
        if math.hypot(p.frame.cx - frame.cx, p.frame.cy - frame.cy) < _NEAR * frame.side
        and abs(math.log(p.frame.side / frame.side)) < _AS_LARGE
        and abs(turn) < _AS_UPRIGHT
    ]
    weights = [confidence + 1e-6 for confidence, *_ in near]
    values = [values for _, *values in near]
    cx, cy, growth, turn = np.average(values, axis=0, weights=weights).tolist()
    return Frame(cx, cy, frame.side * math.exp(growth), frame.angle + turn)


def first_views(box: Box, coarsest: DocumentImage) -> list[Frame]:
    """Return upright squares around a box, from little context to the full image."""
    width, height = coarsest.shown
    smallest = 1.25 * max(box.width, box.height, 8)
    largest = max(1.1 * max(width, height), smallest)
    count = min(1 + math.ceil(math.log(largest / smallest, _LADDER)), _MAX_VIEWS)
    sides = np.geomspace(smallest, largest, count)
    center = box.x + box.width / 2, box.y + box.height / 2
    return [Frame(*center, float(side)) for side in sides]


def seen_through(frame: Frame, layers: Sequence[Layer], size: int) -> Tensor:
    """Return the framer's input [4, S, S]: erased RGB in -1..1, then 1 - hole; `size` is S, px."""
    first, *others = layers
    shown, known = coarse_view(*first, frame, size)
    reached = _reached(first.image, frame, size)
    for layer in others:
        if reached.all():
            break
        far, far_known = coarse_view(*layer, frame, size)
        shown = np.where(reached[..., None], shown, far)
        known = np.where(reached, known, far_known)
        reached |= _reached(layer.image, frame, size)
    seen = torch.from_numpy(known).float()
    color = torch.from_numpy(shown).permute(2, 0, 1) * 2 - 1
    return torch.cat([color * seen, seen[None]])


def coarse_view(
    image: DocumentImage, hole: Hole | None, frame: Frame, size: int
) -> tuple[FloatImage, BoolMask]:
    """Return a frame's display values [S, S, 3] and known pixels [S, S]; `size` is S, px."""
    scale = frame.side / size * math.sqrt(image.scale[0] * image.scale[1])
    density = min(max(math.ceil(scale / 2), 1), 4)
    matrix = geometry.compose(
        image.from_document, geometry.document_from_model(frame, size * density)
    )
    rows, columns, channels = image.pixels.shape
    index, known = _nearest(matrix, size * density, columns, rows)
    color, alpha = display_from_document(
        image.pixels.reshape(-1, channels).take(index, axis=0), image.linear
    )
    if alpha is not None:
        known &= alpha >= OPAQUE
    if hole is not None:
        known &= ~Hole(hole.coverage.take(index)).mask
    # Axis by axis: ten times faster than both at once.
    sums = color.clip(0, 1).reshape(size, density, -1).sum(axis=1)
    shown = np.einsum("ycpk->yck", sums.reshape(size, size, density, 3))
    whole = np.logical_and.reduce(known.reshape(size, density, -1), axis=1)
    seen = np.logical_and.reduce(whole.reshape(size, size, density), axis=2)
    return shown * np.float32(1 / density**2), np.asarray(seen, np.bool_)


def _nearest(
    matrix: Matrix, points: int, columns: int, rows: int
) -> tuple[npt.NDArray[np.intp], BoolMask]:
    """Return a grid's flat pixel indices [points, points], 0 outside, and which are inside."""
    steps = np.arange(points) + 0.5
    x = matrix[0, 0] * steps + (matrix[0, 1] * steps + matrix[0, 2])[:, None]
    y = matrix[1, 0] * steps + (matrix[1, 1] * steps + matrix[1, 2])[:, None]
    known = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    index = y.astype(np.intp) * columns + x.astype(np.intp)
    return np.where(known, index, 0), known


def _propose(framer: Framer, shown: Sequence[Layer], frames: Sequence[Frame]) -> list[Proposal]:
    views = [seen_through(frame, shown, framer.config.view) for frame in frames]
    device = next(framer.parameters()).device
    with torch.inference_mode():
        found = framer(torch.stack(views).to(device).float())
    # NaN weights result in an unsure proposal.
    center, log_side, direction, logit = (part.nan_to_num(0.0) for part in found)
    log_side = log_side.clamp(-_MAX_OCTAVES, _MAX_OCTAVES)
    angle = torch.rad2deg(torch.atan2(direction[:, 1], direction[:, 0]))
    numbers = torch.cat([center, torch.stack([2**log_side, angle, logit.sigmoid()], 1)], 1)
    return [
        Proposal(_in_document(frame, *row[:4]), row[4])
        for frame, row in zip(frames, numbers.cpu().tolist(), strict=True)
    ]


def _reached(image: DocumentImage, frame: Frame, size: int) -> BoolMask:
    matrix = geometry.compose(image.from_document, geometry.document_from_model(frame, size))
    return reached_by_image(image.pixels.shape, matrix, size)


def _in_document(view: Frame, x: float, y: float, side: float, angle: float) -> Frame:
    """Convert a frame from the coordinates of a view, -1..1."""
    matrix = geometry.document_from_model(view, 2)
    cx, cy = geometry.transform_points(matrix, [(x + 1, y + 1)])[0]
    turn = (view.angle + angle + 180) % 360 - 180
    return Frame(float(cx), float(cy), view.side * side, turn)
