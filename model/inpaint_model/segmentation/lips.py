"""The mouth, whose outline by the landmarks is corrected by the color of the lips."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from inpaint_model.document.arrays import Float64Array, FloatImage, Matrix
from inpaint_model.document.geometry import document_from_model, inverse, transform_points
from inpaint_model.document.resampling import resample
from inpaint_model.segmentation import mesh_points
from inpaint_model.segmentation.color_models import color_density, opponent_colors
from inpaint_model.segmentation.faces import Face
from inpaint_model.segmentation.outlines import filled

SIDE = 96  # px of the view
SCALE = 0.34  # side of the view / side of the frame
DOUBT = 0.01  # standard deviation of the landmarks, in sides of the frame
NEAR = 0.05  # distance of the skin that the lips are compared with, in sides of the frame
ROUNDS = 2  # how often colors and mask are computed in turn
COMPONENTS = (1, 2)  # Gaussians of the colors of lips and skin


def lips(image: FloatImage, face: Face) -> tuple[FloatImage, Matrix]:
    """Return the probability that the view's pixels show the mouth, and the view.

    Args:
        image: RGB image [H, W, 3], 0..1.
        face: a face in it.

    Returns:
        Probabilities [SIDE, SIDE] and the matrix from px of the view to px of the image.
    """
    outline = face.outline(mesh_points.LIPS)
    cx, cy = outline.mean(axis=0)
    frame = face.frame._replace(cx=cx, cy=cy, side=SCALE * face.frame.side)
    from_view = document_from_model(frame, SIDE)
    colors = opponent_colors(resample(image, from_view, SIDE, SIDE).clip(0, 1))
    inside = filled([transform_points(inverse(from_view), outline)], SIDE, SIDE) > 0.5
    distance = distance_transform_edt(inside) - distance_transform_edt(~inside)
    unit = SIDE / SCALE  # px of the frame's side
    prior = distance / (DOUBT * unit)
    near = np.abs(distance) < NEAR * unit
    probability = _logistic(prior)
    for _ in range(ROUNDS):
        of_lips = color_density(colors, probability, COMPONENTS[0])
        of_skin = color_density(colors, (1 - probability) * near, COMPONENTS[1])
        evidence = gaussian_filter(np.log(of_lips) - np.log(of_skin), 1.0)
        probability = _logistic(prior + evidence)
    return probability.astype(np.float32), from_view


def _logistic(values: Float64Array) -> Float64Array:
    probability: Float64Array = 1 / (1 + np.exp(-values.clip(-50, 50)))
    return probability
