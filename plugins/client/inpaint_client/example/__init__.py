"""The example portrait, to try everything without an image of one's own.

It shows nobody: a generator made it.
"""

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent
PORTRAIT = _FOLDER / "portrait.png"  # sRGB
MASK = _FOLDER / "mask.png"  # gray, of the portrait's size; white is what to replace
