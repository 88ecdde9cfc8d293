"""The eyes, whose upper lids end where the skin above them begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import map_coordinates

from inpaint_model.document.arrays import FloatImage, Points
from inpaint_model.document.geometry import document_from_model, inverse, transform_points
from inpaint_model.document.resampling import resample
from inpaint_model.segmentation import mesh_points
from inpaint_model.segmentation.faces import Face
from inpaint_model.segmentation.outlines import grown

SIDE = 96  # px of the view
SCALE = 0.22  # side of the view / side of the frame
# The rings around the lids are a little wide, those between lids and eyeballs are too narrow.
LIDS = 0.65  # position of the outline, from the eyeballs (0) to the lids' edge (1)
GROWN = 0.008  # how far it extends beyond that, in sides of the frame
UPPER = slice(9, 16)  # the upper lid's points of a ring, without the corners
# Places of the upper lid, from the eyeball (0) to the outline (1), and of the skin above it:
STEPS = np.linspace(0, 1.75, 36)
SKIN = 1.3
SAME = 0.04  # relative difference in brightness within which the skin of a face varies
MARGIN = 0.1  # from where the skin begins to the outline
LEAST = 0.5  # of the upper lid, with the lashes; closed eyes have as much


def eye_outlines(image: FloatImage, face: Face) -> list[Points]:
    """Return the outlines [16, 2] of both eyes, with lids and lashes, in px of the image.

    The mesh puts a fold above every eye. Where an eye has none, its upper lid is short, and the
    outline ends where the brightness becomes that of the skin above.

    Args:
        image: RGB image [H, W, 3], 0..1.
        face: a face in it.
    """
    return [
        _outline(image, face, mesh_points.LEFT_EYE, mesh_points.LEFT_LIDS),
        _outline(image, face, mesh_points.RIGHT_EYE, mesh_points.RIGHT_LIDS),
    ]


def _outline(image: FloatImage, face: Face, eye: Sequence[int], lids: Sequence[int]) -> Points:
    eyeball = face.outline(eye)
    edge = (1 - LIDS) * eyeball + LIDS * face.outline(lids)
    outline = grown(edge, GROWN * face.frame.side)
    lid = outline[UPPER] - eyeball[UPPER]
    outline[UPPER] = eyeball[UPPER] + _seen(image, face, eyeball[UPPER], lid) * lid
    return outline


def _seen(image: FloatImage, face: Face, eyeball: Points, lid: Points) -> float:
    """Return how much of an upper lid can be told from the skin above it, 0.5..1."""
    cx, cy = eyeball.mean(axis=0)
    frame = face.frame._replace(cx=cx, cy=cy, side=SCALE * face.frame.side)
    from_view = document_from_model(frame, SIDE)
    brightness = resample(image, from_view, SIDE, SIDE).clip(0, 1).mean(axis=2)
    # Next to the corners, the lid is too narrow.
    rays = eyeball[1:-1, None] + STEPS[:, None] * lid[1:-1, None]
    x, y = transform_points(inverse(from_view), rays.reshape(-1, 2)).T - 0.5
    sampled = map_coordinates(brightness, [y, x], order=1, mode="nearest")
    along = sampled.reshape(-1, len(STEPS)).mean(axis=0)
    skin = along[STEPS >= SKIN].mean()
    differs = np.flatnonzero(np.abs(along - skin) > SAME * skin)
    end = STEPS[differs[-1]] if len(differs) else 0.0
    return float(np.clip(end + MARGIN, LEAST, 1.0))
