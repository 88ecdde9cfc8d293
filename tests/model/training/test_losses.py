"""Losses and averages, by hand."""

from __future__ import annotations

import math

import pytest
import torch
from inpaint_model.training import losses
from inpaint_model.training.ema import update_ema
from short_trainings import rand
from torch import nn


class TestLosses:
    def test_logistic_losses_by_hand(self) -> None:
        logits = torch.tensor([[-1.0], [2.0]])
        sigmoid = [1 / (1 + math.exp(1)), 1 / (1 + math.exp(-2))]
        down = -sum(math.log(1 - s) for s in sigmoid) / 2
        up = -sum(math.log(s) for s in sigmoid) / 2
        assert losses.d_logistic_fake(logits).item() == pytest.approx(down, rel=1e-5)
        assert losses.d_logistic_real(logits).item() == pytest.approx(up, rel=1e-5)
        assert losses.g_nonsaturating(logits).item() == pytest.approx(up, rel=1e-5)

    def test_r1_of_a_linear_critic_is_its_squared_norm(self) -> None:
        weight = rand(3, 4, 4)
        images = rand(5, 3, 4, 4, seed=1).requires_grad_(True)
        logits = (images * weight).sum(dim=(1, 2, 3))[:, None]
        penalty = losses.r1_penalty(logits, images)
        assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)

    def test_path_length_of_a_linear_generator(self) -> None:
        """images = A w: the Jacobian is A for every w."""
        A, noise = rand(3 * 4 * 4, 6), rand(2, 3, 4, 4, seed=2)
        ws = rand(2, 1, 6, seed=1).requires_grad_(True)
        images = (ws[:, 0] @ A.T).reshape(2, 3, 4, 4)
        expected = (noise.flatten(1) / 4 @ A).square().sum(dim=1).sqrt()
        torch.testing.assert_close(losses.path_lengths(images, ws, noise), expected)

    def test_ema_half_life(self) -> None:
        average, module = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        nn.init.ones_(average.weight)
        nn.init.zeros_(module.weight)
        for _ in range(10):  # 10 steps of 100 images: one half-life of 1 kimg
            update_ema(average, module, 100, 10**9, ema_kimg=1.0)
        assert average.weight.item() == pytest.approx(0.5, rel=1e-4)
