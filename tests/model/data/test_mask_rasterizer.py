"""The rasterizer against testing each pixel's center against each shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inpaint_model.data.mask_rasterizer import (
    Shapes,
    boxes,
    join,
    mirror,
    quads_only,
    rasterize,
    strokes,
)


def pixel_by_pixel(shapes: Shapes, count: int, resolution: int) -> np.ndarray:
    mask = np.zeros((count, 1, resolution, resolution), np.float32)
    center = (np.arange(resolution) + 0.5) / resolution
    x, y = np.meshgrid(center, center)
    for quad, owner in zip(shapes.quads.double().numpy(), shapes.quad_owner, strict=True):
        sides = [
            (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
            for a, b in zip(quad, np.roll(quad, -1, axis=0), strict=True)
            if not np.array_equal(a, b)  # a triangle
        ]
        inside = np.all(np.stack(sides) >= 0, axis=0) | np.all(np.stack(sides) <= 0, axis=0)
        mask[owner, 0][inside] = 1
    for (cx, cy, radius), owner in zip(
        shapes.discs.double().numpy(), shapes.disc_owner, strict=True
    ):
        mask[owner, 0][(x - cx) ** 2 + (y - cy) ** 2 < radius**2] = 1
    return mask


def disagreement(shapes: Shapes, count: int, resolution: int) -> float:
    """Share of pixels that differ: 0 but for centers that an outline meets to the last digit."""
    reference = pixel_by_pixel(shapes, count, resolution)
    return float(np.abs(rasterize(shapes, count, resolution).numpy() - reference).mean())


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), resolution=st.sampled_from([8, 21, 64]))
def test_strokes_and_boxes_anywhere_even_outside(seed: int, resolution: int) -> None:
    g = torch.Generator().manual_seed(seed)
    points = torch.rand(5, 7, 2, generator=g) * 1.6 - 0.3
    segments = torch.randint(1, 7, (5,), generator=g)
    radius = torch.rand(5, generator=g) * 0.2
    brush = strokes(points, segments, radius, torch.randint(3, (5,), generator=g))
    near, far = (torch.rand(2, 6, 2, generator=g) * 1.6 - 0.3).sort(dim=0).values
    owner = torch.randint(3, (6,), generator=g)
    upright = boxes(near[:, 0], near[:, 1], far[:, 0], far[:, 1], owner)
    numbers = torch.arange(3)
    shapes = join([(brush, numbers), (upright, numbers)])
    assert disagreement(shapes, 3, resolution) < 1e-3


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), clockwise=st.booleans())
def test_triangles_in_either_direction(seed: int, clockwise: bool) -> None:
    corners = torch.rand(4, 3, 2, generator=torch.Generator().manual_seed(seed))
    quads = corners[:, [0, 1, 2, 2] if clockwise else [0, 2, 1, 1]]
    assert disagreement(quads_only(quads, torch.tensor([0, 0, 1, 2])), 4, 50) < 1e-3


def test_boxes_on_the_pixel_grid_are_half_open_and_exact() -> None:
    left, top, right, bottom = (torch.tensor([value / 8]) for value in (1, 2, 4, 8))
    mask = rasterize(boxes(left, top, right, bottom, torch.tensor([0])), 1, 8)
    expected = torch.zeros(1, 1, 8, 8)
    expected[:, :, 2:8, 1:4] = 1
    assert torch.equal(mask, expected)


@pytest.mark.parametrize("size", [(0.0, 0.5), (0.5, 0.0), (0.0, 0.0)])
def test_shapes_without_area_cover_nothing(size: tuple[float, float]) -> None:
    x, y = torch.tensor([0.25]), torch.tensor([0.25])
    flat = boxes(x, y, x + size[0], y + size[1], torch.tensor([0]))
    assert rasterize(flat, 1, 16).sum() == 0


def test_mirroring_the_shapes_mirrors_the_mask() -> None:
    g = torch.Generator().manual_seed(0)
    points, radius = torch.rand(2, 5, 2, generator=g), torch.tensor([0.1, 0.05])
    shapes = strokes(points, torch.tensor([4, 3]), radius, torch.tensor([0, 1]))
    flipped = mirror(shapes, torch.tensor([True, False]), torch.tensor([False, True]))
    plain = rasterize(shapes, 2, 64)
    expected = torch.stack([plain[0].flip(2), plain[1].flip(1)])
    assert (rasterize(flipped, 2, 64) - expected).abs().mean() < 1e-3
