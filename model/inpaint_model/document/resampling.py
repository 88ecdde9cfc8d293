"""Resample images between document and model.

For a coarser target, the source is averaged in whole pixels to three to six samples per target
pixel, sampled on a finer, rotated grid, and reduced by an antialiased cubic kernel. For a finer
target, it is first refined with the cardinal cubic spline. Both reproduce linear ramps exactly,
also at the border, so pixels do not shift.

Values are display values: the training images were reduced that way.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from inpaint_model.document.arrays import FloatImage, Matrix
from inpaint_model.document.geometry import (
    Box,
    bounding_box,
    compose,
    scaling,
    transform_points,
    translation,
)
from inpaint_model.document.pyramid import block_means

_REACH = 8  # source px at which a pixel's influence on the spline has fallen to 3e-5
_LARGE = 640  # source px from which less refinement saves memory
_REDUCTION_MARGIN = 3  # support of the reducing kernel, target px
_FINEST = 3.0  # fewest samples per target px after averaging


def resample(image: FloatImage, matrix: Matrix, width: int, height: int) -> FloatImage:
    """Resample an image [H, W, C], whose edge pixels continue beyond the edges.

    The matrix maps target px to source px: a similarity, except that the scales of x and y may
    differ slightly.
    """
    region = _needed_region(image, matrix, width, height)
    source = torch.from_numpy(np.ascontiguousarray(region.cut(image))).permute(2, 0, 1)[None]
    matrix = compose(translation(-region.x, -region.y), matrix)

    scale = pixels_per_pixel(matrix)
    average = averaging_factor(matrix)
    if average > 1:
        source = block_means(source[0], average)[None]
        matrix = compose(scaling(1 / average, 1 / average), matrix)
        scale /= average
    if scale < 2:
        # Odd, so that the samples include the pixel centers: no blur at scale 1.
        factor = 5 if scale < 0.9 and max(source.shape[2:]) < _LARGE else 3
        source = _refined(source, factor)
        offset = float(factor)  # the px that `_refined` adds
        matrix = compose(compose(translation(offset, offset), scaling(factor, factor)), matrix)
    target = _sampled(source, matrix, width, height, math.ceil(scale - 1e-9))
    return np.ascontiguousarray(target[0].permute(1, 2, 0).numpy())


def pixels_per_pixel(matrix: Matrix) -> float:
    """Return the width of a target px in source px."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def averaging_factor(matrix: Matrix) -> int:
    """Return the block size, source px, that can be averaged with no visible effect."""
    return max(1, math.floor(pixels_per_pixel(matrix) / _FINEST))


def _needed_region(image: FloatImage, matrix: Matrix, width: int, height: int) -> Box:
    margin = _REDUCTION_MARGIN + 1
    left, top, right, bottom = -margin, -margin, width + margin, height + margin
    seen = transform_points(matrix, [(left, top), (right, top), (right, bottom), (left, bottom)])
    rows, columns = image.shape[:2]
    region = bounding_box(seen).grown(_REACH + 2).clipped(columns, rows)
    x, y = min(region.x, columns - 1), min(region.y, rows - 1)
    return Box(x, y, max(region.width, 1), max(region.height, 1))


def _refined(source: Tensor, factor: int) -> Tensor:
    """Interpolate `factor` samples per px, with one px added on every side."""
    across = _refined_columns(source.mT, factor).mT
    return _refined_columns(across, factor)  # most of the work, on contiguous rows


def _refined_columns(source: Tensor, factor: int) -> Tensor:
    """Refine vertically: [N, C, H, W] -> [N, C, (H + 2) * factor, W]."""
    extended = _continued(source, _REACH + 2).numpy()
    smooth = ndimage.spline_filter1d(extended, order=3, axis=-2, output=np.float32, mode="mirror")
    length = source.shape[-2] + 2
    near = torch.from_numpy(smooth[..., _REACH - 1 : _REACH + length + 3, :])
    fine = near.new_zeros(*near.shape[:-2], length, factor, near.shape[-1])
    for phase in range(factor):
        offset = (phase + 0.5) / factor - 0.5  # from the pixel's center, px
        for tap in (-2, -1, 0, 1, 2):
            weight = _b_spline(offset - tap)
            if weight > 0:
                shifted = near[..., 2 + tap : 2 + tap + length, :]
                fine[..., phase, :].add_(shifted, alpha=weight)
    return fine.flatten(-3, -2)


def _b_spline(x: float) -> float:
    size = abs(x)
    return 2 / 3 - size**2 * (1 - size / 2) if size < 1 else max(2 - size, 0.0) ** 3 / 6


def _continued(source: Tensor, count: int) -> Tensor:
    """Add `count` rows above and below by point reflection, which continues ramps."""
    length = source.shape[-2]
    if length == 1:
        return source.expand(*source.shape[:-2], 1 + 2 * count, -1)
    steps = torch.arange(1, count + 1).clamp(max=length - 1)
    beyond = (torch.arange(1, count + 1) - steps).to(source.dtype)[:, None]
    first, last = source[..., :1, :], source[..., -1:, :]
    before = (2 * first - source[..., steps, :]) - beyond * (source[..., 1:2, :] - first)
    after = 2 * last - source[..., length - 1 - steps, :]
    after += beyond * (last - source[..., -2:-1, :])
    return torch.cat([before.flip(-2), source, after], dim=-2)


def _sampled(source: Tensor, matrix: Matrix, width: int, height: int, density: int) -> Tensor:
    """Sample at `density` x `density` points per target px, then reduce."""
    margin = _REDUCTION_MARGIN if density > 1 else 0
    columns = (width + 2 * margin) * density
    rows = (height + 2 * margin) * density
    x = (torch.arange(columns, dtype=torch.float64) + 0.5) / density - margin
    y = (torch.arange(rows, dtype=torch.float64) + 0.5) / density - margin
    grid = torch.empty(1, rows, columns, 2)  # -1..1 over the source
    for i, length in enumerate((source.shape[3], source.shape[2])):
        across, down, offset = (matrix[i] * (2 / length)).tolist()
        torch.add(across * x, (down * y + (offset - 1))[:, None], out=grid[0, ..., i])
    fine = F.grid_sample(source, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if density == 1:
        return fine
    reduced = F.interpolate(
        fine,
        size=(height + 2 * margin, width + 2 * margin),
        mode="bicubic",
        antialias=True,
        align_corners=False,
    )
    return reduced[..., margin:-margin, margin:-margin]
