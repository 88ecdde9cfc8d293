"""Exponential moving average of weights, with a half-life in images."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

EMA_RAMPUP = 0.05  # share of images seen, for random initial weights

Module = TypeVar("Module", bound=nn.Module)


def frozen_copy(module: Module) -> Module:
    """Return a copy in evaluation mode without gradients."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update_ema(
    ema: nn.Module,
    module: nn.Module,
    batch_size: int,
    cur_nimg: int,
    ema_kimg: float,
    rampup: float | None = EMA_RAMPUP,
) -> None:
    """Move `ema` toward `module` after a step; copy buffers.

    The half-life is `ema_kimg` thousand images, limited to `rampup` times the images seen (None =
    no limit, for pretrained weights). `torch.optim.swa_utils` has one decay for all steps.
    """
    half_life = ema_kimg * 1000
    if rampup is not None:
        half_life = min(half_life, cur_nimg * rampup)
    beta = 0.5 ** (batch_size / max(half_life, 1e-8))
    averages: list[torch.Tensor] = list(ema.parameters())
    values: list[torch.Tensor] = list(module.parameters())
    torch._foreach_lerp_(averages, values, 1 - beta)
    copies, originals = list(ema.buffers()), list(module.buffers())
    for dtype in {x.dtype for x in originals}:  # one launch per dtype
        there = [i for i, x in enumerate(originals) if x.dtype == dtype]
        torch._foreach_copy_([copies[i] for i in there], [originals[i] for i in there])
