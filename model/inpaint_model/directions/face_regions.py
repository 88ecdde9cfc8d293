"""Regions of an image in FFHQ alignment: eyes at 0.47 of the height, mouth at 0.74.

Boxes are (left, top, right, bottom) as fractions of the side. Scoring and validation use regions
that do not overlap.
"""

from __future__ import annotations

import torch
from torch import Tensor

Box = tuple[float, float, float, float]
Region = tuple[Box, ...]


def mirrored(box: Box) -> Box:
    """Mirror a box."""
    return (1 - box[2], box[1], 1 - box[0], box[3])


def both(box: Box) -> Region:
    """Return a box and its mirror image."""
    return (box, mirrored(box))


WHOLE: Region = ((0.0, 0.0, 1.0, 1.0),)
CROWN: Region = ((0.38, 0.04, 0.62, 0.13),)
HAIR: Region = ((0.34, 0.04, 0.66, 0.13), *both((0.24, 0.09, 0.33, 0.20)))
TEMPLES: Region = both((0.19, 0.20, 0.26, 0.36))
CHEEKS: Region = both((0.30, 0.54, 0.40, 0.66))
FOREHEAD: Region = ((0.38, 0.27, 0.62, 0.37),)
LEFT_CHEEK, RIGHT_CHEEK = (CHEEKS[0],), (CHEEKS[1],)
LEFT_BROW, RIGHT_BROW = ((0.34, 0.27, 0.48, 0.40),), ((0.52, 0.27, 0.66, 0.40),)
CORNERS: Region = both((0.0, 0.0, 0.10, 0.18))
SIDES: Region = both((0.0, 0.24, 0.06, 0.60))
UPPER_FACE: Region = ((0.28, 0.25, 0.72, 0.55),)
LOWER_FACE: Region = ((0.28, 0.55, 0.72, 0.86),)
LIP_GAP: Region = ((0.45, 0.72, 0.55, 0.77),)
UPPER_LIP: Region = ((0.46, 0.70, 0.54, 0.715),)
LOWER_LIP: Region = ((0.45, 0.765, 0.55, 0.79),)
MOUTH_CORNERS: Region = both((0.35, 0.67, 0.40, 0.73))
UNDER_LIP: Region = ((0.42, 0.77, 0.58, 0.84),)
CHEEKBONES: Region = both((0.30, 0.56, 0.36, 0.64))
FOLDS: Region = both((0.33, 0.64, 0.39, 0.70))
ABOVE_EARS: Region = both((0.08, 0.14, 0.18, 0.32))
BESIDE_EARS: Region = both((0.06, 0.34, 0.15, 0.50))
BESIDE_JAW: Region = both((0.14, 0.64, 0.22, 0.74))
BESIDE_NECK: Region = both((0.16, 0.76, 0.26, 0.86))
HAIRLINE: Region = ((0.38, 0.18, 0.62, 0.27),)
HAIRLINE_SIDES: Region = both((0.30, 0.20, 0.37, 0.33))
CHEEK_EDGES: Region = both((0.18, 0.45, 0.27, 0.58))
JAW_EDGES: Region = both((0.22, 0.60, 0.30, 0.72))
OUTER_CLOTHES: Region = both((0.0, 0.92, 0.14, 1.0))
INNER_CLOTHES: Region = both((0.14, 0.94, 0.30, 1.0))


def crop(images: Tensor, box: Box) -> Tensor:
    """Crop images: [N, 3, H, W] in -1..1 -> [N, 3, h, w] in 0..1, h and w at least 1."""
    H, W = images.shape[2:]
    left, top = round(box[0] * W), round(box[1] * H)
    right, bottom = max(round(box[2] * W), left + 1), max(round(box[3] * H), top + 1)
    return images[:, :, top:bottom, left:right].clamp(-1, 1).float().add(1).mul(0.5)


def pixels(images: Tensor, region: Region) -> Tensor:
    """Return a region's pixels: [N, 3, H, W] in -1..1 -> [N, 3, P] in 0..1."""
    return torch.cat([crop(images, box).flatten(2) for box in region], dim=2)
