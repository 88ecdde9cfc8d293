"""Bilinear sampling against PyTorch's, and its derivatives against finite differences."""

from __future__ import annotations

import torch
from inpaint_model.linear_sampling import sample_bilinear
from torch.nn import functional as F


def test_it_samples_as_pytorch_does_and_has_two_derivatives() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 6, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    grid = torch.rand(2, 5, 4, 2, dtype=torch.float64, generator=generator) * 3 - 1.5
    expected = F.grid_sample(images, grid, "bilinear", "reflection", align_corners=False)
    assert torch.equal(sample_bilinear(images, grid), expected)
    assert torch.autograd.gradcheck(lambda x: sample_bilinear(x, grid) ** 3, images)
    assert torch.autograd.gradgradcheck(lambda x: sample_bilinear(x, grid) ** 3, images)
