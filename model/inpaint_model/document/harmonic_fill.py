"""Continue known values smoothly into a hole by solving the Laplace equation (a membrane).

The solver is cascadic multigrid (Bornemann and Deuflhard, 1996): known values are averaged down a
pyramid, and on the way up each level starts from the previous solution and is relaxed by a few
sweeps.
"""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint_model.document.pyramid import doubled, known_block_means


def harmonic_fill(
    values: Tensor, known: Tensor, sweeps: int = 2, reach: float | None = None
) -> Tensor:
    """Fill the unknown pixels of `values` [C, H, W]; with zeros if nothing is known.

    Unknown values are ignored and may be NaN; `known` is bool [H, W]. `sweeps` are at full
    resolution and double with each coarser level. With a `reach`, the fill fades to 0 over about as
    many px (screened equation, laplacian(u) = u / reach^2).
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
    unknown = torch.nonzero(~known)
    margin = 8
    return max(int(unknown[0]) - margin, 0), int(unknown[-1]) + 1 + margin


def _solved(values: Tensor, known: Tensor, sweeps: int, reach: float | None) -> Tensor:
    levels = [(values.nan_to_num() * known, known)]  # unknown values may be NaN
    while min(levels[-1][1].shape) > 2 and not bool(levels[-1][1].all()):
        levels.append(known_block_means(*levels[-1], 2))
    coarse, coarse_known = levels[-1]
    weight = coarse_known.to(values.dtype)
    mean = (coarse * weight).sum((1, 2)) / weight.sum().clamp(min=1)
    solution = torch.where(coarse_known, coarse, mean[:, None, None])
    for depth in reversed(range(len(levels))):
        level, level_known = levels[depth]
        start = solution if depth == len(levels) - 1 else doubled(solution, *level.shape[1:])
        screening = 0.0 if reach is None else (2.0**depth / reach) ** 2
        count = min(sweeps * 2**depth, max(sweeps, 64), max(level_known.shape) ** 2)
        solution = _relaxed(start, level, level_known, screening, count)
    return solution


def _relaxed(start: Tensor, values: Tensor, known: Tensor, screening: float, sweeps: int) -> Tensor:
    """Apply Jacobi sweeps with mirrored edges, keeping the known values.

    Unknown `values` must be 0: a product and a sum then restore the known ones, which is much
    faster than a selection per pixel.
    """
    unknown = (~known).to(values.dtype)
    weight = unknown / (4 + screening)
    padded = values.new_empty(len(values), known.shape[0] + 2, known.shape[1] + 2)
    solution = padded[:, 1:-1, 1:-1]
    torch.addcmul(values, start, unknown, out=solution)
    around = torch.empty_like(values)
    for _ in range(sweeps):
        for edge, nearest in ((0, 1), (-1, -2)):
            padded[:, edge] = padded[:, nearest]
            padded[..., edge] = padded[..., nearest]
        torch.add(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], out=around)
        around += padded[:, 1:-1, :-2]
        around += padded[:, 1:-1, 2:]
        torch.addcmul(values, around, weight, out=solution)
    return solution
