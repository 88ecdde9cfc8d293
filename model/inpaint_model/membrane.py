"""Smooth continuation of known values into a hole: the membrane (Laplace) equation.

Solved by cascadic multigrid (Bornemann and Deuflhard, 1996): known values are averaged down a
pyramid, the coarsest level is filled, and on the way up each level starts from the one below and
is relaxed by a few sweeps. Known values are kept exactly. The work is proportional to the number of
pixels, so a 1500 px region takes a fraction of a second on a processor.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def continued(values: Tensor, known: Tensor, sweeps: int = 2, reach: float | None = None) -> Tensor:
    """Fill the unknown pixels smoothly from the known ones.

    Args:
        values: float [C, H, W]; what unknown pixels hold does not matter.
        known: bool [H, W].
        sweeps: relaxation sweeps at full resolution; coarser levels get twice as many each.
        reach: None for the membrane; else the continued values fade to 0 over about so many px
            (the screened equation, laplacian(u) = u / reach^2).

    Returns:
        [C, H, W]: `values` where known, the continuation elsewhere; zeros if nothing is known.
    """
    if bool(known.all()):
        return values
    top, bottom = _extent(known.all(dim=1))
    left, right = _extent(known.all(dim=0))
    part = (slice(top, bottom), slice(left, right))
    result = values.clone()
    result[:, *part] = _solved(values[:, *part], known[part], sweeps, reach)
    return result


def _extent(known: Tensor) -> tuple[int, int]:
    """From the first to behind the last line with unknown pixels, with some known ones around."""
    unknown = torch.nonzero(~known)
    margin = 8
    return max(int(unknown[0]) - margin, 0), int(unknown[-1]) + 1 + margin


def _solved(values: Tensor, known: Tensor, sweeps: int, reach: float | None) -> Tensor:
    levels = [(values, known)]
    while min(levels[-1][1].shape) > 2 and not bool(levels[-1][1].all()):
        levels.append(_halved(*levels[-1]))
    coarse, coarse_known = levels[-1]
    weight = coarse_known.to(values.dtype)
    mean = (coarse * weight).sum((1, 2)) / weight.sum().clamp(min=1)
    solution = torch.where(coarse_known, coarse, mean[:, None, None])
    for depth in reversed(range(len(levels))):
        level, level_known = levels[depth]
        start = solution if depth == len(levels) - 1 else _doubled(solution, level)
        screening = 0.0 if reach is None else (2.0**depth / reach) ** 2
        count = min(sweeps * 2**depth, max(sweeps, 64))
        solution = _relaxed(start, level, level_known, screening, count)
    return solution


def _halved(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Means over the known ones of 2 x 2 px; a pixel is known if any of the four is."""
    weight = known.to(values.dtype)[None]
    pad = (0, known.shape[1] % 2, 0, known.shape[0] % 2)
    weights = F.avg_pool2d(F.pad(weight, pad), 2)
    sums = F.avg_pool2d(F.pad(torch.where(known, values, 0.0), pad), 2)
    return sums / weights.clamp(min=0.25), weights[0] > 0


def _doubled(coarse: Tensor, like: Tensor) -> Tensor:
    rows, columns = like.shape[1:]
    fine = F.interpolate(coarse[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
    return fine[:, :rows, :columns]


def _relaxed(start: Tensor, values: Tensor, known: Tensor, screening: float, sweeps: int) -> Tensor:
    """Jacobi sweeps with mirrored outer edges; every sweep keeps the known values."""
    solution = torch.where(known, values, start)
    for _ in range(sweeps):
        p = F.pad(solution[None], (1, 1, 1, 1), mode="replicate")[0]
        around = p[:, :-2, 1:-1] + p[:, 2:, 1:-1]
        around += p[:, 1:-1, :-2]
        around += p[:, 1:-1, 2:]
        around *= 1 / (4 + screening)
        solution = torch.where(known, values, around)
    return solution
