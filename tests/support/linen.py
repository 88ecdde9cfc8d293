"""The example portrait as if painted on linen, for images that show how texture continues."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from inpaint_client.example import PORTRAIT
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 1024
_THREAD = 6.0  # width of a thread, px
_UNEVEN = 18.0  # how far threads wander, in units of the smoothed noise
_DEPTH = 26.0  # of the weave, in levels


def paint_on_linen(path: Path) -> None:
    """Write a portrait of `SIDE` px whose weave is finer than what a model of 256 px can draw."""
    with Image.open(PORTRAIT) as portrait:
        large = portrait.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    noise = np.random.default_rng(0)

    def wandering() -> np.ndarray:
        return _UNEVEN * gaussian_filter(noise.normal(0, 1, (SIDE, SIDE)), 6)

    y, x = np.mgrid[:SIDE, :SIDE]
    across, down = (x + wandering()) / _THREAD, (y + wandering()) / _THREAD
    is_above = (np.floor(across) + np.floor(down)) % 2 > 0
    weave = np.sin(np.pi * np.where(is_above, across % 1, down % 1))
    weave = gaussian_filter(weave - weave.mean(), 0.7)
    painted = np.asarray(large, np.float32) + (_DEPTH * weave)[..., None]
    Image.fromarray(painted.round().clip(0, 255).astype(np.uint8)).save(path)
