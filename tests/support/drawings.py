"""Synthetic portraits in the alignment of FFHQ, for tests that need an image of a person."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]


def portrait(side: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Draw a portrait [side, side, 3] with uneven light, soft edges, texture and grain.

    Colors, proportions and texture depend on the seed.
    """
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side
    skin = np.array([0.85, 0.62, 0.5], np.float32) * rng.uniform(0.5, 1.05)
    hair, clothes, wall = rng.uniform(0.05, 0.9, (3, 3)).astype(np.float32)
    wide = float(rng.uniform(0.85, 1.15))

    image: Floats = wall * (0.8 + 0.4 * _texture(side, rng, 0.15))[..., None]

    def paint(color: Floats, cx: float, cy: float, rx: float, ry: float) -> None:
        distance = np.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2)
        cover = ((1 - distance) * min(rx, ry) * 60 + 0.5).clip(0, 1)[..., None]
        image[:] = image * (1 - cover) + color * cover

    paint(clothes, 0.5, 1.1, 0.5 * wide, 0.25)
    paint(hair, 0.5, 0.45, 0.34 * wide, 0.42)
    paint(skin * 0.8, 0.5, 0.9, 0.12, 0.15)  # the neck
    paint(skin, 0.5, 0.58, 0.25 * wide, 0.34)
    for eye in (0.39, 0.61):
        paint(np.array([0.95, 0.95, 0.95], np.float32), eye, 0.48, 0.045, 0.022)
        paint(np.array([0.15, 0.1, 0.08], np.float32), eye, 0.48, 0.02, 0.02)
        paint(hair * 0.7, eye, 0.42, 0.06, 0.012)
    paint(skin * 0.85, 0.5, 0.6, 0.035, 0.05)
    paint(np.array([0.65, 0.3, 0.3], np.float32), 0.5, 0.74, 0.085, 0.025)

    light = 0.85 + 0.3 * _texture(side, rng, 0.25) + 0.15 * (0.5 - x) + 0.1 * (0.5 - y)
    image *= light[..., None]
    image *= (0.94 + 0.12 * _texture(side, rng, 0.01))[..., None]
    image += rng.normal(0, 0.008, image.shape).astype(np.float32)
    return (image.clip(0, 1) * 255).round().astype(np.uint8)


def _texture(side: int, rng: np.random.Generator, scale: float) -> Floats:
    """Draw smooth noise [side, side] in 0..1, with patches of `scale` times the side."""
    coarse = max(round(2 / scale), 2)
    noise = rng.random((coarse, coarse)).astype(np.float32)
    smooth: Floats = ndimage.zoom(noise, side / coarse, order=3, mode="grid-mirror", grid_mode=True)
    return smooth.clip(0, 1)
