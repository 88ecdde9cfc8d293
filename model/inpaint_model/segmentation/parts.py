"""Soft masks of the parts of faces, and of the background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.spatial import ConvexHull

from inpaint_model.document.arrays import FloatImage, MaskU8, Matrix, Points
from inpaint_model.document.geometry import (
    Box,
    bounding_box,
    compose,
    inverse,
    scaling,
    transform_points,
    translation,
)
from inpaint_model.document.resampling import enlarge, resample
from inpaint_model.segmentation import mesh_points, person_network
from inpaint_model.segmentation.eyes import eye_outlines
from inpaint_model.segmentation.faces import Face, find_faces
from inpaint_model.segmentation.guided_filter import guided_coefficients
from inpaint_model.segmentation.head import SIDE, Head
from inpaint_model.segmentation.lips import SIDE as LIPS_SIDE
from inpaint_model.segmentation.lips import lips
from inpaint_model.segmentation.networks import face_networks
from inpaint_model.segmentation.outlines import filled, grown

Part = Literal["hair", "skin", "eyes", "brows", "mouth", "glasses", "background"]
PARTS: tuple[Part, ...] = get_args(Part)
GROWN: dict[Part, float] = {"brows": 0.012, "glasses": 0.03}
"""How far these parts extend beyond their points, in sides of the frame."""
SOFT = 0.003  # standard deviation of the edges of outlines, in sides of the frame
RADIUS = 4  # px of the view: windows of the guided filter
EPSILON = 3e-4  # variance of colors (0..1) below which the guided filter ignores edges
BACKGROUND_SIDE = 384  # px of the longest side at which the background is filtered
HALF = 128  # coverage, 0..255
REACH = 0.05  # over the side of the face's frame: how far faint coverage may be from more
SOFTNESS = 0.15  # of the edge of a mask with room, over the room
CUT = 0.06  # coverage below which a mask ends, and above 1 - CUT is complete


class PartMask(NamedTuple):
    """The soft mask of a part within its bounding box."""

    face: int  # index of the face; -1 = the background
    part: Part
    box: Box  # px of the image
    coverage: MaskU8  # [box.height, box.width]


class Segmentation:
    """The faces of an image, and the masks of their parts."""

    def __init__(self, image: FloatImage) -> None:
        """Find the faces in an RGB image [H, W, 3] of display values in 0..1."""
        self.image = image
        self.faces = find_faces(image)
        self._heads: dict[int, Head] = {}

    def masks(
        self, parts: Sequence[Part], faces: Sequence[int] | None = None, room: float = 0.0
    ) -> Iterator[PartMask]:
        """Yield the masks of parts that are not empty, face by face; the background is the last.

        Args:
            parts: which parts.
            faces: indices of `faces`; None = all.
            room: how far masks of a face's parts reach beyond them, over the side of its frame.
        """
        chosen = range(len(self.faces)) if faces is None else faces
        for k in chosen:
            for part in parts:
                if part != "background":
                    side = self.faces[k].frame.side
                    box, mask = self._part(k, part)
                    coverage = _near_part(_covered(mask), round(REACH * side))
                    if room:
                        box, coverage = self._with_room(box, coverage, room * side)
                    yield from _found(k, part, box, coverage)
        if "background" in parts:
            yield from _found(-1, "background", self._whole, _covered(self._background()))

    @property
    def _whole(self) -> Box:
        height, width = self.image.shape[:2]
        return Box(0, 0, width, height)

    def _part(self, number: int, part: Part) -> tuple[Box, FloatImage]:
        """Return a mask and where it is in the image."""
        head = self._head(number)
        if part == "hair":
            return self._filtered(head, head.regions["hair"])
        if part == "skin":
            return self._skin(self.faces[number], head)
        if part == "mouth":
            return self._mouth(self.faces[number])
        return self._outlined(self.faces[number], part)

    def _head(self, number: int) -> Head:
        if number not in self._heads:
            others = [face for k, face in enumerate(self.faces) if k != number]
            self._heads[number] = Head.of(self.image, self.faces[number], others)
        return self._heads[number]

    def _skin(self, face: Face, head: Head) -> tuple[Box, FloatImage]:
        """Return the skin of the face: from the hairline to the jaw, without eyes, brows, mouth."""
        box, skin = self._filtered(head, head.regions["skin"] * head.face)
        for place, mask in (
            self._outlined(face, "eyes"),
            self._outlined(face, "brows"),
            self._mouth(face),
        ):
            both = place.intersection(box)
            if both.width and both.height:
                moved = both.moved(-box.x, -box.y)
                moved.cut(skin)[...] *= 1 - both.moved(-place.x, -place.y).cut(mask)
        return box, skin

    def _outlined(self, face: Face, part: Part) -> tuple[Box, FloatImage]:
        """Return a part that the landmarks outline."""
        side = face.frame.side
        outlines = self._outlines(face, part)
        soft = SOFT * side
        reach = int(np.ceil(3 * soft)) + 1
        box = bounding_box(np.concatenate(outlines)).grown(reach)
        box = box.clipped(self.image.shape[1], self.image.shape[0])
        if not box.width or not box.height:
            return Box(0, 0, 0, 0), np.zeros((0, 0), np.float32)
        moved = [outline - (box.x, box.y) for outline in outlines]
        return box, gaussian_filter(filled(moved, box.width, box.height), soft)

    def _outlines(self, face: Face, part: Part) -> list[Points]:
        """Return the outlines of a part, [N, 2] each."""
        if part == "eyes":
            return eye_outlines(self.image, face)
        if part == "brows":
            rings = [face.outline(r) for r in (mesh_points.LEFT_BROW, mesh_points.RIGHT_BROW)]
        else:
            rings = [_hull(face.outline(mesh_points.GLASSES))]
        return [grown(ring, GROWN[part] * face.frame.side) for ring in rings]

    def _mouth(self, face: Face) -> tuple[Box, FloatImage]:
        mask, from_view = lips(self.image, face)
        box = _seen(from_view, LIPS_SIDE).intersection(self._whole)
        to_view = compose(inverse(from_view), translation(box.x, box.y))
        return box, enlarge(mask[..., None], to_view, box.width, box.height)[..., 0]

    def _filtered(self, head: Head, mask: FloatImage) -> tuple[Box, FloatImage]:
        """Move a mask of a view to the image, and let it follow the image's edges."""
        box = _seen(head.from_view, SIDE).intersection(self._whole)
        moved = compose(inverse(head.from_view), translation(box.x, box.y))
        seen = box.cut(self.image)
        return box, _guided(head.image, mask, seen, moved)

    def _with_room(self, box: Box, coverage: MaskU8, px: float) -> tuple[Box, MaskU8]:
        """Grow a mask by `px` pixels, with a soft edge, within the image."""
        reach, soft = round(px), px * SOFTNESS
        wide = box.grown(reach + round(3 * soft)).intersection(self._whole)
        padded = np.zeros((wide.height, wide.width), np.uint8)
        box.moved(-wide.x, -wide.y).cut(padded)[...] = coverage
        grown = gaussian_filter(maximum_filter(padded, 2 * reach + 1).astype(np.float32), soft)
        return wide, np.maximum(padded, np.rint(grown).astype(np.uint8))

    def _background(self) -> FloatImage:
        """Return where no person is, from a view of the whole image and those of the heads."""
        height, width = self.image.shape[:2]
        side = max(height, width)
        square = scaling(side / person_network.SIDE, side / person_network.SIDE)
        pixels = resample(self.image, square, person_network.SIDE, person_network.SIDE).clip(0, 1)
        with torch.inference_mode():
            batch = torch.from_numpy(pixels).permute(2, 0, 1)[None] * 2 - 1
            person: FloatImage = face_networks().person(batch)[0, 0].numpy()
        scale = min(BACKGROUND_SIDE / side, 1.0)
        columns, rows = max(round(width * scale), 1), max(round(height * scale), 1)
        to_image = scaling(width / columns, height / rows)
        small = resample(self.image, to_image, columns, rows).clip(0, 1)
        mask = resample(person[..., None], compose(inverse(square), to_image), columns, rows)[
            ..., 0
        ]
        for number in range(len(self.faces)):
            head = self._head(number)
            to_view = compose(inverse(head.from_view), to_image)
            known = resample(head.certainty[..., None], to_view, columns, rows)[..., 0].clip(0, 1)
            near = resample(1 - head.regions["background"][..., None], to_view, columns, rows)
            mask = mask * (1 - known) + near[..., 0] * known
        return _guided(small, 1 - mask, self.image, inverse(to_image))


