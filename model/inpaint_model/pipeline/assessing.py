"""Judge a session's fills: how much the person still is the person, and how natural a face looks.

Both need a face in the alignment that the recognition network has learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from inpaint_model.document.arrays import BoolMask, FloatImage
from inpaint_model.document.model_view import extract_model_view
from inpaint_model.document.placement import Placement
from inpaint_model.inference.assessor import Assessor, likeness
from inpaint_model.networks.color_shift import blended

FACES = "ffhq"  # alignment of the models whose frames show faces
_SMALLEST = 64  # px: resolution from which faces can be recognized
_FACE = (0.5, 0.56, 0.26, 0.36)  # center x, y and radii of the face in it, in sides of the frame
_MOST_HIDDEN = 0.5  # fraction of the face that a hole may cover for the likeness to mean anything


def can_judge(alignment: str, placements: Sequence[Placement]) -> bool:
    """Return whether every frame shows a face as the recognition network knows them."""
    return alignment == FACES and all(
        place.mode != "box" and place.resolution >= _SMALLEST for place in placements
    )


class Assessment(NamedTuple):
    """What is known of a fill."""

    likeness: float | None = None  # to the image before: 0 = another person, 1 = the same face
    naturalness: float | None = None  # share of the model's fills that look less natural, 0..1


UNKNOWN = Assessment()


@dataclass(frozen=True, eq=False)
class GroupAssessor:
    """Judges the fills of one group of holes, whose frame shows a face."""

    assessor: Assessor
    placement: Placement

    def __call__(self, output: FloatImage) -> Assessment:
        """Judge a raw output [R, R, 3], nominally 0..1, as it looks with matching colors."""
        features = self.assessor.features(self._blended(output))
        alike = None if self.original is None else likeness(features, self.original)
        return Assessment(alike, self.assessor.naturalness(features))

    def prepare(self) -> None:
        """Compute what all fills share."""
        _ = self.original

    @cached_property
    def original(self) -> Tensor | None:
        """Features of the image before; None if too much of the face is or was hidden."""
        place, source = self.placement, self.placement.source
        if source.hole[face_mask(place.resolution)].mean() > 255 * _MOST_HIDDEN:
            return None
        before = extract_model_view(place.image, None, place.frame, place.resolution)
        hole = source.hole > 0
        if before.hole[hole].any():
            return None
        image = np.where(hole[..., None], before.erased, source.erased)
        return self.assessor.features((image / 255).astype(np.float32))

    def _blended(self, output: FloatImage) -> FloatImage:
        """Return the image with the fill: a fast stand-in for the blending in the document."""
        source = self.placement.source
        fill, erased = (
            torch.from_numpy(values).permute(2, 0, 1)[None].float()
            for values in (output, source.erased / np.float32(255))
        )
        hole = torch.from_numpy(source.hole > 0)[None, None].float()
        image: FloatImage = blended(fill, erased, hole)[0].permute(1, 2, 0).contiguous().numpy()
        return image


def assess(assessors: Sequence[GroupAssessor], outputs: Sequence[FloatImage]) -> Assessment:
    """Judge the outputs of all groups; what is unknown of all of them stays unknown.

    The likeness is that of the group that lost most of it.
    """
    found = [judge(output) for judge, output in zip(assessors, outputs, strict=True)]
    alike = [each.likeness for each in found if each.likeness is not None]
    natural = [each.naturalness for each in found if each.naturalness is not None]
    return Assessment(min(alike, default=None), sum(natural) / len(natural) if natural else None)


def face_mask(side: int, scale: float = 1.0) -> BoolMask:
    """Return where the face is in a view of `scale` frames, [side, side]."""
    x, y, across, down = _FACE
    at = ((np.arange(side) + 0.5) / side - 0.5) * scale + 0.5
    inside: BoolMask = ((at - x) / across) ** 2 + ((at[:, None] - y) / down) ** 2 <= 1
    return inside
