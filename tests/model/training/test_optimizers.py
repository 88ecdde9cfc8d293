"""Adam's implementations agree, and continue from each other's states."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.ops import channels_last
from inpaint_model.training.ema import frozen_copy, update_ema
from inpaint_model.training.optimizers import adam
from inpaint_model.training.run_folder import RunFolder
from short_trainings import rand
from tiny_networks import tiny_networks
from torch import nn

LR = 0.01


def step(G: Generator, optimizer: torch.optim.Optimizer, seed: int) -> None:
    optimizer.zero_grad(set_to_none=True)
    w = rand(2, G.config.num_ws, G.config.w_dim, seed=seed)
    (G.synthesis(w) - 1).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("form", ["fused", "foreach", "neither"])
def test_every_implementation_continues_from_a_state(form: str, tmp_path: Path) -> None:
    """Bit for bit like an uninterrupted run if the implementation is the same."""
    G = channels_last(tiny_networks()[0])
    G.mapping.requires_grad_(False)
    before = torch.optim.Adam(
        G.parameters(), lr=LR, fused=form == "fused" or None, foreach=form == "foreach" or None
    )
    for seed in range(3):
        step(G, before, seed)
    RunFolder(tmp_path).save_state({"G": G}, {"adam": before}, {})
    other = channels_last(tiny_networks(seed=5)[0])
    other.mapping.requires_grad_(False)
    after = adam(other.parameters(), LR)
    RunFolder(tmp_path).load_state({"G": other}, {"adam": after})
    for seed in range(3, 6):
        step(G, before, seed)
        step(other, after, seed)
    for a, b in zip(G.parameters(), other.parameters(), strict=True):
        if form == "fused":
            assert torch.equal(a, b)
        # Without momentum's damping a step is of the size of lr: errors stay far below one.
        torch.testing.assert_close(a, b, rtol=0, atol=LR / 100)


def test_moments_lie_in_memory_as_their_parameters_do(tmp_path: Path) -> None:
    """Otherwise `fused` silently pairs elements with the moments of others."""
    G = channels_last(tiny_networks()[0])
    optimizer = adam(G.parameters(), LR)
    step(G, optimizer, 0)
    RunFolder(tmp_path).save_state({"G": G}, {"adam": optimizer}, {})
    again = adam(G.parameters(), LR)
    RunFolder(tmp_path).load_state({"G": G}, {"adam": again})
    convolutions = [p for p, state in again.state.items() if p.ndim == 4 and state]
    assert any(not p.is_contiguous() for p in convolutions)
    for parameter in convolutions:
        for name in ("exp_avg", "exp_avg_sq"):
            assert again.state[parameter][name].stride() == parameter.stride()
            assert torch.equal(again.state[parameter][name], optimizer.state[parameter][name])


def test_fused_where_the_device_has_it() -> None:
    weight = nn.Parameter(torch.zeros(3))
    assert adam([weight], LR).param_groups[0]["fused"] is True
    assert adam([nn.Parameter(weight.to("meta"))], LR).param_groups[0]["fused"] is None


def test_averages_of_weights_and_copies_of_buffers() -> None:
    counted = nn.BatchNorm1d(3)  # buffers of two types
    module = nn.Sequential(nn.Linear(2, 3), counted)
    ema, before = frozen_copy(module), copy.deepcopy(module)
    with torch.no_grad():
        for x in (*module.parameters(), counted.running_mean, counted.num_batches_tracked):
            assert x is not None
            x.add_(2)
    update_ema(ema, module, 1000, 0, 1.0, rampup=None)  # a half-life of one step
    for average, old in zip(ema.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(average, old + 1)
    assert all(torch.equal(a, b) for a, b in zip(ema.buffers(), module.buffers(), strict=True))
