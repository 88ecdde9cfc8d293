"""Whether an edit preserves identity: cosine similarity of face embeddings.

The user's ONNX network takes RGB [1, 3, 112, 112] with ImageNet normalization, in the usual
alignment of face recognition, and returns one embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from inpaint_model.directions.face_regions import Box, crop
from inpaint_model.directions.onnx import load_onnx

SIDE = 112
FACES = 16  # images to measure; each takes three runs of the network
# The square of the FFHQ alignment with eyes at 0.461 and mouth at 0.824 of its height, as these
# networks expect.
FACE: Box = (0.128, 0.128, 0.872, 0.872)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Embed = Callable[[Tensor], Tensor]
"""Maps images [N, 3, H, W] in -1..1, in FFHQ alignment, to embeddings [N, K] of length 1."""


def load_identity(path: Path) -> Embed:
    """Load an embedding network.

    Raises:
        ValueError: if it cannot be run, or (when called) returns no vector.
    """
    network = load_onnx(path)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))

    def embed(images: Tensor) -> Tensor:
        faces = F.interpolate(
            crop(images.cpu(), FACE), (SIDE, SIDE), mode="bilinear", antialias=True
        )
        rows = []
        for face in (faces - mean) / std:
            row = torch.as_tensor(network(face[None].numpy())).flatten()
            if len(row) < 2 or not bool(torch.isfinite(row).all()):
                raise ValueError(f"{path} does not return an embedding for a face")
            rows.append(F.normalize(row, dim=0))
        return torch.stack(rows)

    return embed


@dataclass(frozen=True)
class Likeness:
    """Measures whether images show the same person."""

    embed: Embed
    strangers: float  # mean cosine similarity of different persons

    def change(self, images: Tensor) -> float:
        """Return the mean distance of images [V, 3, H, W] from the first; 1: unrelated persons."""
        first, *others = self.embed(images)
        cosine = float(torch.stack(others).mean(dim=0) @ first)
        return (1 - cosine) / max(1 - self.strangers, 1e-6)


def likeness(path: Path, images: Tensor) -> Likeness:
    """Load a network and calibrate it on images of different persons [N, 3, H, W]."""
    embed = load_identity(path)
    rows = embed(images)
    apart = ~torch.eye(len(rows), dtype=torch.bool)
    return Likeness(embed, float((rows @ rows.T)[apart].mean()))
