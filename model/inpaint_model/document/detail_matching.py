"""Sharpness and grain, band by band.

An image is divided into octaves of detail (a Laplacian pyramid, Burt and Adelson 1983), as many as
an enlarged fill lacks. On the ring around a hole, model and document show the same things, so the
ratio of their detail there says how much too soft or too sharp the fill is. Detail is raised only
as far as the two agree there: what a model draws beside the document's lines would be made worse.
Grain is what remains in the flattest blocks of the known pixels; where the fill has less, noise of
the same strength and color is added, from a fixed seed, so that all candidates and edits of a hole
carry the same grain.
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
_BLOCK = 4  # side of the blocks whose variance is compared, px of the octave
_MIN_BLOCKS = 6
_ENOUGH_BLOCKS = 4096  # of a part, to tell its grain by
_FLAT = 0.25  # share of the blocks, from the flattest, that count as free of structure


class KnownDetail(NamedTuple):
    """What is known of one octave of detail around a hole, at the octave's own resolution."""

    ring: Tensor  # [1, h, w]: how much of each pixel lies in the ring, 0..1
    hole: Tensor  # bool [h, w]: pixels that lie in the hole entirely
    band: Tensor  # [3, h, w]: the document's detail
    energy: Tensor  # of it, on the ring
    floor: Tensor | None  # [3, 3], the document's noise; None if it could not be told
    noise: Tensor  # [3, h, w], unit variance


def octaves(upscale_factor: float) -> int:
    """Return how many octaves a fill is fitted in; `enlargement`: document px per model px."""
    return min(1 + math.ceil(math.log2(max(upscale_factor, 1.0))), _MAX_OCTAVES)


def known_detail(
    document: Tensor, hole: Tensor, ring: Tensor, count: int, seed: int
) -> list[KnownDetail]:
    """Return the octaves of a document around a hole, the finest first.

    Args:
        document: [3, H, W], display values.
        hole: bool [H, W].
        ring: bool [H, W], the known pixels around the hole.
        count: of octaves, at most; fewer where the image is small.
        seed: of the grain.
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
    """What one octave of a fill is changed by."""

    gain: float  # of its detail
    grain: Tensor | None  # [3, h, w] of noise to be added


def laplacian_bands(fill: Tensor, count: int) -> list[Tensor]:
    """Return the detail of a fill [3, H, W] in each of `count` octaves, the finest first."""
    result = []
    for _ in range(count):
        fill, band = split(fill)
        result.append(band)
    return result


def detail_gains(fill_bands: list[Tensor], known: list[KnownDetail]) -> list[DetailGain]:
    """Return what makes a fill as sharp and as grainy as the document is around it.

    Args:
        fill_bands: the fill's `bands`.
        known: as many octaves of the document.
    """
    matches = []
    for band, octave in zip(fill_bands, known, strict=True):
        gain, grain = _gain(band, octave), None
        present = noise_floor(band, octave.hole)
        if present is not None and octave.floor is not None:
            grain = _noise(octave, octave.floor - gain**2 * present)
        matches.append(DetailGain(gain, grain))
    return matches


def apply_detail_gains(fill: Tensor, fill_bands: list[Tensor], matches: list[DetailGain]) -> Tensor:
    """Return the fill [3, H, W] with its `bands` so changed."""
    total = None
    for band, match in zip(reversed(fill_bands), reversed(matches), strict=True):
        change = (match.gain - 1) * band
        if match.grain is not None:
            change += match.grain
        if total is not None:
            change += doubled(total, *change.shape[1:])
        total = change
    return fill if total is None else fill + total


def grained(fill: Tensor, known: list[KnownDetail]) -> Tensor:
    """Return a smooth fill [3, H, W] with the grain of the document around it."""
    matches = [
        DetailGain(1.0, None if octave.floor is None else _noise(octave, octave.floor))
        for octave in known
    ]
    return apply_detail_gains(fill, laplacian_bands(fill, len(known)), matches)


def _noise(octave: KnownDetail, covariance: Tensor) -> Tensor:
    """Return an octave's noise [3, h, w] with a covariance of the channels, as far as positive."""
    return torch.einsum("ij,jhw->ihw", root(covariance), octave.noise)


