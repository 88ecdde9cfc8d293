"""Match the sharpness and grain of a fill to its surroundings, octave by octave.

An image is divided into as many octaves of detail (a Laplacian pyramid, Burt and Adelson 1983) as
an enlarged fill lacks. On the ring around the hole, model and document show the same content, so
the ratio of their detail measures how much too soft or sharp the fill is. Detail is raised only as
far as the two correlate, since amplifying misplaced detail would make it worse.

Grain is what remains in the flattest blocks of the known pixels. One half of a block's pixels says
how flat it is, and the other half is measured; the same pixels for both would find too little
grain. Where the fill has less, noise is added, the same for all candidates and edits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from inpaint_model.document.color import LUMA
from inpaint_model.document.pyramid import block_means, block_sums, doubled

_MAX_OCTAVES = 4
_BLOCK = 4  # side of a block, px of the octave
_CELLS = (torch.arange(_BLOCK)[:, None] // 2 + torch.arange(_BLOCK) // 2) % 2 == 1
"""The half of a block that is measured, bool [_BLOCK, _BLOCK]: alternate cells of 2 x 2 px."""
_MIN_BLOCKS = 6
_ENOUGH_BLOCKS = 4096  # to measure the grain of a part
_FLAT = 0.25  # fraction of the blocks that count as flat


class KnownDetail(NamedTuple):
    """One octave of the document around a hole."""

    ring: Tensor  # [1, h, w]: fraction of a pixel in the ring, 0..1
    hole: Tensor  # bool [h, w]: entirely inside the hole
    band: Tensor  # [3, h, w]: the detail
    energy: Tensor  # of the detail on the ring
    floor: Tensor | None  # [3, 3], covariance of the noise, if known
    noise: Tensor  # [3, h, w], unit variance


def octaves(upscale_factor: float) -> int:
    """Return in how many octaves a fill is fitted."""
    return min(1 + math.ceil(math.log2(max(upscale_factor, 1.0))), _MAX_OCTAVES)


def known_detail(
    document: Tensor, hole: Tensor, ring: Tensor, count: int, seed: int
) -> list[KnownDetail]:
    """Return up to `count` octaves of a document [3, H, W], finest first.

    Hole and ring are bool [H, W].
    """
    generator = Generator().manual_seed(seed)
    image, around, inside = document.clamp(0, 1), ring[None].float(), hole[None].float()
    result = []
    for _ in range(count):
        if min(image.shape[1:]) < 2 * _BLOCK:
            break
        low, band = split(image)
        white = torch.randn(band.shape, generator=generator)
        noise = split(white)[1]
        result.append(
            KnownDetail(
                around,
                inside[0] > 0.999,
                band,
                (band.square() * around).sum(),
                noise_floor(band, around[0] > 0.999),
                noise / noise.std(),
            )
        )
        image, around, inside = low, block_means(around, 2), block_means(inside, 2)
    return result


class DetailGain(NamedTuple):
    """The change of one octave of a fill."""

    gain: float  # factor of the detail
    grain: Tensor | None  # [3, h, w], noise to add


def laplacian_bands(fill: Tensor, count: int) -> list[Tensor]:
    """Return the detail of a fill [3, H, W] in `count` octaves, finest first."""
    result = []
    for _ in range(count):
        fill, band = split(fill)
        result.append(band)
    return result


def detail_gains(fill_bands: list[Tensor], known: list[KnownDetail]) -> list[DetailGain]:
    """Return the changes that make a fill as sharp and grainy as the document."""
    matches = []
    for band, octave in zip(fill_bands, known, strict=True):
        gain, grain = _gain(band, octave), None
        present = noise_floor(band, octave.hole)
        if present is not None and octave.floor is not None:
            grain = _noise(octave, octave.floor - gain**2 * present)
        matches.append(DetailGain(gain, grain))
    return matches


def apply_detail_gains(fill: Tensor, fill_bands: list[Tensor], matches: list[DetailGain]) -> Tensor:
    """Return the fill [3, H, W] with its `laplacian_bands` changed."""
    total = None
    for band, match in zip(reversed(fill_bands), reversed(matches), strict=True):
        change = (match.gain - 1) * band
        if match.grain is not None:
            change += match.grain
        if total is not None:
            change += doubled(total, *change.shape[1:])
        total = change
    return fill if total is None else fill + total


def grain_like(known: list[KnownDetail]) -> Tensor:
    """Return noise [3, H, W] with the grain of a document, of which an octave or more is known."""
    total = torch.zeros_like(known[-1].band)
    for octave in reversed(known):
        total = doubled(total, *octave.band.shape[1:]) if octave is not known[-1] else total
        if octave.floor is not None:
            total = total + _noise(octave, octave.floor)
    return total


def _noise(octave: KnownDetail, covariance: Tensor) -> Tensor:
    return torch.einsum("ij,jhw->ihw", root(covariance), octave.noise)


def _gain(band: Tensor, octave: KnownDetail) -> float:

    def common() -> Tensor:
        return (band * octave.band * octave.ring).sum()

    return gain(octave.energy, (band.square() * octave.ring).sum(), common)


def gain(wanted: Tensor, energy: Tensor, common: Callable[[], Tensor]) -> float:
    """Return the factor, 0.5..1.5, that gives a fill's detail the wanted energy.

    `common` computes the energy shared with the document.
    """
    energy = energy.clamp(min=1e-9)
    ratio = float((wanted / energy).sqrt().clamp(0.5, 1.5))
    if ratio <= 1:
        return ratio
    alike = float((common() / (energy * wanted).sqrt()).clamp(0, 1))
    return 1 + alike * (ratio - 1)


def noise_floor(band: Tensor, at: Tensor) -> Tensor | None:
    """Return the covariance [3, 3] in a band's flattest blocks inside `at`; None if too few."""
    row, column, strength = _blocks(band, at)
    if len(row) < _MIN_BLOCKS:
        return None
    flattest = _flattest(strength)
    samples = _measured(band, row[flattest], column[flattest]).flatten(1)  # [3, n]
    return samples @ samples.T / samples.shape[1]