def _seen(from_view: Matrix, side: int) -> Box:
    """Return the box around a square view of an image."""
    return bounding_box(transform_points(from_view, [(0, 0), (side, 0), (side, side), (0, side)]))


def _covered(mask: FloatImage) -> MaskU8:
    coverage: MaskU8 = np.rint(((mask - CUT) / (1 - 2 * CUT)).clip(0, 1) * 255).astype(np.uint8)
    return coverage


def _found(face: int, part: Part, box: Box, coverage: MaskU8) -> Iterator[PartMask]:
    """Yield a mask, cut to where it is not 0, unless it is 0 everywhere."""
    rows, columns = np.flatnonzero(coverage.any(axis=1)), np.flatnonzero(coverage.any(axis=0))
    if len(rows):
        cut = Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
        yield PartMask(face, part, cut.moved(box.x, box.y), cut.cut(coverage).copy())


def _near_part(coverage: MaskU8, reach: int) -> MaskU8:
    """Remove coverage farther than `reach` px from all that is at least half covered.

    Nobody sees these wisps in a selection, but they enlarge what is filled.
    """
    near = maximum_filter(coverage, 2 * reach + 1) >= HALF
    return np.where(near, coverage, np.uint8(0))


def _guided(small: FloatImage, mask: FloatImage, image: FloatImage, to_small: Matrix) -> FloatImage:
    """Enlarge the mask [h, w] of a small image so that it follows the edges of the large one.

    `to_small` maps px of the image [H, W, 3] to px of the small one.
    """
    a, b = guided_coefficients(small, mask.astype(np.float32), RADIUS, EPSILON)
    height, width = image.shape[:2]
    model = enlarge(np.dstack([a, b]).astype(np.float32), to_small, width, height)
    combined: FloatImage = np.einsum("hwc,hwc->hw", model[..., :3], image) + model[..., 3]
    return combined


def _hull(points: Points) -> Points:
    """Return the corners of the convex hull, in order."""
    corners: Points = points[ConvexHull(points).vertices]
    return corners
