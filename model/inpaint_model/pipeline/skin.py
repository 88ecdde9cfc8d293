"""Find the skin of the face that a fill shows, with the landmarks of the filled image."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from inpaint_model.document.arrays import FloatImage
from inpaint_model.document.geometry import Frame, model_from_document
from inpaint_model.document.placement import Placement
from inpaint_model.document.skin_tone import Skin
from inpaint_model.pipeline.assessing import face_mask
from inpaint_model.segmentation import mesh_points
from inpaint_model.segmentation.faces import CONFIDENCE, landmarks
from inpaint_model.segmentation.outlines import filled, grown

_FEATURES = (
    mesh_points.LIPS,
    mesh_points.LEFT_BROW,
    mesh_points.RIGHT_BROW,
    mesh_points.LEFT_LIDS,
    mesh_points.RIGHT_LIDS,
)
_AROUND = 0.012  # how far features are kept away from, in sides of the frame
_LEAST = 0.025  # share of the frame that is filled of the face; less is governed by its border
_SOFT = 0.015  # standard deviation of the mask's edges, in sides of the frame


def skin_of(placement: Placement, output: FloatImage) -> Skin | None:
    """Return where an output [R, R, 3], nominally 0..1, shows skin in a frame with a face.

    None if the filled image shows no face, or hardly any of its skin is known or filled.
    """
    R, source = placement.resolution, placement.source
    known = source.hole == 0
    if np.count_nonzero(~known & face_mask(R)) < _LEAST * R**2:
        return None
    image = np.where(known[..., None], source.erased / np.float32(255), output.clip(0, 1))
    image = image.astype(np.float32)
    points, confidence = landmarks(image, Frame(R / 2, R / 2, R, 0.0))
    if confidence < CONFIDENCE:
        return None
    face = filled([points[list(mesh_points.OVAL)]], R, R)
    features = [grown(points[list(each)], _AROUND * R) for each in _FEATURES]
    mask = gaussian_filter(face - np.minimum(face, filled(features, R, R)), _SOFT * R)
    to_mask = model_from_document(placement.frame, R)
    return Skin.of(image, known, mask, placement.region, to_mask)
