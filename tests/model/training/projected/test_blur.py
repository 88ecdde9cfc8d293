"""The blur at the start of a training: a Gaussian that fades."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from inpaint_model.training.projected.diffaugment import blurred, fading_sigma, gaussian_taps
from torch import Tensor


def rand(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [0.5, 1.3, 2.0])
def test_a_point_becomes_a_gaussian(sigma: float) -> None:
    point = torch.zeros(1, 1, 33, 33)
    point[0, 0, 16, 16] = 1
    at = torch.arange(33) - 16.0
    square = (at[:, None].square() + at.square()) / (2 * sigma**2)
    wanted = torch.exp(-square) / torch.exp(-square).sum()
    assert (blurred(point, gaussian_taps(sigma))[0, 0] - wanted).abs().max() < 0.01 * wanted.max()


def test_flat_images_stay_and_borders_are_mirrored() -> None:
    flat = torch.full((2, 3, 16, 16), 0.7)
    assert torch.allclose(blurred(flat, gaussian_taps(2.0)), flat, atol=1e-6)
    images = rand(2, 3, 16, 16)
    padded = F.pad(images, (8,) * 4, mode="reflect")
    inner = blurred(padded, gaussian_taps(1.0))[:, :, 8:-8, 8:-8]
    assert torch.allclose(blurred(images, gaussian_taps(1.0)), inner, atol=1e-6)
    assert torch.equal(blurred(images, gaussian_taps(0.2)), images)


def test_it_fades_evenly() -> None:
    found = [fading_sigma(2.0, nimg, 10.0) for nimg in (0, 5000, 10_000, 90_000)]
    assert found == [2.0, 1.0, 0.0, 0.0]
    assert fading_sigma(2.0, 0, 0.0) == 0
