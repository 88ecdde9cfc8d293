"""Heads: how many logits, spectral norm, the batch's own statistics, gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from inpaint_model.training.projected.heads import (
    MAX_WIDTH,
    Head,
    SeparableBlock,
    improve,
    spectral_norms,
)
from torch import Tensor, nn


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def head(channels: int = 16, side: int = 16) -> Head:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Head(channels, side)


def convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize(
    ("side", "blocks", "logits"),
    [
        (64, 3, 25),
        (32, 2, 25),
        (16, 1, 25),
        (8, 1, 25),
        (7, 1, 16),
        (4, 1, 1),
        (2, 1, 1),
        (1, 1, 1),
    ],
)
def test_shapes(side: int, blocks: int, logits: int) -> None:
    network = head(8, side)
    assert sum(isinstance(m, SeparableBlock) for m in network) == blocks
    assert network(rand(3, 8, side, side)).shape == (3, logits)


def test_channels_double_to_a_limit() -> None:
    widths = [m.pointwise.out_channels for m in head(64, 128) if isinstance(m, SeparableBlock)]
    assert widths == [128, 256, MAX_WIDTH, MAX_WIDTH]


def test_no_convolution_enlarges_by_more_than_one() -> None:
    """After a few steps of the power iteration, for any weights."""
    network = head()
    for module in convolutions(network):
        nn.init.normal_(module.get_parameter("parametrizations.weight.original"), std=3.0)
    for _ in range(30):
        network(rand(2, 16, 16, 16))
    for module in convolutions(network.eval()):
        largest = float(torch.linalg.matrix_norm(module.weight.detach().flatten(1), 2))
        assert largest == pytest.approx(1, abs=0.05)


def test_all_spectral_norms_together_are_what_torch_makes_one_by_one() -> None:
    """For heads of several sizes, some of whose convolutions have the same shape."""
    heads = nn.ModuleList([head(), head(8, 32), head(), head(16, 8)])
    for seed, parameter in enumerate(heads.parameters()):
        parameter.data.copy_(rand(*parameter.shape, seed=seed))
    alone = copy.deepcopy(heads)
    for _ in range(3):
        improve(spectral_norms(heads))
        for norm in spectral_norms(alone):
            norm.own(norm.weight)  # what reading a convolution's weight does while it trains
    assert len(spectral_norms(heads)) == len(convolutions(heads))
    for one, other in zip(spectral_norms(heads), spectral_norms(alone), strict=True):
        torch.testing.assert_close(one.u, other.u)
        torch.testing.assert_close(one.v, other.v)


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_those_of_the_batch(training: bool) -> None:
    network, seen = head(), []
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    x = 5 + 3 * rand(6, 16, 16, 16)
    for _ in range(30):  # until the spectral norm has settled
        network(x)
    before = network(x).detach()
    network.train(training)
    seen.clear()
    torch.testing.assert_close(network(x), before, rtol=1e-3, atol=1e-3)
    for normed in seen:
        assert normed.mean(dim=(0, 2, 3)).abs().max() < 1e-4
        assert (normed.var(dim=(0, 2, 3), correction=0) - 1).abs().max() < 0.05
    other = x.clone()
    other[1:] *= 4
    assert not torch.allclose(network(other)[0], before[0], atol=1e-2)  # depends on the batch


def test_gradients_reach_the_maps_and_every_parameter() -> None:
    network, x = head(8, 32), rand(3, 8, 32, 32).requires_grad_(True)
    (network(x) * rand(3, 25)).sum().backward()
    assert x.grad is not None
    for gradient in [x.grad, *(p.grad for p in network.parameters())]:
        assert gradient is not None
        assert gradient.abs().max() > 0
