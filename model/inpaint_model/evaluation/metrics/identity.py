"""Whether two portraits show the same person: cosine similarity of face embeddings.

The ONNX network takes RGB [1, 3, 112, 112] with ImageNet normalization, in the usual alignment of
face recognition, and returns one embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from inpaint_model.evaluation.metrics.onnx import load_onnx

SIDE = 112
# The square of the FFHQ alignment with eyes at 0.461 and mouth at 0.824 of its height, as these
# networks expect, in fractions of the side.
NEAR, FAR = 0.128, 0.872
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Embed = Callable[[Tensor], Tensor]
"""Maps images [N, 3, R, R] in -1..1, in FFHQ alignment, to embeddings [N, K] of length 1."""


def load_identity(path: Path) -> Embed:
    """Load an embedding network.

    Raises:
        ValueError: if it cannot be run, or (when called) returns no vector.
    """
    network = load_onnx(path)
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))

    def embed(images: Tensor) -> Tensor:
        R = images.shape[-1]
        within = slice(round(NEAR * R), round(FAR * R))
        face = images.cpu()[:, :, within, within].clamp(-1, 1).float().add(1).mul(0.5)
        faces = F.interpolate(face, (SIDE, SIDE), mode="bilinear", antialias=True)
        rows = []
        for face in (faces - mean) / std:
            row = torch.as_tensor(network(face[None].numpy())).flatten()
            if len(row) < 2 or not bool(torch.isfinite(row).all()):
                raise ValueError(f"{path} does not return an embedding for a face")
            rows.append(F.normalize(row, dim=0))
        return torch.stack(rows)

    return embed
