"""Hierarchical mixing (section 3.1, figure 2): each style depends on earlier ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaint_model.networks.config import MixerConfig


class StyleMLP(nn.Module):
    """Two linear layers with ReLU between: [N, in_tokens * w_dim] -> [N, w_dim].

    With `gated`, a learned gate blends the result with the sampled code (DivInversion).
    """

    def __init__(self, in_tokens: int, w_dim: int, gated: bool) -> None:
        super().__init__()
        self.fc0 = nn.Linear(in_tokens * w_dim, w_dim)
        self.fc1 = nn.Linear(w_dim, w_dim)
        self.gate = nn.Linear(in_tokens * w_dim, w_dim) if gated else None
        nn.init.kaiming_normal_(self.fc0.weight, nonlinearity="relu")
        # Small and centered: an untrained mixer returns codes near w_avg.
        nn.init.normal_(self.fc1.weight, std=0.3 / w_dim**0.5)
        nn.init.zeros_(self.fc0.bias)
        nn.init.zeros_(self.fc1.bias)

    def forward(self, x: Tensor, rand: Tensor) -> Tensor:
        """Return the style's code, given the sampled code `rand`."""
        y: Tensor = self.fc1(F.relu(self.fc0(x)))
        if self.gate is None:
            return y
        g = torch.sigmoid(self.gate(x))
        return g * y + (1 - g) * rand


class Mixer(nn.Module):
    """W_rand [N, num_ws, w_dim] and W_enc [N, t * num_ws, w_dim] -> W_out [N, num_ws, w_dim].

    Codes are normalized by the mean and standard deviation of the generator's w; tokens are
    normalized already. The functions are the paper's, with values of order one inside.
    """

    w_avg: Tensor
    w_std: Tensor

    def __init__(self, config: MixerConfig, num_ws: int, w_dim: int) -> None:
        super().__init__()
        self.config, self.num_ws, self.w_dim = config, num_ws, w_dim
        own = 1 + config.tokens_per_style
        earlier = {"prev": 1, "all": num_ws}.get(config.context, 0)
        self.mlps = nn.ModuleList(
            StyleMLP(own + min(i, earlier), w_dim, config.gated) for i in range(num_ws)
        )
        self.register_buffer("w_avg", torch.zeros(w_dim))
        self.register_buffer("w_std", torch.ones(w_dim))

    def forward(self, w_rand: Tensor, w_enc: Tensor) -> Tensor:
        """Return W_out."""
        N, t = w_rand.shape[0], self.config.tokens_per_style
        rand = (w_rand - self.w_avg) / self.w_std
        enc = w_enc.reshape(N, self.num_ws, t * self.w_dim)
        outs: list[Tensor] = []
        for i, mlp in enumerate(self.mlps):
            sampled = rand[:, i]
            if self.config.context == "sum" and outs:
                sampled = sampled + outs[-1]
            known = {"prev": outs[-1:], "all": outs}.get(self.config.context, [])
            outs.append(mlp(torch.cat([sampled, enc[:, i], *known], dim=1), rand[:, i]))
        return self.w_avg + self.w_std * torch.stack(outs, dim=1)
