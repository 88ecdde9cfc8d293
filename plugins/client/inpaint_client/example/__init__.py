"""The example portrait, to try everything without an image of one's own.

It shows nobody: the portrait model made it (seed 1348 of its generator, truncation 0.7, with
redrawn eyes and detail at 512 px).
"""

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
PORTRAIT = _FOLDER / "portrait.png"  # sRGB
MASK = _FOLDER / "mask.png"  # gray, of the portrait's size; white is what to replace
