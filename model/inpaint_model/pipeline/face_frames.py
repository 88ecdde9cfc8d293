"""Align a frame with the landmarks of the face that it shows.

The framer does not see what is in the hole, so its frames are a little off: for eyes, the median is
2 % of the side and 2 degrees, and the fill's eyes are then drawn beside the face's. The landmarks
are found in the image as it is. What is selected helps to locate the face, and nothing else of the
fill depends on it.
"""

from __future__ import annotations

import math

import numpy as np

from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import Frame, document_from_model, transform_points
from inpaint_model.document.model_view import visible_layers
from inpaint_model.framing.search import seen_through
from inpaint_model.segmentation.faces import Face, find_faces

_SCALE = 1.5  # side of the view over that of the frame
_SIDE = 384  # px of the view
_DETECTED = 256  # px of the view that the detector sees
_MOST_HIDDEN = 0.02  # fraction of the face that may be transparent or outside the image
# Largest differences to the given frame; beyond them, it is another face.
_NEAR = 0.3  # of the centers, over the side
_AS_LARGE = 0.5  # of the logarithm of the side


def aligned(
    image: DocumentImage, frame: Frame, overview: DocumentImage | None = None
) -> Frame | None:
    """Return the frame, in FFHQ's alignment, of the face that an approximate frame shows.

    None if no face is found near it, or a part of the face is missing.

    Args:
        image: the document, or a crop of it.
        frame: approximate frame, in document px.
        overview: what lies beyond a crop.
    """
    wide = frame._replace(side=_SCALE * frame.side)
    *colors, seen = seen_through(wide, visible_layers(image, None, overview), _SIDE).numpy()
    shown = np.stack(colors, axis=2) * np.float32(0.5) + np.float32(0.5)
    near = [face for face in find_faces(shown, (_DETECTED,)) if _distance(face) < _NEAR]
    if not near:
        return None
    face = min(near, key=_distance)
    if face.box.clipped(_SIDE, _SIDE).cut(seen).mean() < 1 - _MOST_HIDDEN:
        return None
    ((cx, cy),) = transform_points(
        document_from_model(wide, _SIDE), [(face.frame.cx, face.frame.cy)]
    )
    turn = (face.frame.angle + frame.angle + 180) % 360 - 180
    return Frame(float(cx), float(cy), face.frame.side * wide.side / _SIDE, turn)


def _distance(face: Face) -> float:
    """Return how far a face is from the middle of the view, over the side of the given frame.

    Infinite if its size is too different.
    """
    side, middle = _SIDE / _SCALE, _SIDE / 2
    if abs(math.log(face.frame.side / side)) > _AS_LARGE:
        return math.inf
    return math.hypot(face.frame.cx - middle, face.frame.cy - middle) / side
