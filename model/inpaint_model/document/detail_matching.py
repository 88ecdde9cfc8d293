"""Sharpness and grain, band by band.

A picture is divided into octaves of detail (a Laplacian pyramid, Burt and Adelson 1983), as many as
an enlarged fill lacks. On the ring around a hole, model and document show the same things, so the
ratio of their detail there says how much too soft or too sharp the fill is. Detail is raised only
as far as the two agree there: what a model draws beside the document's lines would be made worse.
Grain is what remains in the flattest blocks of the known pixels; where the fill has less, noise of
the same strength and colour is added, from a fixed seed, so that all candidates and edits of a hole
carry the same grain.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from inpaint_model.document.color import LUMA
from inpaint_model.document.pyramid import block_means, block_sums, doubled

_MOST_OCTAVES = 4
_BLOCK = 4  # side of the blocks whose variance is compared, px of the octave
_FEWEST_BLOCKS = 6
_FLAT = 0.25  # share of the blocks, from the flattest, that count as free of structure


class Octave(NamedTuple):
    """What is known of one octave of detail around a hole, at the octave's own resolution."""

    ring: Tensor  # [1, h, w]: how much of each pixel lies in the ring, 0..1
    hole: Tensor  # bool [h, w]: pixels that lie in the hole entirely
    band: Tensor  # [3, h, w]: the document's detail
    energy: Tensor  # of it, on the ring
    floor: Tensor | None  # [3, 3], the document's noise; None if it could not be told
    noise: Tensor  # [3, h, w], unit variance


def octaves(enlargement: float) -> int:
    """Return how many octaves a fill is fitted in; `enlargement`: document px per model px."""
    return min(1 + math.ceil(math.log2(max(enlargement, 1.0))), _MOST_OCTAVES)


def known_detail(
    document: Tensor, hole: Tensor, ring: Tensor, enlargement: float, seed: int
) -> list[Octave]:
    """Return the octaves of a document around a hole, the finest first.

    Args:
        document: [3, H, W], display values.
        hole: bool [H, W].
        ring: bool [H, W], the known pixels around the hole.
        enlargement: document px per model px.
        seed: of the grain.
    """
    generator = Generator().manual_seed(seed)
    picture, around, inside = document.clamp(0, 1), ring[None].float(), hole[None].float()
    result = []
    for _ in range(octaves(enlargement)):
        if min(picture.shape[1:]) < 2 * _BLOCK:
            break
        low, band = _split(picture)
        white = torch.randn(band.shape, generator=generator)
        noise = _split(white)[1]
        result.append(
            Octave(
                around,
                inside[0] > 0.999,
                band,
                (band.square() * around).sum(),
                noise_floor(band, around[0] > 0.999),
                noise / noise.std(),
            )
        )
        picture, around, inside = low, block_means(around, 2), block_means(inside, 2)
    return result


class Match(NamedTuple):
    """What one octave of a fill is changed by."""

    gain: float  # of its detail
    grain: Tensor | None  # [3, h, w] of noise to be added


def bands(fill: Tensor, count: int) -> list[Tensor]:
    """Return the detail of a fill [3, H, W] in each of `count` octaves, the finest first."""
    result = []
    for _ in range(count):
        fill, band = _split(fill)
        result.append(band)
    return result


def detail_matches(fill_bands: list[Tensor], known: list[Octave]) -> list[Match]:
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
        matches.append(Match(gain, grain))
    return matches


def matched_detail(fill: Tensor, fill_bands: list[Tensor], matches: list[Match]) -> Tensor:
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


def grained(fill: Tensor, known: list[Octave]) -> Tensor:
    """Return a smooth fill [3, H, W] with the grain of the document around it."""
    matches = [
        Match(1.0, None if octave.floor is None else _noise(octave, octave.floor))
        for octave in known
    ]
    return matched_detail(fill, bands(fill, len(known)), matches)


def _noise(octave: Octave, covariance: Tensor) -> Tensor:
    """Return an octave's noise [3, h, w] with a covariance of the channels, as far as positive."""
    return torch.einsum("ij,jhw->ihw", _root(covariance), octave.noise)


def _gain(band: Tensor, octave: Octave) -> float:
    """Return what the fill's detail is multiplied by.

    On the ring it becomes as strong as the document's; where it is too soft, only as far as the two
    correlate.
    """
    energy = (band.square() * octave.ring).sum().clamp(min=1e-9)
    ratio = float((octave.energy / energy).sqrt().clamp(0.5, 1.5))
    if ratio <= 1:
        return ratio
    common = (band * octave.band * octave.ring).sum()
    alike = float((common / (energy * octave.energy).sqrt()).clamp(0, 1))
    return 1 + alike * (ratio - 1)


def noise_floor(band: Tensor, at: Tensor) -> Tensor | None:
    """Return the channels' covariance [3, 3] in the flattest blocks of an octave; None if too few.

    Args:
        band: the octave's detail, [3, H, W].
        at: bool [H, W], which pixels count.
    """
    row, column = torch.nonzero(block_sums(at[None].float(), _BLOCK)[0] == _BLOCK**2).unbind(1)
    if len(row) < _FEWEST_BLOCKS:
        return None
    luma = torch.einsum("c,chw->hw", torch.from_numpy(LUMA), band)[None]
    strength = block_sums(luma.square(), _BLOCK)[0, row, column]
    flattest = strength.argsort()[: max(_FEWEST_BLOCKS, int(len(strength) * _FLAT))]
    blocks = band.unfold(1, _BLOCK, _BLOCK).unfold(2, _BLOCK, _BLOCK)  # [3, h, w, block, block]
    samples = blocks[:, row[flattest], column[flattest]].flatten(1)  # [3, n]
    return samples @ samples.T / samples.shape[1]


def _root(covariance: Tensor) -> Tensor:
    """Return the symmetric square root of the positive part of a symmetric matrix."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def _split(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return the picture at half the resolution, and the octave that this leaves out."""
    low = block_means(picture, 2)
    return low, picture - doubled(low, *picture.shape[1:])
