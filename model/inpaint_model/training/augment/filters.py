"""Separable filters as banded matrices [out, R] that include reflection at the borders.

Their matrix products are faster than depthwise convolutions and need no padding.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

HALO = 5  # samples that `downsampling` needs beyond borders
_TAPS = 6  # on each side
_BLOCK = 32  # outputs computed together


class Span(NamedTuple):
    """A block of outputs and the range of inputs that they depend on."""

    first: int
    last: int  # exclusive
    weights: Tensor  # [outputs, last - first]


Banded = tuple[Span, ...]


def along_both_axes(banded: Banded, images: Tensor) -> Tensor:
    """Filter images [N, C, R, R] to [N, C, out, out]."""
    rows = torch.cat([s.weights @ images[:, :, s.first : s.last] for s in banded], dim=2)
    return torch.cat([rows[..., s.first : s.last] @ s.weights.mT for s in banded], dim=3)


@lru_cache(maxsize=32)
def upsampling(resolution: int, device: torch.device) -> Banded:
    """Return a half-band low-pass from R pixels to 2 R, with 12 taps."""
    return _banded(_matrix(2 * resolution, resolution, 0.5), device)


@lru_cache(maxsize=32)
def downsampling(resolution: int, device: torch.device) -> Banded:
    """Return the same low-pass from 2 R + 2 `HALO` samples to R pixels."""
    wide = torch.zeros(resolution, 2 * resolution + 2 * HALO, dtype=torch.float64)
    weights = _half_band(torch.arange(-_TAPS, _TAPS) + 0.5)
    for pixel in range(resolution):
        wide[pixel, 2 * pixel : 2 * pixel + 2 * _TAPS] = weights / weights.sum()
    return _banded(wide.float(), device)


@lru_cache(maxsize=32)
def octave_bands(resolution: int, device: torch.device) -> Tensor:
    """Return filters [4, R, R] of octaves up to the Nyquist frequency, which add up to 1."""
    low = [_matrix(resolution, resolution, 1.0, cutoff) for cutoff in (1 / 8, 1 / 4, 1 / 2)]
    identity = torch.eye(resolution)
    bands = torch.stack([low[0], low[1] - low[0], low[2] - low[1], identity - low[2]])
    return bands.to(device)


def _half_band(distance: Tensor) -> Tensor:
    """Return a sinc with zeros two samples apart, in a Kaiser window."""
    window = torch.special.i0(4.0 * (1 - (distance / _TAPS).square()).clamp(min=0).sqrt())
    return torch.where(distance.abs() < _TAPS, torch.sinc(distance / 2) * window, 0.0)


def _matrix(out: int, size: int, spacing: float, cutoff: float = 1.0) -> Tensor:
    """Return a low-pass below `cutoff` (1 = Nyquist), sampled every `spacing` px, [out, size]."""
    matrix = torch.zeros(out, size, dtype=torch.float64)
    reach = _TAPS / (2 * cutoff)
    for row in range(out):
        position = (row + 0.5) * spacing - 0.5
        columns = torch.arange(math.ceil(position - reach), math.floor(position + reach) + 1)
        weights = _half_band((columns - position).double() * 2 * cutoff)
        matrix[row].index_add_(0, reflected(columns, size), weights / weights.sum())
    return matrix.float()


def _banded(matrix: Tensor, device: torch.device) -> Banded:
    spans = []
    for block in torch.split(matrix, _BLOCK):
        used = block.abs().sum(dim=0).nonzero()
        first, last = int(used.min()), int(used.max()) + 1
        spans.append(Span(first, last, block[:, first:last].contiguous().to(device)))
    return tuple(spans)


def reflected(index: Tensor, size: int) -> Tensor:
    """Map indices beyond a row's ends to its mirror image: c b a | a b c."""
    index = index.remainder(2 * size)
    return torch.minimum(index, 2 * size - 1 - index)
