"""Find the faces in an image, with their landmarks and frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from inpaint_model.document.arrays import FloatImage, Points
from inpaint_model.document.geometry import (
    Box,
    Frame,
    bounding_box,
    document_from_model,
    transform_points,
)
from inpaint_model.document.resampling import resample
from inpaint_model.segmentation import mesh_points
from inpaint_model.segmentation.detector import MULTIPLE
from inpaint_model.segmentation.mesh_network import SIDE
from inpaint_model.segmentation.networks import face_networks

# Longest sides of the detector's inputs, px: it misses faces smaller than about 10 px and larger
# than about 300.
DETECTION_SIDES = (640, 256)
SCORE = 0.7  # the least score of a detected face
OVERLAP = 0.4  # intersection over union at which two boxes show the same face
# Views of the mesh network: their side, and how far they are moved down, in sides of the frame. It
# was trained on crops a quarter wider than the face. The mean of several is more exact than one.
VIEWS = ((0.9, 0.0), (0.85, 0.05), (1.0, 0.0), (1.1, 0.05))
CONFIDENCE = 0.5  # the least confidence of the mesh network
MAX_FACES = 32


@dataclass(frozen=True, eq=False)
class Face:
    """A face in an image. Coordinates are in px of the image."""

    frame: Frame  # in FFHQ alignment
    points: Points  # FaceMesh's points [468, 2]
    confidence: float  # 0..1

    @property
    def box(self) -> Box:
        """The box around its outline."""
        return bounding_box(self.outline(mesh_points.OVAL))

    def outline(self, indices: Sequence[int]) -> Points:
        """Return some of the points, [N, 2]."""
        return self.points[list(indices)]


def find_faces(image: FloatImage, sides: Sequence[int] = DETECTION_SIDES) -> list[Face]:
    """Find faces in an RGB image [H, W, 3] of display values in 0..1, from large to small.

    The detector sees it with its longest side scaled to each of `sides`, px.
    """
    faces = [face for five in _detected(image, sides) if (face := _refined(image, five))]
    return sorted(faces, key=lambda face: -face.frame.side)


def landmarks(image: FloatImage, frame: Frame) -> tuple[Points, float]:
    """Return FaceMesh's points [468, 2] of a face in a known frame, and the confidence, 0..1.

    The image [H, W, 3] has display values in 0..1; the points are in its px.
    """
    return _mesh(image, frame, VIEWS[:1])


def ffhq_frame(eyes: Points, mouth: Points) -> Frame:
    """Return the frame that FFHQ's alignment gives a face (Karras et al. 2019, appendix A).

    Args:
        eyes: centers of both eyes, [2, 2], the left one in the image first.
        mouth: corners of the mouth, [2, 2].
    """
    middle, below = eyes.mean(axis=0), mouth.mean(axis=0)
    across, down = eyes[1] - eyes[0], below - middle
    axis = across + np.array([down[1], -down[0]])
    half = max(2.0 * np.hypot(*across), 1.8 * np.hypot(*down))
    cx, cy = middle + 0.1 * down
    angle = np.degrees(np.arctan2(-axis[1], axis[0]))
    return Frame(float(cx), float(cy), float(2 * half), float(angle))


def _detected(image: FloatImage, sides: Sequence[int]) -> list[Points]:
    """Return the five points [5, 2] of each face that the detector finds."""
    scores, boxes, points = (
        torch.cat(parts) for parts in zip(*(_cells(image, side) for side in sides), strict=True)
    )
    order = [int(k) for k in scores.argsort(descending=True)[: int((scores >= SCORE).sum())]]
    kept: list[int] = []
    for k in order:
        if all(_overlap(boxes[k], boxes[other]) < OVERLAP for other in kept):
            kept.append(k)
    return [points[k].numpy().astype(np.float64) for k in kept[:MAX_FACES]]


def _cells(image: FloatImage, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Run the detector with the longest side scaled to `side` px."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    rows, columns = (max(round(length * scale), 1) for length in (height, width))
    rgb = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    small = interpolate(rgb, (rows, columns), mode="bilinear", antialias=True).clamp(0, 1) * 255
    padded = pad(small.flip(1), (0, -columns % MULTIPLE, 0, -rows % MULTIPLE))  # expects BGR
    with torch.inference_mode():
        scores, boxes, points = face_networks().detector(padded)
    to_image = torch.tensor([width / columns, height / rows])
    return scores[0], boxes[0] * to_image.repeat(2), points[0] * to_image


def _overlap(a: Tensor, b: Tensor) -> float:
    """Return the intersection over union of two boxes [4]."""
    sides = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0)
    areas = [(box[2:] - box[:2]).prod() for box in (a, b)]
    both = sides.prod()
    return float(both / (areas[0] + areas[1] - both).clamp(min=1e-6))


def _refined(image: FloatImage, five: Points) -> Face | None:
    """Return a face with landmarks, or None if the mesh network sees none."""
    frame = ffhq_frame(five[:2], five[3:])
    for views in (VIEWS[:1], VIEWS):  # the second time in the frame of the first mesh
        if frame.side < 1:
            return None
        points, confidence = _mesh(image, frame, views)
        if confidence < CONFIDENCE:
            return None
        eyes = [points[list(ring)].mean(axis=0) for ring in _EYES]
        frame = ffhq_frame(np.stack(eyes), points[list(mesh_points.MOUTH_CORNERS)])
    return Face(frame, points, confidence)


_EYES = (mesh_points.LEFT_EYE, mesh_points.RIGHT_EYE)


def _mesh(
    image: FloatImage, frame: Frame, views: Sequence[tuple[float, float]]
) -> tuple[Points, float]:
    """Return the mean mesh [468, 2] of several views, in px of the image, and its confidence."""
    turn = np.radians(frame.angle)
    down = frame.side * np.array([np.sin(turn), np.cos(turn)])
    matrices = [
        document_from_model(
            Frame(frame.cx + y * down[0], frame.cy + y * down[1], side * frame.side, frame.angle),
            SIDE,
        )
        for side, y in views
    ]
    crops = np.stack([resample(image, matrix, SIDE, SIDE) for matrix in matrices])
    batch = torch.from_numpy(crops).permute(0, 3, 1, 2).clamp(0, 1) * 2 - 1
    with torch.inference_mode():
        meshes, _, confidences = face_networks().mesh(batch)
    points = [
        transform_points(matrix, mesh[:, :2].numpy().astype(np.float64))
        for matrix, mesh in zip(matrices, meshes, strict=True)
    ]
    return np.mean(points, axis=0), float(confidences.mean())
