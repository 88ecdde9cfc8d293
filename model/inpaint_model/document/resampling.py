"""Resample images between document and model.

For a coarser target, the source is first reduced by an antialiased cubic kernel (Keys 1981). Then
it is sampled as a cubic spline (Unser, Aldroubi and Eden 1993). Both reproduce linear ramps
exactly, also at the border, so pixels do not shift.

Values are display values: the training images were reduced that way.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from inpaint_model.document.arrays import Float64Array, FloatImage, Matrix
from inpaint_model.document.geometry import (
    Box,
    bounding_box,
    compose,
    scaling,
    transform_points,
    translation,
)

_KEYS = 2.0  # half width of the reducing kernel, target px
_DENSITY = 1.5  # fewest samples per target px after reducing, so that a spline is exact enough
_POLE = math.sqrt(3) - 2  # of the filter that turns samples into coefficients of a spline
_REACH = 8  # px at which a sample's influence on the coefficients has fallen to 3e-5
_FINEST = 3.0  # fewest samples per target px after averaging
_BEYOND = 1.0  # how far ramps continue beyond the edges, px
_BLOCK = 128  # rows or columns that are summed or sampled at once, to stay in the cache


def resample(image: FloatImage, matrix: Matrix, width: int, height: int) -> FloatImage:
    """Resample an image [H, W, C], whose edge pixels continue beyond the edges.

    The matrix maps target px to source px: a similarity, except that the scales of x and y may
    differ slightly.
    """
    region = _needed_region(image, matrix, width, height)
    source = torch.from_numpy(np.ascontiguousarray(region.cut(image))).permute(2, 0, 1).contiguous()
    matrix = compose(translation(-region.x, -region.y), matrix)
    scale = pixels_per_pixel(matrix)
    if scale > 1:
        step = max(math.floor(scale / _DENSITY), 1)
        for axis in (1, 2):
            source = _reduced(source, scale, step, axis)
        matrix = compose(scaling(1 / step, 1 / step), matrix)
    for axis in (1, 2):
        source = _spline_coefficients(source, axis)
    target = torch.empty(len(source), height, width)
    for top in range(0, height, _BLOCK):
        strip = target[:, top : top + _BLOCK]
        shifted = compose(matrix, translation(0, top))
        strip[...] = _sampled(source[None], shifted, width, strip.shape[1])
    return np.ascontiguousarray(target.permute(1, 2, 0).numpy())


def enlarge(image: FloatImage, matrix: Matrix, width: int, height: int) -> FloatImage:
    """Sample a smooth image [h, w, C] bilinearly; the matrix maps target px to source px.

    Its edge pixels continue beyond the edges.
    """
    x, y = torch.arange(width) + 0.5, torch.arange(height)[:, None] + 0.5
    grid = torch.empty(1, height, width, 2)
    for axis, (row, length) in enumerate(zip(matrix, image.shape[1::-1], strict=True)):
        # grid_sample's coordinates are -1..1.
        across, down, offset = (row * (2 / length)).tolist()
        torch.add(across * x, down * y + (offset - 1), out=grid[0, ..., axis])
    source = torch.from_numpy(image).permute(2, 0, 1)[None]
    target = F.grid_sample(source, grid, padding_mode="border", align_corners=False)
    enlarged: FloatImage = target[0].permute(1, 2, 0).numpy()
    return enlarged


def pixels_per_pixel(matrix: Matrix) -> float:
    """Return the width of a target px in source px."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def averaging_factor(matrix: Matrix) -> int:
    """Return the block size, source px, that can be averaged with no visible effect."""
    return max(1, math.floor(pixels_per_pixel(matrix) / _FINEST))


def _needed_region(image: FloatImage, matrix: Matrix, width: int, height: int) -> Box:
    margin = _KEYS + 1
    left, top, right, bottom = -margin, -margin, width + margin, height + margin
    seen = transform_points(matrix, [(left, top), (right, top), (right, bottom), (left, bottom)])
    rows, columns = image.shape[:2]
    region = bounding_box(seen).grown(_REACH + 2).clipped(columns, rows)
    x, y = min(region.x, columns - 1), min(region.y, rows - 1)
    return Box(x, y, max(region.width, 1), max(region.height, 1))


