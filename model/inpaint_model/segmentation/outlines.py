"""Grow and fill outlines."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from inpaint_model.document.arrays import FloatImage, Points

FINENESS = 4  # samples per pixel, across and down


def filled(outlines: Iterable[Points], width: int, height: int) -> FloatImage:
    """Return how much of each pixel polygons [N, 2] cover, [height, width], 0..1."""
    fine = Image.new("L", (width * FINENESS, height * FINENESS))
    draw = ImageDraw.Draw(fine)
    for outline in outlines:
        # ImageDraw's coordinates are those of pixel centers.
        draw.polygon([(x, y) for x, y in outline * FINENESS - 0.5], fill=255)
    return np.asarray(fine.reduce(FINENESS), np.float32) / np.float32(255)


def grown(outline: Points, margin: float) -> Points:
    """Move the points [N, 2] of an outline away from its center."""
    offset = outline - outline.mean(axis=0)
    distance = np.hypot(*offset.T)[:, None].clip(min=1e-6)
    moved: Points = outline + offset / distance * margin
    return moved
