"""Fit codes to the known pixels around a hole, by a few steps of gradient descent.

The encoder estimates codes at once. Faces unlike those that it has learned from get the codes of
more usual ones: dark hair beside a bald head, a brown eye beside a blue one. Descending from there
(Abdal, Qin and Wonka 2019, Image2StyleGAN) corrects much of that; see
docs/research/finding-and-fitting.md.

Not in the paper. The images compared are the generator's alone: the skip encoder restores known
pixels whatever the codes, so nothing could be learned from its output.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn.functional import avg_pool2d

from inpaint_model.document.arrays import MaskU8
from inpaint_model.networks.inpainting_model import InpaintingModel

LEARNING_RATE = 0.03
REACH = 1 / 16  # distance from the hole at which known pixels count 1/e, of the image's side
BLOCKS = (1, 4, 16)  # px: means over blocks of these sizes are compared
STAY = 0.05  # weight of the squared change, in standard deviations of w
FEWEST = 50  # known pixels near the hole


def fitted_offset(
    model: InpaintingModel, image: Tensor, hole: MaskU8, ws: Tensor, steps: int
) -> Tensor:
    """Return what to add to codes so that the generator's image fits the known pixels.

    Args:
        model: a model whose codes are the generator's.
        image: [1, 3, R, R] in -1..1.
        hole: [R, R], above 0 where the image is unknown.
        ws: the codes to start from, [1, num_ws, w_dim].
        steps: of Adam.

    Returns:
        [1, num_ws, w_dim]; 0 if nearly nothing is known.
    """
    # Gradients need tensors that were made outside of inference mode.
    with torch.inference_mode(False), torch.enable_grad():
        image, ws, weight = image.clone(), ws.clone(), _closeness(hole, image.device)
        offset = torch.zeros_like(ws, requires_grad=True)
        if float(weight.sum()) < FEWEST:
            return offset.detach()
        synthesis, deviation = model.generator.synthesis, model.w_std
        wanted = [(block, *_means(image, weight, block)) for block in BLOCKS]
        optimizer = torch.optim.Adam([offset], LEARNING_RATE, betas=(0.9, 0.99))
        for _ in range(steps):
            drawn = synthesis(ws + offset, "const", None, model.precision).float()
            loss = STAY * (offset / deviation).square().mean()
            for block, seen, known in wanted:
                difference = _means(drawn, weight, block)[0] - seen
                loss = loss + difference.abs().sum() / (3 * known.sum())
            offset.grad = None
            loss.backward(inputs=[offset])
            optimizer.step()
    return offset.detach()


def _closeness(hole: MaskU8, device: torch.device) -> Tensor:
    """Return the weights of pixels, [1, 1, R, R]: 0 in the hole, near 1 beside it."""
    distance = distance_transform_edt(hole == 0)
    weight = np.where(hole > 0, 0, np.exp(-distance / (REACH * len(hole))))
    return torch.from_numpy(weight.astype(np.float32))[None, None].to(device)


def _means(images: Tensor, weight: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Return the means of weighted images and of weights over blocks."""
    return avg_pool2d(images * weight, block), avg_pool2d(weight, block)
