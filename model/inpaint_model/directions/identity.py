"""Whether a face stays the same person: cosine of the embeddings of a face recognition network.

The network is a user's (an ONNX file): it takes RGB [1, 3, 112, 112], normalized as ImageNet is,
of a face in the usual alignment of face recognition, and gives one embedding.
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
FACES = 16  # on which a change is measured: the network looks at each three times
# Eyes at 0.461 and mouth at 0.824 of the height, as these networks want it, are at 0.47 and 0.74
# of the FFHQ alignment's: this square of it, in the middle.
FACE: Box = (0.128, 0.128, 0.872, 0.872)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Embed = Callable[[Tensor], Tensor]
"""Images [N, 3, H, W] in -1..1 of the FFHQ alignment to embeddings [N, K] of length 1."""


def load_identity(path: Path) -> Embed:
    """The embedding of faces by a network. ValueError if it cannot be run or gives no vector."""
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
                raise ValueError(f"{path} does not give an embedding for a face")
            rows.append(F.normalize(row, dim=0))
        return torch.stack(rows)

    return embed


@dataclass(frozen=True)
class Likeness:
    """What measures whether two images show the same person."""

    embed: Embed
    strangers: float  # mean cosine of different people

    def change(self, images: Tensor) -> float:
        """Return how far all other images [V, 3, H, W] are from the first, on average.

        0: the same person; 1: as different as strangers are.
        """
        first, *others = self.embed(images)
        cosine = float(torch.stack(others).mean(dim=0) @ first)
        return (1 - cosine) / max(1 - self.strangers, 1e-6)


def likeness(path: Path, images: Tensor) -> Likeness:
    """Make a likeness of a file's network; images [N, 3, H, W] are of N different people."""
    embed = load_identity(path)
    rows = embed(images)
    apart = ~torch.eye(len(rows), dtype=torch.bool)
    return Likeness(embed, float((rows @ rows.T)[apart].mean()))
