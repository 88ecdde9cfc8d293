"""Copy fine texture, such as pores and strands, from the known pixels of the same document.

Where a document is much finer than a fill, the fill's finest octaves are empty, and the next one is
soft. Each block of the fill looks for known blocks that resemble it at a resolution that both have
(Freeman, Jones and Pasztor 2002) and takes over their finest detail, as far as it has none of its
own. Neighbors prefer to continue one another's sources (Ashikhmin 2001, Barnes et al. 2009), so
that strands and pores stay whole. Where they do not, they meet in a narrow fade that keeps the
strength. See docs/decisions/0050.

"Low" is the resolution that is compared: the document, halved `octaves` times. A place is the
number of a low pixel at the corner of a block: (square * _PLACES + y) * _PLACES + x.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.spatial import cKDTree
from torch import Tensor

from inpaint_model.document.color import LUMA
from inpaint_model.document.geometry import Box
from inpaint_model.document.pyramid import block_means, block_sums, doubled

MOST_OCTAVES = 3
MOST_PX = 4 << 20  # of the document that are copied from
MOST_SQUARES = 32
SQUARE = 64  # side of a square of the document, px of low
_BLOCK = 4  # side of a block that is copied, px of low
_AROUND = 1  # what is compared around a block, px of low
_SEEN = _BLOCK + 2 * _AROUND
_PLACES = SQUARE - _SEEN + 1  # in a square, along one axis
_STRIDE = 2  # of the places that are searched
_FEWEST = 64  # places to search
_NUMBERS = 8  # that describe a place
_ALIKE = 12  # places that are considered for a block
_SWEEPS = 4
_FADE = 2  # half of the width of the fade between blocks, px
_MOST_PEAKED = 10.0
_UNLIKE = 0.1  # squared difference from the most similar place at which nothing is copied
_STRIP = 64  # rows that are copied at once

# Prices, in differences between a block and the place that is most like it:
_APART = 2.0  # for each neighbor that is not continued
_REPEATED = 8.0  # for a place that another block nearby has
_UNUSUAL = 6.0  # for detail of twice the usual energy, such as a stray hair
_MOST_UNUSUAL = 10.0


def texture_octaves(factor: float) -> int:
    """Return how many octaves of texture a fill gets, for document px per px of the fill."""
    lacking = round(math.log2(factor))
    return min(lacking + 1, MOST_OCTAVES) if lacking > 0 else 0


def finest(image: Tensor, octaves: int) -> tuple[Tensor, Tensor]:
    """Return an image [3, H, W] at low resolution, and the detail [3, H, W] that it lacks there."""
    low, sizes = image, []
    for _ in range(octaves):
        sizes.append(low.shape[1:])
        low = block_means(low, 2)
    smooth = low
    for size in reversed(sizes):
        smooth = doubled(smooth, *size)
    return low, image - smooth


class Square(NamedTuple):
    """A square of the document."""

    color: Tensor  # [3, S, S]
    known: Tensor  # bool [S, S]


class Needs(NamedTuple):
    """What a fill, or a part of it, has; by block, except for `low`."""

    low: Tensor  # [3, h, w]
    energy: Tensor  # mean square of its own finest detail, [ceil(h / 4), ceil(w / 4)]
    wanted: Tensor  # whether it needs texture, bool of the same size

    @classmethod
    def of(cls, fill: Tensor, hole: Tensor, octaves: int) -> Needs:
        """Describe a fill [3, H, W] in a hole, bool [H, W]."""
        low, detail = finest(fill, octaves)
        side = _BLOCK << octaves
        sums = block_sums(torch.stack([detail.square().mean(0), hole.float()]), side)
        return cls(low, sums[0] / side**2, sums[1] > 0)


@dataclass(frozen=True, eq=False)
class Exemplar:
    """Known squares of a document, from which texture is copied."""

    octaves: int
    detail: Tensor = field(repr=False)  # float16 [3, n * S * S]
    numbers: Tensor = field(repr=False)  # that describe the places, [places, _NUMBERS]
    energy: Tensor = field(repr=False)  # mean square of the detail, [places]
    usable: Tensor = field(repr=False)  # bool [places]
    searched: Tensor = field(repr=False)  # some usable places
    basis: Tensor = field(repr=False)  # from what is compared to numbers

    @classmethod
    def of(cls, squares: Iterable[Square], octaves: int) -> Exemplar | None:
        """Prepare squares with sides of `SQUARE` px of low; None if too little of them is known."""
        unit = 1 << octaves
        details, seen, energies, usable = [], [], [], []
        for color, known in squares:
            low, detail = finest(color.clamp(0, 1), octaves)
            details.append(detail.flatten(1).half())
            seen.append(_compared(low, 1))
            energy = _place_means(detail.square(), unit)
            speckled = _place_means(detail.square().square(), unit) > _MOST_PEAKED * energy.square()
            energies.append(energy)
            hidden = F.max_pool2d((~known)[None].float(), unit)
            # One pixel more than is seen, because fading reaches beyond the block.
            near = F.max_pool2d(hidden, _SEEN + 2, stride=1, padding=1)
            usable.append((near == 0).flatten() & ~speckled)
        if not usable:
            return None
        places = torch.nonzero(torch.cat(usable))[:, 0]
        y, x = places // _PLACES % _PLACES, places % _PLACES
        searched = places[(y % _STRIDE == 0) & (x % _STRIDE == 0)]
        if len(searched) < _FEWEST:
            return None
        compared = torch.cat(seen)
        given = compared[searched]
        centered = given - given.mean(0)
        basis = torch.linalg.eigh(centered.T @ centered)[1][:, -_NUMBERS:]
        numbers = compared @ basis
        return cls(
            octaves,
            torch.cat(details, 1),
            numbers,
            torch.cat(energies),
            torch.cat(usable),
            searched,
            basis,
        )

    @property
    def num_bytes(self) -> int:
        """Memory."""
        return sum(each.nbytes for each in (self.detail, self.numbers, self.energy, self.usable))

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.numbers[self.searched].numpy())

    def texture(self, needs: Needs) -> Texture:
        """Choose a place for each block of a fill that needs texture."""
        rows, columns = needs.wanted.shape
        height, width = needs.low.shape[1:]
        beyond = columns * _BLOCK - width, rows * _BLOCK - height
        margins = _AROUND, _AROUND + beyond[0], _AROUND, _AROUND + beyond[1]
        low = F.pad(needs.low[None], margins, mode="replicate")[0]
        y, x = torch.nonzero(needs.wanted).unbind(1)
        numbers = (_compared(low, _BLOCK) @ self.basis)[y * columns + x]
        nearest = self._tree.query(numbers.numpy(), k=_ALIKE, eps=0.5)[1]
        alike = self.searched[torch.from_numpy(nearest)]
        least = (self.numbers[alike[:, 0]] - numbers).square().sum(1)
        usual = self.energy[alike].median(1).values
        blocks = _Blocks(y, x, numbers, alike, least, usual)
        places = self._coherent(blocks, rows, columns)
        energy = self.energy[places[y, x]].clamp(min=1e-12)
        added = torch.minimum(energy, usual) - needs.energy[y, x]
        # What is like nothing that is known, such as hair where all hair is replaced, gets none.
        known = (1 - (least / _UNLIKE) ** 2).clamp(min=0)
        strength = torch.zeros(rows, columns)
        strength[y, x] = (added / energy).clamp(min=0).sqrt() * known
        return Texture(self, places, strength)

    def _coherent(self, blocks: _Blocks, rows: int, columns: int) -> Tensor:
        """Return the places of blocks, [rows, columns]; -1 where no texture is wanted."""
        y, x = blocks.y + 2, blocks.x + 2
        places = torch.full((rows + 4, columns + 4), -1)
        # Not all start with the best one, since the same one would be all over a flat area.
        places[y, x] = blocks.alike.gather(1, ((x + 3 * y) % _ALIKE)[:, None])[:, 0]
        nearby = [(down, right) for down in range(-2, 3) for right in range(-2, 3) if down or right]
        beside = [(down, right) for down, right in nearby if abs(down) + abs(right) == 1]
        for sweep in range(2 * _SWEEPS):
            turn = (y + x) % 2 == sweep % 2
            row, column = y[turn], x[turn]
            used = torch.stack([places[row + down, column + right] for down, right in nearby], 1)
            continued = torch.stack(
                [
                    self._moved(places[row + down, column + right], -down, -right)
                    for down, right in beside
                ],
                1,
            )
            candidates = torch.cat([blocks.alike[turn], continued], 1)  # [n, m]
            at = candidates.clamp(min=0)
            difference = (self.numbers[at] - blocks.numbers[turn, None]).square().sum(2)
            apart = (candidates[:, :, None] != continued[:, None]).sum(2)
            repeated = (candidates[:, :, None] == used[:, None]).any(2)
            unusual = self.energy[at] / blocks.usual[turn, None].clamp(min=1e-12) - 1
            price = _APART * apart + _REPEATED * repeated
            price += _UNUSUAL * unusual.clamp(0, _MOST_UNUSUAL)
            cost = difference + blocks.least[turn, None] * price
            best = torch.where(candidates < 0, torch.inf, cost).argmin(1, keepdim=True)
            places[row, column] = candidates.gather(1, best)[:, 0]
        return places[2:-2, 2:-2]

    def _moved(self, places: Tensor, down: int, right: int) -> Tensor:
        """Return the places some blocks away; -1 where there is none."""
        y = places // _PLACES % _PLACES + down * _BLOCK
        x = places % _PLACES + right * _BLOCK
        inside = (places >= 0) & (y >= 0) & (y < _PLACES) & (x >= 0) & (x < _PLACES)
        moved = torch.where(inside, places + (down * _PLACES + right) * _BLOCK, 0)
        return torch.where(inside & self.usable[moved], moved, -1)


class _Blocks(NamedTuple):
    """The blocks of a fill that need texture."""

    y: Tensor  # [n]
    x: Tensor
    numbers: Tensor  # [n, _NUMBERS]
    alike: Tensor  # places, [n, _ALIKE]
    least: Tensor  # squared difference from the first of them, [n]
    usual: Tensor  # median energy of their detail, [n]


class Texture(NamedTuple):
    """The texture of a fill, by block."""

    exemplar: Exemplar
    places: Tensor  # [rows, columns], -1: none
    strength: Tensor  # 0..1, [rows, columns]

    def cut(self, box: Box) -> Tensor:
        """Return the texture in a box of the fill, [3, H, W]."""
        texture = torch.empty(3, box.height, box.width)
        for top in range(0, box.height, _STRIP):
            strip = texture[:, top : top + _STRIP]
            strip[:] = self._cut(Box(box.x, box.y + top, box.width, strip.shape[1]))
        return texture

    def _cut(self, box: Box) -> Tensor:
        side = _BLOCK << self.exemplar.octaves
        rows, columns = self.places.shape
        starts = self._starts(side)
        y, x = torch.arange(box.y, box.bottom), torch.arange(box.x, box.right)
        row, row_beside, down = _overlaps(y, side, rows)
        column, column_beside, right = _overlaps(x, side, columns)

        def copied(row: Tensor, column: Tensor, y: Tensor, x: Tensor, weight: Tensor) -> Tensor:
            px = starts[row[:, None], column] + y[:, None] * (SQUARE << self.exemplar.octaves) + x
            return self.exemplar.detail[:, px] * (self.strength[row[:, None], column] * weight)

        texture = copied(row, column, y, x, (1 - down)[:, None] * (1 - right))
        at_y, at_x = torch.nonzero(down)[:, 0], torch.nonzero(right)[:, 0]
        above, left = row_beside[at_y], column_beside[at_x]
        weights = down[at_y, None], right[at_x]
        texture[:, at_y] += copied(above, column, y[at_y], x, weights[0] * (1 - right))
        texture[:, :, at_x] += copied(row, left, y, x[at_x], (1 - down)[:, None] * weights[1])
        corners = copied(above, left, y[at_y], x[at_x], weights[0] * weights[1])
        texture[:, at_y[:, None], at_x] += corners

        # A mean of different pixels has less variance; a mean of the same pixel is that pixel.
        same = starts[above[:, None], column] == starts[row[at_y, None], column]
        texture[:, at_y] /= _deviation(weights[0], same)
        same = starts[row[:, None], left] == starts[row[:, None], column[at_x]]
        texture[:, :, at_x] /= _deviation(weights[1], same)
        return texture

    def _starts(self, side: int) -> Tensor:
        """Return which columns of the exemplar's detail are at y = x = 0, [rows, columns]."""
        octaves, places = self.exemplar.octaves, self.places.clamp(min=0)
        square = SQUARE << octaves
        y, x = torch.arange(places.shape[0])[:, None] * side, torch.arange(places.shape[1]) * side
        row = ((places // _PLACES % _PLACES + _AROUND) << octaves) - y
        column = ((places % _PLACES + _AROUND) << octaves) - x
        return (places // _PLACES**2 * square + row) * square + column


def _deviation(weight: Tensor, same: Tensor) -> Tensor:
    """Return the standard deviation of a mean with the weights w and 1 - w."""
    variance = weight.square() + (1 - weight).square() + 2 * weight * (1 - weight) * same
    return variance.sqrt()


def _overlaps(px: Tensor, side: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the block of each px, the neighbor that fades into it, and its weight."""
    block, inside = px // side, px % side
    is_first = inside < side // 2
    distance = torch.where(is_first, inside, side - 1 - inside) + 0.5
    weight = (0.5 - distance / (2 * _FADE)).clamp(min=0)
    beside = (block + torch.where(is_first, -1, 1)).clamp(0, count - 1)
    return block, beside, weight


def _compared(low: Tensor, stride: int) -> Tensor:
    """Return mean color and luma of blocks with their margins, [n, 3 + _SEEN^2]."""
    luma = torch.einsum("c,chw->hw", torch.from_numpy(LUMA), low)[None, None]
    patches = F.unfold(luma, _SEEN, stride=stride)[0].T
    colors = F.unfold(low[:, None], _SEEN, stride=stride).mean(1).T
    # The color counts as much as the luma of all pixels.
    return torch.cat([_SEEN * colors, patches - patches.mean(1, keepdim=True)], 1)


def _place_means(values: Tensor, unit: int) -> Tensor:
    """Return the means of a square's values [3, S, S] in the blocks at its places."""
    means = F.avg_pool2d(block_means(values.mean(0)[None], unit), _BLOCK, stride=1)[0]
    return means[_AROUND:-_AROUND, _AROUND:-_AROUND].flatten()
