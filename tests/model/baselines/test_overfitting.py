"""Every method learns eight images by heart."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.inference.tiny import tiny_model
from inpaint_model.networks.config import BASELINES, Baseline
from inpaint_model.training.inpainter_step import trained_parameters

STEPS = 150


@pytest.mark.slow
@pytest.mark.parametrize("arch", BASELINES)
def test_eight_images_are_learned_by_heart(arch: Baseline) -> None:
    """The erased half of images that the generator can make comes near to the original."""
    model = tiny_model(arch=arch)
    rng = torch.Generator().manual_seed(1)
    w = model.generator.mapping(torch.randn(8, model.config.generator.z_dim, generator=rng))
    images = model.generator.synthesis(w).detach()
    hole = torch.zeros(8, 1, 32, 32)
    hole[..., 16:] = 1
    parameters = trained_parameters(model.train())
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(parameters, lr=4e-3)
    errors = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        error = F.mse_loss(model(images, hole, w.roll(1, 0)) * hole, images * hole)
        error.backward()
        optimizer.step()
        errors.append(error.item())
    nothing = (images - images.mean(dim=0)).mul(hole).square().mean().item()
    assert errors[-1] < 0.2 * min(errors[0], nothing)
