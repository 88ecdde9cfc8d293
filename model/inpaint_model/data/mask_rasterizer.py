"""Rasterize convex shapes to binary masks, many images at once, on any device.

A convex shape covers one run of pixels in each row: +1 at its first pixel, -1 after its last. A
cumulative sum along the rows then counts the shapes over each pixel. The cost grows with the
outlines, not the areas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Shapes(NamedTuple):
    """Convex quadrilaterals and discs of a batch of masks, in the unit square (y points down)."""

    quads: Tensor  # float32 [Q, 4, 2], corners in order around each; a triangle repeats one
    quad_owner: Tensor  # int64 [Q], the mask of each
    discs: Tensor  # float32 [D, 3], center and radius (x, y, r)
    disc_owner: Tensor  # int64 [D]


def quads_only(quads: Tensor, owner: Tensor) -> Shapes:
    """Make shapes without discs."""
    return Shapes(quads, owner, quads.new_zeros(0, 3), owner.new_zeros(0))


def boxes(left: Tensor, top: Tensor, right: Tensor, bottom: Tensor, owner: Tensor) -> Shapes:
    """Make rectangles from the positions of their sides [Q]."""
    corners = [left, top, right, top, right, bottom, left, bottom]
    return quads_only(torch.stack(corners, dim=1).reshape(-1, 4, 2), owner)


def fans(center: Tensor, outline: Tensor, owner: Tensor) -> Shapes:
    """Make star-shaped outlines, closed and [S, C + 1, 2], of triangles around `center` [S, 2]."""
    corners = outline.shape[1] - 1
    middle = center[:, None].expand(-1, corners, -1)
    fan = torch.stack([middle, outline[:, :-1], outline[:, 1:], outline[:, 1:]], dim=2)
    return quads_only(fan.reshape(-1, 4, 2), owner.repeat_interleave(corners))


def strokes(points: Tensor, segments: Tensor, radius: Tensor, owner: Tensor) -> Shapes:
    """Make strokes of a disc at every vertex and a rectangle for every segment.

    They use the first `segments` + 1 of their `points` [S, V + 1, 2]; the rest are [S].
    """
    index = torch.arange(points.shape[1], device=points.device)
    vertex = (index <= segments[:, None]).flatten().nonzero()[:, 0]
    segment = (index[:-1] < segments[:, None]).flatten().nonzero()[:, 0]
    stroke = segment // (len(index) - 1)
    first = segment + stroke  # a stroke has one vertex more than segments
    points = points.flatten(0, 1)
    start, end = points.index_select(0, first), points.index_select(0, first + 1)
    along = (end - start) / (end - start).norm(dim=1, keepdim=True).clamp(min=1e-12)
    across = along.flip(1) * torch.tensor([-1.0, 1.0]) * radius.index_select(0, stroke)[:, None]
    quads = torch.stack([start + across, end + across, end - across, start - across], dim=1)
    of_vertex = vertex // len(index)
    disc_radius = radius.index_select(0, of_vertex)[:, None]
    discs = torch.cat([points.index_select(0, vertex), disc_radius], dim=1)
    return Shapes(quads, owner.index_select(0, stroke), discs, owner.index_select(0, of_vertex))


def join(parts: Sequence[tuple[Shapes, Tensor]]) -> Shapes:
    """Join batches into one; each comes with the new indices [n] of its masks."""
    return Shapes(
        torch.cat([shapes.quads for shapes, _ in parts]),
        torch.cat([numbers[shapes.quad_owner] for shapes, numbers in parts]),
        torch.cat([shapes.discs for shapes, _ in parts]),
        torch.cat([numbers[shapes.disc_owner] for shapes, numbers in parts]),
    )


def mirror(shapes: Shapes, flip_x: Tensor, flip_y: Tensor) -> Shapes:
    """Mirror the masks where `flip_x` or `flip_y`, bool [N]."""
    flips = torch.stack([flip_x, flip_y], dim=1)  # [N, 2]
    quads = torch.where(flips[shapes.quad_owner][:, None], 1 - shapes.quads, shapes.quads)
    center = shapes.discs[:, :2]
    center = torch.where(flips[shapes.disc_owner], 1 - center, center)
    discs = torch.cat([center, shapes.discs[:, 2:]], dim=1)
    return shapes._replace(quads=quads, discs=discs)


def rasterize(shapes: Shapes, count: int, resolution: int) -> Tensor:
    """Return float32 [count, 1, R, R]: 1 where a pixel's center is inside a shape."""
    canvas = torch.zeros(count * resolution, resolution + 1, device=shapes.quads.device)
    _add_quads(canvas, resolution, shapes.quads * resolution, shapes.quad_owner)
    _add_discs(canvas, resolution, shapes.discs * resolution, shapes.disc_owner)
    covered = canvas.cumsum(dim=1)[:, :-1] > 0.5
    return covered.float().reshape(count, 1, resolution, resolution)


