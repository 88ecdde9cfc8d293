"""Recognize monochrome prints, gray or tinted like sepia, and give their colors to a fill.

In such a print, color depends on nothing but brightness. The networks have learned from color
photographs and return some color even where they see none: brown hair in a gray print, gray hair in
a sepia print.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.color import LUMA

_SHADES = 16  # into which brightness is divided
_MIN_SHARE = 0.001  # of the pixels, for a shade to count
_MIN_RANGE = 0.2  # of brightness; a white wall does not say whether an image has color
_DARK, _BRIGHT = 0.05, 0.95  # quantiles that bound the range
_MOST = 0.99  # of the pixels that must have the color of their brightness
_TOLERANCE = 7 / 255  # of scanning, JPEG and slightly uneven yellowing


class Tint(NamedTuple):
    """The color of each brightness."""

    brightness: FloatImage  # [n], ascending
    offsets: FloatImage  # [n, 3], color minus brightness

    @property
    def is_gray(self) -> bool:
        """Whether red, green and blue are equal everywhere."""
        return not self.offsets.any()

    def applied(self, image: FloatImage) -> FloatImage:
        """Give an image [..., 3] the colors of the tint; its brightness stays."""
        brightness = image @ LUMA
        return brightness[..., None] + self._at(brightness)

    def _at(self, brightness: FloatImage) -> FloatImage:
        offsets = [np.interp(brightness, self.brightness, channel) for channel in self.offsets.T]
        return np.stack(offsets, axis=-1).astype(np.float32)

    def explains(self, colors: FloatImage) -> bool:
        """Return whether almost all colors [n, 3] are those of the tint."""
        wrong = np.abs(colors - self.applied(colors)).max(axis=1)
        return bool(np.quantile(wrong, _MOST) <= _TOLERANCE)


def has_shades(colors: FloatImage) -> bool:
    """Return whether colors [n, 3] are bright and dark enough to tell monochrome from color."""
    if not len(colors):
        return False
    dark, bright = np.quantile(colors @ LUMA, [_DARK, _BRIGHT])
    return bool(bright - dark >= _MIN_RANGE)


def find_tint(colors: FloatImage) -> Tint | None:
    """Return the tint of display values [n, 3] of a print; None if they are those of a color image.

    They should be averages over some pixels, without the noise of a scanner.
    """
    brightness = colors @ LUMA
    from_green = colors - colors[:, 1:2]  # exactly 0 where it is gray
    offsets = from_green - (from_green @ LUMA)[:, None]
    shade = np.clip(brightness * _SHADES, 0, _SHADES - 1).astype(int)
    members = [np.flatnonzero(shade == k) for k in range(_SHADES)]
    members = [some for some in members if len(some) and len(some) >= _MIN_SHARE * len(colors)]
    middle = np.array([np.median(offsets[some], axis=0) for some in members], np.float32)
    tint = Tint(
        np.array([np.median(brightness[some]) for some in members], np.float32),
        middle - (middle @ LUMA)[:, None],  # medians of channels may have some brightness left
    )
    return tint if tint.explains(colors) else None