def _measured(band: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Return the measured pixels of some blocks, [3, n, block * block / 2]."""
    blocks = band.unfold(1, _BLOCK, _BLOCK).unfold(2, _BLOCK, _BLOCK)  # [3, h, w, block, block]
    return blocks[:, row, column][..., _CELLS]


def _blocks(band: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return row, column and unmeasured energy [n] of the blocks inside `at`, bool [H, W]."""
    row, column = torch.nonzero(block_sums(at[None].float(), _BLOCK)[0] == _BLOCK**2).unbind(1)
    luma = torch.einsum("c,chw->hw", torch.from_numpy(LUMA), band)[None]
    rows, columns = (-(-size // _BLOCK) for size in luma.shape[1:])
    others = (~_CELLS).repeat(rows, columns)[: luma.shape[1], : luma.shape[2]]
    return row, column, block_sums(luma.square() * others, _BLOCK)[0, row, column]


def _flattest(strength: Tensor) -> Tensor:
    return strength.argsort()[: max(_MIN_BLOCKS, int(len(strength) * _FLAT))]


class BlockNoise:
    """`noise_floor` of an image in parts, whose edges must not cut blocks."""

    def __init__(self) -> None:
        self._strengths: list[Tensor] = []
        self._products: list[Tensor] = []  # [n, 3, 3]

    def add(self, band: Tensor, at: Tensor) -> None:
        """Add a part's detail [3, H, W] inside `at`."""
        row, column, strength = _blocks(band, at)
        some = slice(None, None, max(1, len(row) // _ENOUGH_BLOCKS))
        row, column, strength = row[some], column[some], strength[some]
        if not len(row):
            return
        samples = _measured(band, row, column).transpose(0, 1)  # [n, 3, block * block / 2]
        self._strengths.append(strength)
        self._products.append(samples @ samples.mT / samples.shape[2])

    def floor(self) -> Tensor | None:
        """Return what `noise_floor` does."""
        strength = torch.cat(self._strengths) if self._strengths else torch.empty(0)
        if len(strength) < _MIN_BLOCKS:
            return None
        return torch.cat(self._products)[_flattest(strength)].mean(0)


def root(covariance: Tensor) -> Tensor:
    """Return the symmetric square root of the positive part of a symmetric matrix."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def split(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the image at half the resolution, and the detail that it lacks."""
    low = block_means(image, 2)
    return low, image - doubled(low, *image.shape[1:])
