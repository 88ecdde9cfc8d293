"""Which parts of an image to refine, so that the network runs only around what it may change."""

from __future__ import annotations

from typing import NamedTuple

import torch
from scipy.ndimage import label
from torch import Tensor

_MARGIN = 24  # context around what may change, px


class Part(NamedTuple):
    """A part of an image that is refined by itself."""

    rows: slice
    columns: slice
    changed: Tensor  # bool [rows, columns]: the pixels to take from the refined part

    @classmethod
    def around(cls, changed: Tensor, multiple: int) -> Part:
        """Return the smallest part with a margin around some pixels of an image, bool [R, R]."""
        rows, columns = (_around(changed.any(axis), multiple) for axis in (1, 0))
        return cls(rows, columns, changed[rows, columns])


def parts_around(changing: Tensor, multiple: int) -> list[Part]:
    """Return parts for all pixels of an image that may change, bool [R, R].

    Each separate area of them gets a part of its own, unless one part for all has fewer pixels.
    Sides are multiples of `multiple`, as R is.
    """
    areas = torch.from_numpy(label(changing.numpy())[0])
    apart = [Part.around(areas == k, multiple) for k in range(1, int(areas.max()) + 1)]
    if len(apart) < 2:
        return apart
    joined = Part.around(changing, multiple)
    pixels = sum(part.changed.numel() for part in apart)
    return [joined] if joined.changed.numel() <= pixels else apart


def _around(present: Tensor, multiple: int) -> slice:
    """Return the range of what is present, bool [R], with the margin.

    It starts and ends at multiples of some pixels: the coarser levels of the network then see the
    same blocks as in the whole image. With others, they would draw something else, and an eye would
    depend on the outline of its hole.
    """
    found = present.nonzero()
    start = max(int(found[0]) - _MARGIN, 0) // multiple * multiple
    stop = -(-(int(found[-1]) + 1 + _MARGIN) // multiple) * multiple
    return slice(start, min(stop, len(present)))