def _add_quads(canvas: Tensor, resolution: int, quads: Tensor, owner: Tensor) -> None:
    x, y = quads.transpose(0, 1).unbind(dim=2)  # [4, Q]
    shape, row = _rows_between(y.amin(dim=0), y.amax(dim=0), resolution)
    next_x, next_y = x.roll(-1, dims=0), y.roll(-1, dims=0)
    area = (x * next_y - next_x * y).sum(dim=0)  # its sign is the direction of the corners
    rise = (next_y - y) * torch.where(area < 0, -1.0, 1.0)
    slope = (next_x - x) / (next_y - y)
    offset = x - slope * y
    # An edge bounds the shape on the left or right; horizontal edges bound neither.
    left, right = (
        _bound(offset, slope, (rise < 0), -torch.inf, shape, row).amax(dim=0),
        _bound(offset, slope, (rise > 0), torch.inf, shape, row).amin(dim=0),
    )
    _add_runs(canvas, resolution, owner, shape, row, left, right)


def _bound(
    offset: Tensor, slope: Tensor, applies: Tensor, otherwise: float, shape: Tensor, row: Tensor
) -> Tensor:
    """Return x = offset + slope * y of the edges [4, Q] in rows [K], [4, K]."""
    offset = torch.where(applies, offset, otherwise).index_select(1, shape)
    slope = torch.where(applies, slope, 0.0).index_select(1, shape)
    return torch.addcmul(offset, slope, row)


def _add_discs(canvas: Tensor, resolution: int, discs: Tensor, owner: Tensor) -> None:
    x, y, radius = discs.unbind(dim=1)
    shape, row = _rows_between(y - radius, y + radius, resolution)
    height = row - y.index_select(0, shape)
    half = (radius.square().index_select(0, shape) - height.square()).clamp(min=0).sqrt()
    center = x.index_select(0, shape)
    _add_runs(canvas, resolution, owner, shape, row, center - half, center + half)


def _rows_between(top: Tensor, bottom: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
    """Return the shape's index and y of all K row centers in [top, bottom)."""
    first = (top - 0.5).ceil().clamp(0, resolution)
    rows = ((bottom - 0.5).ceil().clamp(0, resolution) - first).clamp(min=0).long()
    shape = torch.repeat_interleave(rows)
    before = first - (rows.cumsum(0) - rows)
    row = before.index_select(0, shape) + torch.arange(len(shape), device=top.device)
    return shape, row + 0.5


def _add_runs(
    canvas: Tensor,
    resolution: int,
    owner: Tensor,
    shape: Tensor,
    row: Tensor,
    left: Tensor,
    right: Tensor,
) -> None:
    """Mark on the canvas [N * R, R + 1] the runs of pixels with centers in [left, right)."""
    begin = (left - 0.5).ceil().clamp(0, resolution).long()
    end = (right - 0.5).ceil().clamp(0, resolution).long().maximum(begin)
    line = (owner.index_select(0, shape) * resolution + row.long()) * (resolution + 1)
    one = torch.ones(1, device=canvas.device).expand(len(line))
    canvas.view(-1).index_add_(0, line + begin, one)
    canvas.view(-1).index_add_(0, line + end, -one)
