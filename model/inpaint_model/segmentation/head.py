"""Tell hair, skin, clothes and background apart around a face, by color and position.

No network for hair with a permissive license was found, so each region gets a color model: a
mixture of Gaussians, fitted to the pixels of the image itself that the region probably shows. The
landmarks say where the skin is, the person network what the background is; hair is what else is
near the face, clothes what else is below it. Where other people are nearer, there is one more
region, "others".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import (
    binary_dilation,
    distance_transform_edt,
    gaussian_filter,
    label,
)

from inpaint_model.document.arrays import BoolMask, Float64Array, FloatImage, Matrix, Points
from inpaint_model.document.geometry import document_from_model, inverse, transform_points
from inpaint_model.document.resampling import resample
from inpaint_model.segmentation import mesh_points, person_network
from inpaint_model.segmentation.color_models import LEAST_SPREAD, color_density, opponent_colors
from inpaint_model.segmentation.faces import Face
from inpaint_model.segmentation.networks import person_probability
from inpaint_model.segmentation.outlines import filled

SIDE = 256  # px of the view
SCALE = 1.6  # side of the view / side of the frame, so that it contains most hair
RAISED = 0.05  # sides of the frame by which the view is moved up
# Gaussians of each mixture.
COMPONENTS = {"hair": 2, "skin": 2, "clothes": 3, "background": 3, "others": 4}
ROUNDS = 3  # how often mixtures and probabilities are computed in turn
SMOOTHNESS = 1.0  # px by which the evidence of neighbors counts
FOREHEAD = 0.25  # height of the forehead above FaceMesh's outline, in heights of the outline
APART = 0.1  # distance of separate areas of hair, in sides of the frame
SPECK = 0.06  # least area of hair, as a fraction of the largest connected area
OWN_SOFTNESS = 0.08  # of the border between people, in radii of faces
OTHERS_LEAST, OTHERS_MOST = 0.005, 0.98  # prior of other people beside this face, and in theirs


@dataclass(frozen=True, eq=False)
class Head:
    """The surroundings of a face, upright, in a square view."""

    image: FloatImage  # RGB [SIDE, SIDE, 3], 0..1
    from_view: Matrix  # view px to image px
    points: Points  # FaceMesh's points, view px
    inside: BoolMask  # which px of the view are in the image
    others: Sequence[Points] = ()  # the outlines of other faces, view px

    @classmethod
    def of(cls, image: FloatImage, face: Face, others: Sequence[Face] = ()) -> Head:
        """View the surroundings of a face in an RGB image [H, W, 3] with other faces."""
        frame = face.frame
        turn = np.radians(frame.angle)
        up = RAISED * frame.side * np.array([-np.sin(turn), -np.cos(turn)])
        view = frame._replace(cx=frame.cx + up[0], cy=frame.cy + up[1], side=SCALE * frame.side)
        matrix = document_from_model(view, SIDE)
        points = transform_points(inverse(matrix), face.points)
        y, x = np.mgrid[:SIDE, :SIDE] + 0.5
        seen = transform_points(matrix, np.stack([x, y], axis=-1))
        inside = np.logical_and(seen >= 0, seen < image.shape[1::-1]).min(axis=-1)
        outlines = [
            transform_points(inverse(matrix), other.outline(mesh_points.OVAL)) for other in others
        ]
        seen_image = resample(image, matrix, SIDE, SIDE).clip(0, 1)
        return cls(seen_image, matrix, points, inside, outlines)

    @cached_property
    def person(self) -> FloatImage:
        """The probability that a pixel shows a person, 0..1."""
        assert person_network.SIDE == SIDE
        return person_probability(self.image)

    @cached_property
    def face(self) -> FloatImage:
        """Where the face can be: within its outline, and above it where the forehead is, 0..1."""
        oval = self.points[list(mesh_points.OVAL)]
        raised = oval.copy()
        top = oval[:, 1] < self.points[list(mesh_points.LEFT_BROW), 1].min()
        raised[top, 1] -= FOREHEAD * np.ptp(oval[:, 1])
        return gaussian_filter(filled([oval, raised], SIDE, SIDE), 1.0)

    @cached_property
    def certainty(self) -> FloatImage:
        """How much the view is to be preferred to one of the whole image: 1, but 0 at its edge."""
        ramp = np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]) / (SIDE / 8)
        return np.minimum.outer(ramp, ramp).clip(0, 1).astype(np.float32)

    @cached_property
    def regions(self) -> dict[str, FloatImage]:
        """The probability of each region, 0..1. Their sum is 1 everywhere."""
        unit = SIDE / SCALE  # px of the frame's side
        priors = _priors(self.points / unit, self.person, unit)
        if self.others:
            oval = self.points[list(mesh_points.OVAL)]
            priors = _with_others(priors, _share_of_others(oval, self.others))
        colors = opponent_colors(self.image)
        # Hair is first sought above the face, where the color is least like that of the face.
        unlike = _unlike(colors, priors["skin"] > 0.9, (priors["hair"] > 0.4) & self.inside)
        probabilities = priors | {"hair": priors["hair"] * unlike}
        for _ in range(ROUNDS):
            evidence = {
                name: np.log(
                    color_density(colors, probabilities[name] * self.inside, COMPONENTS[name])
                )
                for name in priors
            }
            scores = {
                name: priors[name] * np.exp(gaussian_filter(evidence[name], SMOOTHNESS))
                for name in priors
            }
            total = sum(scores.values()) + 1e-12
            probabilities = {name: score / total for name, score in scores.items()}
        mouth_y = self.points[list(mesh_points.MOUTH_CORNERS), 1].mean()
        others = probabilities.get("others", np.zeros((SIDE, SIDE))) > 0.5
        probabilities["hair"] = _attached(probabilities["hair"], others, mouth_y, unit)
        return {name: each.astype(np.float32) for name, each in probabilities.items()}


def _priors(points: Points, person: FloatImage, unit: float) -> dict[str, Float64Array]:
    """Say where regions are likely, from the landmarks (in sides of the frame)."""
    oval = filled([points[list(mesh_points.OVAL)] * unit], SIDE, SIDE) > 0.5
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / unit
    features = filled([points[list(ring)] * unit for ring in _FEATURES], SIDE, SIDE) > 0
    outside = distance_transform_edt(~oval) / unit
    inside = distance_transform_edt(oval) / unit
    chin, brows = points[mesh_points.CHIN], points[list(mesh_points.LEFT_BROW)]
    brow_y = min(brows[:, 1].min(), points[list(mesh_points.RIGHT_BROW), 1].min())
    width = float(np.ptp(points[list(mesh_points.OVAL), 0]))
    below = np.clip((y - chin[1]) / 0.15, 0, 1)  # 0 above the chin, 1 well below it
    middle = np.exp(-(((x - chin[0]) / (0.45 * width)) ** 4))  # 1 above and below the face
    forehead = np.clip((brow_y - y) / 0.06, 0, 1)
    above = np.clip((brow_y - y) / 0.1, 0, 1)
    # Within the oval, hair covers the forehead or hangs along the sides.
    hair_inside = 0.02 + 0.4 * forehead * np.exp(-inside / 0.08) + 0.25 * np.exp(-inside / 0.02)
    hair_inside[features] = 0.002
    hair_outside = np.exp(-((outside / 0.38) ** 2)) * (1 - below * (0.3 + 0.65 * middle))
    # Shadows along the jaw have the color of hair.
    jaw = np.clip((y - points[mesh_points.LIPS[0], 1]) / 0.05, 0, 1) * np.exp(-outside / 0.04)
    hair_outside *= 1 - 0.85 * jaw
    ears = 0.7 * np.exp(-outside / 0.04) * (1 - above) * (1 - below)
    forehead_skin = 0.7 * above * middle * np.exp(-((outside / 0.12) ** 2))
    neck = 2 * np.clip((y - chin[1] + 0.1) / 0.1, 0, 1) * middle * np.exp(-outside / 0.3)
    hair = np.where(oval, hair_inside, hair_outside)
    skin = np.where(oval, 1 - hair_inside, ears + forehead_skin + neck + 0.02)
    clothes = np.where(oval, 1e-3, below * np.clip(outside / 0.12, 0, 1) + 1e-3)
    total = hair + skin + clothes
    # Fine hair is missing from the person network's mask.
    near = np.clip(gaussian_filter(person, 2.5), 0.02, 0.98)
    parts = {"hair": hair, "skin": skin, "clothes": clothes}
    shares = {name: near * each / total for name, each in parts.items()}
    return shares | {"background": 1 - near}


def _share_of_others(oval: Points, others: Sequence[Points]) -> Float64Array:
    """Return how likely a person at each px is another one than that of an outline, 0..1.

    Each px belongs to the nearest face, measured in radii of the faces, but for evidence of its
    color. What is inside an outline certainly belongs to this face.
    """
    nearest = np.min([_distance(other) for other in others], axis=0)
    share = 1 / (1 + np.exp(((nearest - _distance(oval)) / OWN_SOFTNESS).clip(-30, 30)))
    share = share.clip(OTHERS_LEAST, OTHERS_MOST)
    share[filled(list(others), SIDE, SIDE) > 0.5] = OTHERS_MOST
    share[filled([oval], SIDE, SIDE) > 0.5] = OTHERS_LEAST
    return np.asarray(share, np.float64)


def _distance(outline: Points) -> Float64Array:
    """Return the distance of each px from the middle of a face, in radii of the face."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    middle = outline.mean(axis=0)
    radius = np.ptp(outline, axis=0).mean() / 2
    return np.asarray(np.hypot(x - middle[0], y - middle[1]) / radius, np.float64)


