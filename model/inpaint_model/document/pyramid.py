"""Reduce and enlarge along a pyramid of resolutions.

On a CPU, sums of slices are two to four times as fast as torch's `interpolate` and `avg_pool2d`.
"""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor


def block_sums(planes: Tensor, size: int) -> Tensor:
    """Return sums over blocks of size x size px, [C, ceil(H / size), ceil(W / size)].

    The planes are padded with zeros at the right and lower edge.
    """
    if size == 1:
        return planes
    missing = (0, -planes.shape[2] % size, 0, -planes.shape[1] % size)
    if any(missing):
        planes = F.pad(planes, missing)
    rows = reduce(torch.add, (planes[:, k::size] for k in range(size)))
    return reduce(torch.add, (rows[..., k::size] for k in range(size)))


def block_means(planes: Tensor, size: int) -> Tensor:
    """Return means as `block_sums` does, with a replicated right and lower edge."""
    missing = (0, -planes.shape[2] % size, 0, -planes.shape[1] % size)
    if any(missing):
        planes = F.pad(planes[None], missing, mode="replicate")[0]
    return block_sums(planes, size) / size**2


def known_block_means(planes: Tensor, known: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return means over the known pixels of blocks, and which blocks have any.

    Unknown pixels of the planes [C, H, W] must be finite, and unknown blocks are 0. For a size of 1
    the arguments are returned.
    """
    if size == 1:
        return planes, known
    weight = known[None].to(planes.dtype)
    weights = block_sums(weight, size)
    return block_sums(planes * weight, size) / weights.clamp(min=1), weights[0] > 0


def doubled(planes: Tensor, rows: int, columns: int) -> Tensor:
    """Double planes [C, H, W] bilinearly, cut to `rows` and `columns`; edges are replicated."""
    return _interleaved(_interleaved(planes, 1), 2)[:, :rows, :columns]


def _interleaved(planes: Tensor, axis: int) -> Tensor:
    inner = planes.shape[axis] - 1
    far = 0.25 * planes
    fine = torch.stack([0.75 * planes] * 2, dim=axis + 1)
    before, after = fine.unbind(axis + 1)
    before.narrow(axis, 1, inner).add_(far.narrow(axis, 0, inner))
    before.narrow(axis, 0, 1).add_(far.narrow(axis, 0, 1))
    after.narrow(axis, 0, inner).add_(far.narrow(axis, 1, inner))
    after.narrow(axis, inner, 1).add_(far.narrow(axis, inner, 1))
    return fine.flatten(axis, axis + 1)