def _gain(band: Tensor, octave: KnownDetail) -> float:
    """Return what the fill's detail is multiplied by: on the ring it matches the document's."""

    def common() -> Tensor:
        return (band * octave.band * octave.ring).sum()

    return gain(octave.energy, (band.square() * octave.ring).sum(), common)


def gain(wanted: Tensor, energy: Tensor, common: Callable[[], Tensor]) -> float:
    """Return what detail is multiplied by.

    It becomes as strong as is wanted; where it is too soft, only as far as the two correlate.

    Args:
        wanted: the document's energy.
        energy: the fill's.
        common: tells the energy that they have in common.
    """
    energy = energy.clamp(min=1e-9)
    ratio = float((wanted / energy).sqrt().clamp(0.5, 1.5))
    if ratio <= 1:
        return ratio
    alike = float((common() / (energy * wanted).sqrt()).clamp(0, 1))
    return 1 + alike * (ratio - 1)


def noise_floor(band: Tensor, at: Tensor) -> Tensor | None:
    """Return the channels' covariance [3, 3] in the flattest blocks of an octave; None if too few.

    Args:
        band: the octave's detail, [3, H, W].
        at: bool [H, W], which pixels count.
    """
    row, column, strength = _blocks(band, at)
    if len(row) < _MIN_BLOCKS:
        return None
    flattest = _flattest(strength)
    blocks = band.unfold(1, _BLOCK, _BLOCK).unfold(2, _BLOCK, _BLOCK)  # [3, h, w, block, block]
    samples = blocks[:, row[flattest], column[flattest]].flatten(1)  # [3, n]
    return samples @ samples.T / samples.shape[1]


def _blocks(band: Tensor, at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return row, column and strength of the detail of each block that counts entirely, [n]."""
    row, column = torch.nonzero(block_sums(at[None].float(), _BLOCK)[0] == _BLOCK**2).unbind(1)
    luma = torch.einsum("c,chw->hw", torch.from_numpy(LUMA), band)[None]
    return row, column, block_sums(luma.square(), _BLOCK)[0, row, column]


def _flattest(strength: Tensor) -> Tensor:
    """Return which blocks count as free of structure, by their strength [n]."""
    return strength.argsort()[: max(_MIN_BLOCKS, int(len(strength) * _FLAT))]


class BlockNoise:
    """What `noise_floor` needs of an image that is seen in parts, whose edges cut no block."""

    def __init__(self) -> None:
        self._strengths: list[Tensor] = []
        self._products: list[Tensor] = []  # [n, 3, 3], of the channels of each block

    def add(self, band: Tensor, at: Tensor) -> None:
        """Take a part's detail [3, H, W], where it counts (bool [H, W])."""
        row, column, strength = _blocks(band, at)
        some = slice(None, None, max(1, len(row) // _ENOUGH_BLOCKS))
        row, column, strength = row[some], column[some], strength[some]
        if not len(row):
            return
        rows, columns = (size - size % _BLOCK for size in band.shape[1:])
        whole = band[:, :rows, :columns]
        blocks = whole.unfold(1, _BLOCK, _BLOCK).unfold(2, _BLOCK, _BLOCK)
        samples = blocks[:, row, column].flatten(2).transpose(0, 1)  # [n, 3, block * block]
        self._strengths.append(strength)
        self._products.append(samples @ samples.mT / _BLOCK**2)

    def floor(self) -> Tensor | None:
        """Return the covariance [3, 3] in the flattest blocks of all; None if there are too few."""
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
    """Return the image at half the resolution, and the octave that this leaves out."""
    low = block_means(image, 2)
    return low, image - doubled(low, *image.shape[1:])