def _with_others(priors: dict[str, Float64Array], share: Float64Array) -> dict[str, Float64Array]:
    """Give a share of what is not background to other people."""
    own = {
        name: prior if name == "background" else prior * (1 - share)
        for name, prior in priors.items()
    }
    return own | {"others": (1 - priors["background"]) * share}


_FEATURES = (
    mesh_points.LEFT_BROW,
    mesh_points.RIGHT_BROW,
    mesh_points.LEFT_LIDS,
    mesh_points.RIGHT_LIDS,
    mesh_points.LIPS,
)


def _unlike(colors: Float64Array, face: BoolMask, scalp: BoolMask) -> Float64Array:
    """Return how little each color is like those of the face, [SIDE, SIDE], 0..1.

    The scale is chosen so that part of the scalp is unlike the face in any case.
    """
    members = colors[face.reshape(-1)]
    center = np.median(members, axis=0)
    spread = 1.48 * np.median(np.abs(members - center), axis=0) + LEAST_SPREAD
    distance = (((colors - center) / spread) ** 2).sum(axis=1).reshape(face.shape)
    scale = np.percentile(distance[scalp], 70) / 3 if scalp.any() else 1.0
    unlike: Float64Array = 1 - np.exp(-distance / max(float(scale), 1e-6))
    return unlike


def _attached(
    probability: Float64Array, others: BoolMask, mouth_y: float, unit: float
) -> Float64Array:
    """Remove areas of hair that are small, or that begin below the mouth and far from the rest.

    The latter are clothes with the color of hair. Areas beside other people are their hair.
    """
    labels, count = label(probability > 0.5)
    if count < 2:
        return probability
    areas = np.bincount(labels.reshape(-1))[1:]
    largest = int(areas.argmax()) + 1
    distance = distance_transform_edt(labels != largest)
    beside = binary_dilation(others, iterations=2)
    kept = [largest]
    for number in range(1, count + 1):
        area = labels == number
        if (area & beside).any():
            continue
        begins_above = np.flatnonzero(area.any(axis=1))[0] < mouth_y
        is_near = distance[area].min() < APART * unit
        if areas[number - 1] >= SPECK * areas[largest - 1] and (begins_above or is_near):
            kept.append(number)
    return probability * (distance_transform_edt(~np.isin(labels, kept)) <= 6)  # with soft edges