def _reduced(source: Tensor, scale: float, step: int, axis: int) -> Tensor:
    """Reduce [C, H, W] to every `step`-th px along an axis, for target px of `scale` px.

    The last px may lie beyond the source.
    """
    count = -(-source.shape[axis] // step)
    first = math.ceil(step / 2 - _KEYS * scale - 0.5)  # px that contributes to the first mean
    offsets = np.arange(first, step - first) + 0.5 - step / 2
    weights = np.array([_keys(offset / scale) for offset in offsets.tolist()])
    return _weighted_sums(source, weights, first, count, step, axis)


def _spline_coefficients(samples: Tensor, axis: int) -> Tensor:
    """Return the coefficients of the cubic spline along an axis, with `_REACH` px more around.

    Truncated, the inverse of the spline's samples is a filter of 17 taps.
    """
    weights = _POLE ** np.abs(np.arange(-_REACH, _REACH + 1))
    count = samples.shape[axis] + 2 * _REACH
    return _weighted_sums(samples, weights, -2 * _REACH, count, 1, axis)


def _weighted_sums(
    planes: Tensor, weights: Float64Array, first: int, count: int, step: int, axis: int
) -> Tensor:
    """Return `count` weighted means along an axis of [C, H, W], the k-th from px first + k * step.

    They are products with band matrices, several times as fast as an addition for each weight.
    """
    shape = list(planes.shape)
    shape[axis] = count
    sums = planes.new_empty(shape)
    weights = weights / weights.sum()
    for start in range(0, count, _BLOCK):
        block = sums.narrow(axis, start, min(_BLOCK, count - start))
        taps = first + (start + np.arange(block.shape[axis])[:, None]) * step
        taps = taps + np.arange(len(weights))
        low, band = _band(taps, weights, planes.shape[axis])
        seen = planes.narrow(axis, low, band.shape[1])
        block[...] = band @ seen if axis == 1 else seen @ band.T
    return sums


def _band(taps: NDArray[np.intp], weights: Float64Array, length: int) -> tuple[int, Tensor]:
    """Return the first px of a line that counts, and the matrix [n, m] of n sums of m px from it.

    Sum k has the px `taps[k]`. Those beyond the ends continue the line by point reflection about
    its last px, and beyond the reflection at its slope, so that ramps stay ramps.
    """
    nearest = taps.clip(0, length - 1)
    beyond = np.abs(taps - nearest)
    side = np.sign(nearest - taps)  # toward the inside
    mirrored = (nearest + side * beyond).clip(0, length - 1)
    rest = beyond - np.abs(mirrored - nearest)
    neighbor = (nearest + side).clip(0, length - 1)
    parts = (
        (nearest, 1 + (beyond > 0) + rest),
        (mirrored, -1 * (beyond > 0)),
        (neighbor, -rest),
    )
    px = np.stack([px for px, _ in parts])
    factors = np.stack([factor for _, factor in parts]) * weights
    low, high = int(px.min()), int(px.max())
    rows, columns = len(taps), high + 1 - low
    places = px - low + np.arange(rows)[:, None] * columns
    band = np.bincount(places.ravel(), factors.ravel(), rows * columns).reshape(rows, columns)
    return low, torch.from_numpy(band.astype(np.float32))


def _keys(x: float) -> float:
    size = abs(x)
    if size < 1:
        return (1.5 * size - 2.5) * size**2 + 1
    return ((-0.5 * size + 2.5) * size - 4) * size + 2 if size < _KEYS else 0.0


def _sampled(coefficients: Tensor, matrix: Matrix, width: int, height: int) -> Tensor:
    """Sample a spline [1, C, H, W] at the pixels of a target, [C, height, width].

    The four weights of a cubic spline are two pairs of neighbors, so that four bilinear samples are
    enough (Sigg and Hadwiger 2005).
    """
    x, y = torch.arange(width).double() + 0.5, torch.arange(height).double()[:, None] + 0.5
    pairs = []
    for row, length in zip(matrix, (coefficients.shape[3], coefficients.shape[2]), strict=True):
        across, down, offset = row.tolist()
        edge = _REACH - _BEYOND
        at = (across * x + (down * y + (offset + _REACH))).clamp_(edge, length - edge)
        pairs.append(_neighbors((at - 0.5).float(), length))
    total = coefficients.new_zeros(coefficients.shape[1], height, width)
    grid = torch.empty(1, height, width, 2)
    for column, column_weight in pairs[0]:
        grid[0, ..., 0] = column
        for line, line_weight in pairs[1]:
            grid[0, ..., 1] = line
            seen = F.grid_sample(coefficients, grid, mode="bilinear", align_corners=False)[0]
            total.addcmul_(seen, column_weight * line_weight)
    return total


def _neighbors(at: Tensor, length: int) -> list[tuple[Tensor, Tensor]]:
    """Return the places of two pairs of coefficients, in -1..1, and their weights.

    `at` is in px between pixel centers.
    """
    pixel = at.floor()
    t = at - pixel
    last = t**3 / 6
    second = (t / 2 - 1) * t**2 + 2 / 3
    first_pair = (1 - t) ** 3 / 6 + second
    second_pair = 1 - first_pair
    places = (pixel - 1 + second / first_pair, pixel + 1 + last / second_pair)
    scale = 2 / length
    return [
        (place.add_(0.5).mul_(scale).sub_(1), weight)
        for place, weight in zip(places, (first_pair, second_pair), strict=True)
    ]
