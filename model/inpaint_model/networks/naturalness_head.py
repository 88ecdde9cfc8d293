"""How natural a face looks: a linear discriminator on features of the face recognition network.

As in projected discriminators (Sauer et al. 2021), the features are fixed. Only the linear layer
learns to tell photographs from one model's fills.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint_model.networks.recognition_network import FEATURES


class NaturalnessHead(nn.Module):
    """Maps features of faces to their naturalness."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(FEATURES))
        self.mean = nn.Parameter(torch.zeros(()))  # of the scores of the model's own fills
        self.deviation = nn.Parameter(torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Return the naturalness [N] in 0..1 of `features_of` faces, [N, FEATURES].

        It is the share of the model's own fills that look less natural, if their scores are
        normally distributed.
        """
        deviations = (self.score(features) - self.mean) / self.deviation
        share: Tensor = torch.special.ndtr(deviations)
        return share

    def score(self, features: Tensor) -> Tensor:
        """Return scores [N], which are higher for photographs than for fills."""
        return features @ self.weight
