"""Enlarge fills with the detail network where the document is finer than the model.

The network runs on the CPU, beside the documents, and only around the hole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.document import geometry
from inpaint_model.document.arrays import FloatImage, Matrix
from inpaint_model.document.color import display_from_document
from inpaint_model.document.document_image import OPAQUE
from inpaint_model.document.geometry import Box
from inpaint_model.document.placement import FramePart, Placement
from inpaint_model.networks.detail_network import DetailNetwork

_DOUBLED_FROM, _TWICE_FROM = 2**0.5, 2**2.5
_MARGIN = 16  # context of the network around the pixels that are used, px of the model
_SUPPORT = 2  # of cubic interpolation, px


def doublings(upscale_factor: float) -> int:
    """Return how often fills are doubled, for document px per model px.

    From 2.8 to 5.7, texture after one doubling is better than a second one (docs/decisions/0050).
    """
    if upscale_factor < _DOUBLED_FROM:
        return 0
    return 1 if upscale_factor < _TWICE_FROM else 2


class Surroundings(NamedTuple):
    """The document around a hole."""

    known: Tensor  # [1, 3, H, W] in -1..1
    hole: Tensor  # [1, 1, H, W], 1 where nothing is known


@dataclass(frozen=True, eq=False)
class Enlarger:
    """Enlarges the fills of one group of holes."""

    network: DetailNetwork
    placement: Placement

    def __call__(self, output: FloatImage) -> FramePart:
        """Return an output [R, R, 3], nominally 0..1, with detail around the hole."""
        if not self.octaves:
            return FramePart.of(output)
        box, scale = self.box, 1 << len(self.octaves)
        fill = torch.from_numpy(box.cut(output)).permute(2, 0, 1)[None] * 2 - 1
        fill = without_specks(fill)  # generators draw some, which the network would sharpen
        with torch.inference_mode():
            for octave in self.octaves:
                fill = self.network(fill, *octave)
        pixels: FloatImage = ((fill[0].permute(1, 2, 0) + 1) / 2).contiguous().numpy()
        return FramePart(pixels, (box.x * scale, box.y * scale), self.placement.resolution * scale)

    def prepare(self) -> None:
        """Compute what all fills share."""
        _ = self.octaves
        self.placement.exemplar(self.placement.resolution << len(self.octaves))

    @property
    def num_bytes(self) -> int:
        """Memory of `octaves`."""
        finest = self.box.width * self.box.height << 2 * doublings(self.placement.upscale_factor)
        return 20 * finest

    @cached_property
    def box(self) -> Box:
        """The hole with its ring and a margin, px of the model; its sides fit the network."""
        place, step = self.placement, self.network.multiple
        region, R = place.region, place.resolution
        to_model = geometry.model_from_document(place.frame, R)
        corners = [(x, y) for x in (region.x, region.right) for y in (region.y, region.bottom)]
        seen = geometry.bounding_box(geometry.transform_points(to_model, corners))
        seen = seen.grown(_MARGIN).clipped(R, R)
        width, height = (
            min(-(-length // step), R // step) * step for length in (seen.width, seen.height)
        )
        return Box(min(seen.x, R - width), min(seen.y, R - height), width, height)

    @cached_property
    def octaves(self) -> list[Surroundings]:
        """The document at twice the model's resolution, and at four times, as far as needed."""
        count = doublings(self.placement.upscale_factor)
        if count == 0:
            return []
        finest = self._sampled(1 << count)
        octaves = [finest]
        for _ in range(count - 1):
            known, hole = octaves[0]
            hole = F.max_pool2d(hole, 2)
            octaves.insert(0, Surroundings(F.avg_pool2d(known, 2) * (1 - hole), hole))
        return octaves

    def _sampled(self, scale: int) -> Surroundings:
        """Sample the document at `scale` times the model's resolution."""
        place, box = self.placement, self.box
        width, height = box.width * scale, box.height * scale
        x, y = place.image.origin
        matrix = geometry.compose(
            geometry.translation(-x, -y),
            geometry.compose(
                geometry.document_from_model(place.frame, place.resolution * scale),
                geometry.translation(box.x * scale, box.y * scale),
            ),
        )
        corners = [(0, 0), (width, 0), (0, height), (width, height)]
        rows, columns = place.image.pixels.shape[:2]
        seen = geometry.bounding_box(geometry.transform_points(matrix, corners))
        part = seen.grown(2 * _SUPPORT).clipped(columns, rows)
        if part.width == 0 or part.height == 0:
            shape = (height, width)
            return Surroundings(torch.zeros(1, 3, *shape), torch.ones(1, 1, *shape))
        color, alpha = display_from_document(part.cut(place.image.pixels), place.image.linear)
        hidden = place.filled.cut(part.moved(x, y)).mask
        if alpha is not None:
            hidden = hidden | (alpha < OPAQUE)
        unknown = torch.from_numpy(hidden)[None, None].float()
        unknown = F.max_pool2d(unknown, 2 * _SUPPORT + 1, stride=1, padding=_SUPPORT)
        grid = _grid(matrix, width, height, part)
        shown = torch.from_numpy(np.ascontiguousarray(color)).permute(2, 0, 1)[None]
        known = F.grid_sample(shown, grid, "bicubic", "border", align_corners=False)
        inside = F.grid_sample(1 - unknown, grid, "bilinear", "zeros", align_corners=False)
        hole = (inside < 1 - 1e-3).float()
        return Surroundings((known.clamp(0, 1) * 2 - 1) * (1 - hole), hole)


def without_specks(image: Tensor) -> Tensor:
    """Return the median of 3 x 3 px around each one, [1, C, H, W]; edges are replicated.

    It is the median of three numbers: the largest of the minima of the rows, the median of their
    medians, and the smallest of their maxima. Ten times as fast as sorting nine values.
    """
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    low, middle, high = _sorted(*_three(padded, 3))
    largest, middlemost, smallest = (
        _sorted(*_three(low, 2))[2],
        _sorted(*_three(middle, 2))[1],
        _sorted(*_three(high, 2))[0],
    )
    return _sorted(largest, middlemost, smallest)[1]


def _three(planes: Tensor, axis: int) -> list[Tensor]:
    """Return planes without their last two, outer two, and first two px along an axis."""
    return [planes.narrow(axis, start, planes.shape[axis] - 2) for start in range(3)]


def _sorted(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return torch.minimum(low, c), torch.maximum(low, torch.minimum(high, c)), torch.maximum(high, c)


def _grid(matrix: Matrix, width: int, height: int, part: Box) -> Tensor:
    """Return where pixels are sampled, [1, height, width, 2], in -1..1 of a part of the image.

    The matrix maps to px of the image.
    """
    x, y = torch.arange(width) + 0.5, torch.arange(height)[:, None] + 0.5
    sampled = geometry.transform_xy(matrix, x.numpy(), y.numpy())
    axes = [
        torch.from_numpy((along - start) * (2 / length) - 1).expand(height, width)
        for along, start, length in zip(sampled, part[:2], part[2:], strict=True)
    ]
    return torch.stack(axes, dim=-1)[None].float()
