"""Random numbers as a function of (seed, images seen, purpose).

So a resumed run draws the same numbers. All processes draw the same global batch and use their
shares, so results do not depend on their number.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from inpaint_model.networks.generator import NoiseSource


def generator_for(
    seed: int, cur_nimg: int, purpose: str, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Return a new generator for one purpose of a step."""
    digest = hashlib.blake2b(f"{seed}/{cur_nimg}/{purpose}".encode(), digest_size=8).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest, "little") >> 1)


def sharded_noise(
    generator: torch.Generator, rank: int, world_size: int, device: torch.device
) -> NoiseSource:
    """Return layer noise that is the same for any number of processes."""

    def draw(N: int, resolution: int) -> Tensor:
        whole = torch.randn(
            N * world_size, 1, resolution, resolution, generator=generator, device=device
        )
        return whole[rank::world_size]

    return draw
