"""Continue a plain background, such as a wall, behind what a fill shows.

A model invents a background of its own, which is never quite the same wall: fills of hair leave a
veil around the head. What the document shows beside the person is known, so it is continued
smoothly instead, and only what is in front of it comes from the fill.

Both is decided in a small square view of the frame and its surroundings, by a network that tells a
person from the background (`pipeline.backdrops`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from inpaint_model.document.arrays import BoolMask, FloatImage, Matrix
from inpaint_model.document.geometry import Box, compose, scaling, translation
from inpaint_model.document.resampling import enlarge

BACKGROUND = 0.2  # probability of a person below which a known pixel shows the background
_UNLIKE = 0.08  # difference from the wall above which it does not, such as a stray hair
_GUIDED_FROM = 4  # 1 / the model's weight from which edges follow the fill


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A plain background around a hole, in a view of S x S px."""

    from_document: Matrix  # document px to px of the view
    image: FloatImage = field(repr=False)  # [S, S, 3], 0..1, with the hole filled smoothly
    wall: FloatImage = field(repr=False)  # [S, S, 3], 0..1: the background alone
    hidden: BoolMask = field(repr=False)  # [S, S]: the hole, and what is not in the image
    person: FloatImage = field(repr=False)  # [S, S]: probability of a person in the image

    def background(self, box: Box, color: Tensor) -> Tensor:
        """Return which pixels of a box of the document show the background if known, [H, W].

        `color` [3, H, W] is that of the document.
        """
        matrix = _from_box(self.from_document, box)
        planes = enlarge(np.dstack([self.wall, self.person]), matrix, box.width, box.height)
        sampled = torch.from_numpy(planes).permute(2, 0, 1)
        alike = (color - sampled[:3]).abs().amax(0) < _UNLIKE
        return alike & (sampled[3] < BACKGROUND)


@dataclass(frozen=True, eq=False)
class Matte:
    """Which part of a fill is in front of the background."""

    region: Box  # document px
    from_document: Matrix
    person: FloatImage = field(repr=False)  # [S, S], 0..1
    guided: FloatImage = field(repr=False)  # [s, s, 4]: factors of the fill's color, and an offset

    def shares(self, fill: Tensor, by_model: Tensor, octave: int) -> Tensor:
        """Return how much of a fill [3, H, W] to show, 0..1: [H, W].

        The fill is that of the region, halved `octave` times. Where the model made it, the edges
        follow it; `by_model` [H, W] is the model's weight, 0..1.
        """
        height, width = fill.shape[1:]
        matrix = compose(
            _from_box(self.from_document, self.region), scaling(1 << octave, 1 << octave)
        )
        scale = len(self.guided) / len(self.person)
        (*factors, offset), (person,) = (
            torch.from_numpy(enlarge(planes, to_planes, width, height)).permute(2, 0, 1)
            for planes, to_planes in (
                (self.guided, compose(scaling(scale, scale), matrix)),
                (self.person[..., None], matrix),
            )
        )
        along_edges = offset + sum(a * plane for a, plane in zip(factors, fill, strict=True))
        guided = (by_model * _GUIDED_FROM).clamp(max=1)
        shares: Tensor = person + (along_edges - person) * guided
        return shares.clamp(0, 1)


def _from_box(from_document: Matrix, box: Box) -> Matrix:
    return compose(from_document, translation(box.x, box.y))
