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
from inpaint_model.pipeline.assessing import face_mask
from inpaint_model.segmentation.faces import face_near

_SCALE = 1.4  # side of the view over that of the frame
_SIDE = 384  # px of the view
_MOST_HIDDEN = 0.02  # fraction of the face that may be transparent or outside the image
# Largest differences to the given frame. Beyond them, the landmarks are of another face, or of what
# replaces one, such as paint over the selection.
_NEAR = 0.08  # of the centers, over the side
_AS_LARGE = 0.2  # of the logarithm of the side
_AS_UPRIGHT = 12.0  # degrees


def aligned(
    image: DocumentImage, frame: Frame, overview: DocumentImage | None = None
) -> Frame | None:
    """Return the frame, in FFHQ's alignment, of the face that an approximate frame shows.

    None if its landmarks cannot be found, or are not near the frame.

    Args:
        image: the document, or a crop of it.
        frame: approximate frame, in document px.
        overview: what lies beyond a crop.
    """
    wide = frame._replace(side=_SCALE * frame.side)
    *colors, seen = seen_through(wide, visible_layers(image, None, overview), _SIDE).numpy()
    if seen[face_mask(_SIDE, _SCALE)].mean() < 1 - _MOST_HIDDEN:
        return None
    shown = np.stack(colors, axis=2) * np.float32(0.5) + np.float32(0.5)
    face = face_near(shown, Frame(_SIDE / 2, _SIDE / 2, _SIDE / _SCALE))
    if face is None:
        return None
    to_document = document_from_model(wide, _SIDE)
    ((cx, cy),) = transform_points(to_document, [(face.frame.cx, face.frame.cy)])
    found = Frame(
        float(cx),
        float(cy),
        face.frame.side * wide.side / _SIDE,
        (face.frame.angle + frame.angle + 180) % 360 - 180,
    )
    return found if _are_alike(found, frame) else None


def _are_alike(one: Frame, other: Frame) -> bool:
    turn = (one.angle - other.angle + 180) % 360 - 180
    return (
        math.hypot(one.cx - other.cx, one.cy - other.cy) < _NEAR * other.side
        and abs(math.log(one.side / other.side)) < _AS_LARGE
        and abs(turn) < _AS_UPRIGHT
    )
