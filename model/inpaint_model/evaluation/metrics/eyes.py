"""Whether the two eyes of a face match.

Mesh landmarks always form a plausible face, so they miss the most common fault of a generator early
in training: one sharp eye and one smeared eye. Here the eyes are cut out in the plane of the face,
one is mirrored, and their feature maps are compared. Real eyes differ too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from inpaint_model.document.arrays import Float64Array
from inpaint_model.evaluation.metrics.asymmetry import mirror
from inpaint_model.evaluation.metrics.vgg_distance import hole_distance

Maps = Callable[[Tensor], Sequence[Tensor]]
SIDE = 64  # px of a square
REACH = 0.4  # half a square's side, as a fraction of the distance between the eyes
# Corners of the left and the right eye in the image.
_LEFT, _RIGHT = (33, 133), (263, 362)


def eye_pairs(images: Tensor, meshes: Float64Array) -> tuple[Tensor, Tensor]:
    """Return the left eyes and the right ones mirrored, uint8 [N, 3, 64, 64].

    Images are uint8 [N, 3, R, R]; meshes are in units of the image's width.
    """
    faces = mirror(meshes)
    # Cut where the symmetrical face has its eyes, so that a displaced eye counts.
    face = (faces.given + faces.mirrored) / 2 + meshes.mean(axis=1, keepdims=True)
    left, right = (face[:, corners].mean(axis=1) for corners in (_LEFT, _RIGHT))
    reach = REACH * np.linalg.norm(left - right, axis=1)[:, None, None]
    axes = torch.from_numpy(reach * faces.axes[:, :2, :2])  # of the square, in the image plane
    line = (torch.arange(SIDE, dtype=torch.float64) + 0.5) / SIDE * 2 - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    pairs = []
    for center, side in ((left, 1), (right, -1)):
        offsets = torch.einsum("nij,hwj->nhwi", axes, torch.stack([side * x, y], dim=2))
        places = torch.from_numpy(center[:, None, None, :2]) + offsets
        cut = F.grid_sample(
            images.float().cpu(), places.float() * 2 - 1, padding_mode="border",
            align_corners=False,
        )  # fmt: skip
        pairs.append(cut.round().to(torch.uint8))
    return pairs[0], pairs[1]


@torch.inference_mode()
def eye_difference(
    maps: Maps, images: Tensor, meshes: Float64Array, batch: int = 8
) -> Float64Array:
    """Return the feature distance between each face's eyes, [N]."""
    numbers = range(0, len(images), batch)
    found = []
    for start in tqdm(numbers, "comparing eyes", disable=None, leave=False):
        part = slice(start, start + batch)
        left, right = (maps(eyes) for eyes in eye_pairs(images[part], meshes[part]))
        everywhere = torch.ones(len(left[0]), 1, SIDE, SIDE, device=left[0].device)
        found.append(hole_distance(left, right, everywhere).cpu())
    return torch.cat(found).double().numpy()
