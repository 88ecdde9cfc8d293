"""The passes of a fill on the device.

CUDA graphs can record them, since their shapes depend only on the batch size, and they need no
number from the CPU.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from inpaint_model.data.image_tensors import from_uint8
from inpaint_model.inference.refined_parts import parts_around
from inpaint_model.networks.inpainting_model import Encoding, InpaintingModel, encoder_input
from inpaint_model.networks.refinement_network import RefinementNetwork, strength

ERASED = "erased"  # in encodings: the image with 0 in the hole, and the known mask


class Passes(Protocol):
    """The three passes, on one device and without gradients."""

    def encode(self, image: Tensor, hole: Tensor) -> Encoding:
        """Encode an image uint8 [1, R, R, 3] and a hole bool [1, R, R]."""

    def code(self, encoding: Encoding, z: Tensor, truncation_psi: float) -> Tensor:
        """Return ws_out [1, num_ws, w_dim], given the encoding of one image and z [1, z_dim].

        One code at a time, since batches round differently.
        """

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """Return float32 [N, R, R, 3] in 0..1 for N codes ws and an encoding of one or N images."""


class EagerPasses:
    """Run the passes operation by operation."""

    def __init__(self, model: InpaintingModel, refinement: RefinementNetwork | None = None) -> None:
        self._model, self._refinement = model, refinement
        if refinement is not None:
            where = strength(refinement.config.places, model.config.generator.resolution)
            self._where = where.to(refinement.stem.weight.device)

    def encode(self, image: Tensor, hole: Tensor) -> Encoding:
        """See `Passes.encode`. For the refinement, the encoding includes the erased image."""
        seen, erased = from_uint8(image), hole.float()[:, None]
        encoding = self._model.encode(seen, erased)
        if self._refinement is not None:
            encoding[ERASED] = encoder_input(seen, erased)
        return encoding

    def code(self, encoding: Encoding, z: Tensor, truncation_psi: float | Tensor) -> Tensor:
        """See `Passes.code`; a graph can read `truncation_psi` anew from a scalar on the device."""
        mapping = self._model.generator.mapping
        labels = torch.zeros(1, mapping.c_dim, device=z.device) if mapping.c_dim else None
        return self._model.mix(encoding, mapping(z, labels, truncation_psi))

    def render(self, encoding: Encoding, ws: Tensor) -> Tensor:
        """See `Passes.render`."""
        if encoding.count != len(ws):
            encoding = encoding.expand(len(ws))
        images = self._model.render(encoding, ws)
        if self._refinement is not None:
            images = self._refined(self._refinement, images.float(), encoding[ERASED])
        return images.float().permute(0, 2, 3, 1).add(1).mul(0.5)

    def _refined(self, refinement: RefinementNetwork, images: Tensor, given: Tensor) -> Tensor:
        """Refine images [N, 3, R, R].

        On the CPU only around what may change, which saves time; graphs need fixed shapes.
        """
        erased, hole, where = given[:, :3], 1 - given[:, 3:], self._where
        if hole.device.type != "cpu":
            refined: Tensor = refinement(images, erased, hole, where)
            return refined
        result = images.clone()
        for k in range(len(images)):  # one by one, so that a fill does not depend on others
            changing = (hole[k] * where[0]).amax(dim=0) > 0
            for rows, columns, changed in parts_around(changing, refinement.least_multiple):
                part = (slice(k, k + 1), slice(None), rows, columns)
                refined = refinement(
                    images[part], erased[part], hole[part], where[..., rows, columns]
                )
                result[part] = torch.where(changed, refined, result[part])
        return result
