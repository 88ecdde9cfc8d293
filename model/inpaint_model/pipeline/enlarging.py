"""Enlarge fills with the detail network where the document is finer than the model.

The network runs on the CPU, beside the documents, and only on the square around the hole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from inpaint_model.document import geometry
from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.geometry import Box, Frame
from inpaint_model.document.model_view import ModelInput, extract_model_view
from inpaint_model.document.placement import FramePart, Placement
from inpaint_model.networks.detail_network import DetailNetwork

MOST_DOUBLINGS = 2
_MARGIN = 16  # context of the network around the pixels that are used, px of the model


def doublings(upscale_factor: float) -> int:
    """Return how often fills are doubled, for document px per model px."""
    return min(max(round(math.log2(upscale_factor)), 0), MOST_DOUBLINGS)


@dataclass(frozen=True, eq=False)
class Enlarger:
    """Enlarges the fills of one group of holes."""

    network: DetailNetwork
    placement: Placement

    def __call__(self, output: FloatImage) -> FramePart:
        """Return an output [R, R, 3], nominally 0..1, with detail around the hole."""
        if not self.views:
            return FramePart.of(output)
        square, scale = self.square, 1 << len(self.views)
        fill = _tensor(np.ascontiguousarray(square.cut(output)))
        with torch.inference_mode():
            for view in self.views:
                known = _tensor(view.erased.astype(np.float32) / np.float32(255))
                hole = torch.from_numpy(view.hole > 0)[None, None].float()
                fill = self.network(fill, known, hole)
        pixels: FloatImage = ((fill[0].permute(1, 2, 0) + 1) / 2).contiguous().numpy()
        origin = square.x * scale, square.y * scale
        return FramePart(pixels, origin, self.placement.resolution * scale)

    @cached_property
    def square(self) -> Box:
        """The square around the hole and its ring, px of the model; its sides fit the network."""
        place, step = self.placement, self.network.multiple
        R = place.resolution
        region = place.region
        to_model = geometry.model_from_document(place.frame, R)
        corners = [(x, y) for x in (region.x, region.right) for y in (region.y, region.bottom)]
        seen = geometry.bounding_box(geometry.transform_points(to_model, corners))
        seen = seen.grown(_MARGIN).clipped(R, R)
        side = min(-(-max(seen.width, seen.height) // step) * step, R // step * step)
        x, y = (min(max(low, 0), R - side) for low in (seen.x, seen.y))
        return Box(x, y, side, side)

    @cached_property
    def views(self) -> tuple[ModelInput, ...]:
        """The known pixels in the square at twice the model's resolution, and at four times."""
        place, square = self.placement, self.square
        pixel = place.frame.side / place.resolution
        to_document = geometry.document_from_model(place.frame, place.resolution)
        center = (square.x + square.width / 2, square.y + square.height / 2)
        ((cx, cy),) = geometry.transform_points(to_document, [center])
        frame = Frame(float(cx), float(cy), square.width * pixel, place.frame.angle)
        return tuple(
            extract_model_view(place.image, place.filled, frame, square.width << k)
            for k in range(1, 1 + doublings(place.upscale_factor))
        )


def _tensor(image: FloatImage) -> Tensor:
    """Return an image [H, W, 3] of 0..1 as [1, 3, H, W] in -1..1."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() * 2 - 1
