"""Continue known values smoothly into a hole by solving the Laplace equation (a membrane).

The solver is cascadic multigrid (Bornemann and Deuflhard, 1996): known values are averaged down a
pyramid, and on the way up each level starts from the previous solution and is relaxed by a few
sweeps. The sweeps' relaxation factors are Chebyshev's (Young 1953): together they do as much as
several times as many sweeps of Jacobi's method.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import zip_longest

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from inpaint_model.document.borders import grown
from inpaint_model.document.geometry import Box, union
from inpaint_model.document.pyramid import block_sums, doubled

_CELL = 16  # px: holes closer than this are solved together
_MARGIN = 8  # px
_MOST_PARTS = 64
_REACHES = 6  # beyond this many reaches, a fill has faded to 0.3 %
_CYCLE = 16  # sweeps with factors of their own; with more, rounding errors would grow


def harmonic_fill(
    values: Tensor, known: Tensor, sweeps: int = 2, reach: float | None = None
) -> Tensor:
    """Fill the unknown pixels of `values` [C, H, W]; with zeros if nothing is known.

    Unknown values are ignored and may be NaN; `known` is bool [H, W]. `sweeps` are at full
    resolution and double with each coarser level. With a `reach`, the fill fades to 0 over about as
    many px (screened equation, laplacian(u) = u / reach^2), and is 0 farther away.
    """
    if bool(known.all()):
        return values
    cells = _cells(~known)
    if reach is None:
        result = values
    else:
        result = torch.where(known, values, 0)
        sources = _cells((result != 0).any(0))
        cells &= grown(sources, math.ceil(_REACHES * reach / _CELL))
    parts = _parts(cells, *known.shape)
    if parts == [(slice(0, known.shape[0]), slice(0, known.shape[1]))]:
        return _solved(values, known, sweeps, reach)
    result = result.clone()
    for part in parts:
        result[:, *part] = _solved(values[:, *part], known[part], sweeps, reach)
    return result


def _cells(mask: Tensor) -> Tensor:
    """Return which cells of `_CELL` px have pixels of a mask [H, W]."""
    return block_sums(mask[None].float(), _CELL)[0] > 0


def _parts(cells: Tensor, height: int, width: int) -> list[tuple[slice, slice]]:
    """Return disjoint boxes around cells, with a margin, clipped to an image's size.

    Separate holes are solved separately: what lies between them would take as long as they do.
    """
    labels, count = ndimage.label(cells.numpy(), np.ones((3, 3)))
    boxes = [
        Box(x.start, y.start, x.stop - x.start, y.stop - y.start)
        for y, x in ndimage.find_objects(labels)
    ]
    boxes = [
        Box(*(_CELL * px for px in box)).grown(_MARGIN).clipped(width, height) for box in boxes
    ]
    if count > _MOST_PARTS:
        boxes = [union(boxes)]
    separate: list[Box] = []
    while boxes:
        box = boxes.pop()
        near = [other for other in separate if box.intersection(other).area]
        if near:  # their union may touch others
            separate = [other for other in separate if other not in near]
            boxes.append(union([box, *near]))
        else:
            separate.append(box)
    return [(slice(box.y, box.bottom), slice(box.x, box.right)) for box in separate]


def _solved(values: Tensor, known: Tensor, sweeps: int, reach: float | None) -> Tensor:
    levels = [(torch.where(known, values, 0), known)]
    most = math.inf if reach is None else _REACHES * reach  # beyond, all would be 0
    while (
        min(levels[-1][1].shape) > 2 and 2 ** len(levels) < most and not bool(levels[-1][1].all())
    ):
        levels.append(_halved(*levels[-1]))
    coarse, coarse_known = levels[-1]
    mean = coarse.sum((1, 2)) / coarse_known.sum().clamp(min=1) * (reach is None)
    solution = torch.where(coarse_known, coarse, mean[:, None, None])
    for depth in reversed(range(len(levels))):
        level, level_known = levels[depth]
        start = solution if depth == len(levels) - 1 else doubled(solution, *level.shape[1:])
        screening = 0.0 if reach is None else (2.0**depth / reach) ** 2
        count = min(sweeps * 2**depth, max(sweeps, _CYCLE))
        solution = _relaxed(start, level, level_known, screening, count)
    return _within(solution, values[:, known], reach)


def _within(solution: Tensor, known: Tensor, reach: float | None) -> Tensor:
    """Clamp a solution [C, H, W] to the range of the known values [C, n], as the exact one is.

    With a reach, it fades to 0, which is then in the range. Single sweeps can leave it.
    """
    if known.shape[1]:
        low, high = known.amin(1), known.amax(1)
        if reach is not None:
            low, high = low.clamp(max=0), high.clamp(min=0)
        for plane, *bounds in zip(solution, low.tolist(), high.tolist(), strict=True):
            plane.clamp_(*bounds)  # several times as fast as with bounds in a tensor
    return solution


def _halved(values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Return `known_block_means` of values that are 0 where they are unknown."""
    count = block_sums(known[None].to(values.dtype), 2)
    return block_sums(values, 2) / count.clamp(min=1), count[0] > 0


def _relaxed(start: Tensor, values: Tensor, known: Tensor, screening: float, sweeps: int) -> Tensor:
    """Apply sweeps with mirrored edges, keeping the known values.

    A sweep moves every unknown value toward the mean of its four neighbors, by a factor. Unknown
    `values` must be 0: a product and a sum then restore the known ones, which is much faster than a
    selection per pixel.
    """
    unknown = (~known).to(values.dtype)
    padded = values.new_empty(len(values), known.shape[0] + 2, known.shape[1] + 2)
    solution = padded[:, 1:-1, 1:-1]
    torch.addcmul(values, start, unknown, out=solution)
    around = torch.empty_like(solution)
    diagonal = 4 + screening
    for sweep in range(sweeps):
        for edge, nearest in ((0, 1), (-1, -2)):
            padded[:, edge] = padded[:, nearest]
            padded[..., edge] = padded[..., nearest]
        factor = _factors(min(sweeps, _CYCLE))[sweep % _CYCLE]
        torch.add(padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], out=around)
        around += padded[:, 1:-1, :-2]
        around += padded[:, 1:-1, 2:]
        around.add_(solution, alpha=diagonal * (1 / factor - 1))
        torch.addcmul(values, around, unknown, value=factor / diagonal, out=solution)
    return solution


@cache
def _factors(sweeps: int) -> tuple[float, ...]:
    """Return the relaxation factors of a cycle: the inverse roots of a Chebyshev polynomial.

    Together they reduce errors whose eigenvalues of the scaled operator lie in `low`..2. What is
    smoother has been solved by the coarser levels. Large and small factors take turns, so that
    intermediate results stay bounded.
    """
    low = 2 / max(sweeps, 2) ** 2
    roots = [
        (2 + low) / 2 + (2 - low) / 2 * math.cos(math.pi * (k + 0.5) / sweeps)
        for k in range(sweeps)
    ]
    half = (sweeps + 1) // 2
    turns = zip_longest(roots[:half], reversed(roots[half:]))
    return tuple(1 / root for pair in turns for root in pair if root is not None)
