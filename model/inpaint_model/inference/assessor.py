"""Judge fills with the face recognition network: the person's likeness, and naturalness."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from inpaint_model.bundle.recognition import recognition_network
from inpaint_model.data.image_tensors import from_unit
from inpaint_model.document.arrays import FloatImage
from inpaint_model.inference.freeze import best_dtype
from inpaint_model.networks.naturalness_head import NaturalnessHead
from inpaint_model.networks.precision import DTYPES
from inpaint_model.networks.recognition_network import PERSON, features_of

STRANGERS = 0.36  # mean cosine similarity of two persons in the training images


class Assessor:
    """Runs on the CPU, like the documents, and can be used by several threads."""

    def __init__(self, head: NaturalnessHead | None = None) -> None:
        """Take what a bundle's fills are judged with; None: their naturalness is unknown."""
        self._head = head
        self._network = recognition_network(DTYPES[best_dtype(torch.device("cpu"))])

    @torch.inference_mode()
    def features(self, image: FloatImage) -> Tensor:
        """Return features [1, FEATURES] of a face [R, R, 3] in 0..1, in FFHQ's alignment."""
        return features_of(self._network, from_unit(image[None].clip(0, 1)))

    def naturalness(self, features: Tensor) -> float | None:
        """Return the share of the model's fills that look less natural, 0..1, if known."""
        return None if self._head is None else float(self._head(features))


def likeness(features: Tensor, others: Tensor) -> float:
    """Return how alike two faces are: 1 if they are the same, 0 if as two persons on average."""
    similarity = F.cosine_similarity(features[:, -PERSON:], others[:, -PERSON:])
    return min(max((float(similarity) - STRANGERS) / (1 - STRANGERS), 0.0), 1.0)
