"""Adam in its fastest form, and a state of it that fits whatever form reads it.

torch computes the same step in three forms: tensor by tensor, in a few launches for all tensors
(`foreach`), and in one kernel (`fused`). On a processor the fused one takes a third of the time.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

FUSED_ON = ("cpu", "cuda", "mps", "xpu")  # where every torch since 2.6 has the fused form


def adam(
    parameters: Iterable[nn.Parameter],
    lr: float,
    betas: tuple[float, float] = (0.9, 0.999),
    weight_decay: float = 0.0,
) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015); with `weight_decay` AdamW (Loshchilov and Hutter 2019).

    Fused where the parameters' device has that form; elsewhere torch chooses, which is `foreach`
    on every accelerator that it knows. The parameters must be where they will be trained.
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
    """Adam (0, 0.99), corrected for regularization steps every `interval` (StyleGAN2, B)."""
    ratio = 1.0 if interval is None else interval / (interval + 1)
    return adam(parameters, lr * ratio, (0.0, 0.99**ratio))


def load_moments(optimizer: torch.optim.Optimizer, state: dict[int, dict[str, Tensor]]) -> None:
    """Restore what a state file holds of each parameter, numbered as in `state_dict()["state"]`.

    Files hold tensors in one memory layout and parameters have another (`channels_last`). The
    fused form goes through both by address, so it would silently pair wrong elements: moments are
    laid out as their parameters are. The form in which they were computed does not matter.
    """
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter, requires_grad=False).copy_(value)
