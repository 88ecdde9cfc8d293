"""Adam in its fastest implementation, with states that all implementations can load.

torch has three implementations of the same step: tensor by tensor, in a few launches for all
tensors (`foreach`), and in one kernel (`fused`). On a CPU `fused` takes a third of the time.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

FUSED_ON = ("cpu", "cuda", "mps", "xpu")  # devices with `fused` in every torch since 2.6


def adam(
    parameters: Iterable[nn.Parameter],
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """Return Adam (Kingma and Ba 2015); with `weight_decay` AdamW (Loshchilov and Hutter 2019).

    `fused` where the device supports it; elsewhere torch chooses, which is `foreach` on all
    accelerators. The parameters must already be on the device.
    """
    parameters = list(parameters)
    fused = {parameter.device.type for parameter in parameters} <= set(FUSED_ON) or None
    if weight_decay:
        return torch.optim.AdamW(
            parameters, lr=lr, betas=betas, weight_decay=weight_decay, fused=fused
        )
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=fused)


def lazy_adam(
    parameters: Iterable[nn.Parameter], lr: float, interval: int | None
) -> torch.optim.Adam:
    """Return Adam (0, 0.99), corrected for regularization every `interval` (StyleGAN2, B)."""
    ratio = 1.0 if interval is None else interval / (interval + 1)
    return adam(parameters, lr * ratio, (0.0, 0.99**ratio))


def load_moments(optimizer: torch.optim.Optimizer, state: dict[int, dict[str, Tensor]]) -> None:
    """Load the state of each parameter from a file, numbered as in `state_dict()["state"]`.

    The tensors of a file are contiguous, but parameters may be `channels_last`. `fused` steps
    through both by address and would silently pair wrong elements, so the moments get the memory
    layout of their parameters.
    """
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter, requires_grad=False).copy_(value)
