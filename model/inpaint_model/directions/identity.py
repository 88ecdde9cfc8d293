"""How much another person an edit makes of a face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from inpaint_model.evaluation.metrics.identity import Embed, load_identity

FACES = 16  # images to measure; each takes three runs of the network


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
