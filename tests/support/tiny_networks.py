"""The tiny preset's networks with random weights."""

from __future__ import annotations

import torch
from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.presets import preset


def tiny_networks(seed: int = 0) -> tuple[Generator, Discriminator]:
    """Return networks with weights from a seed, without changing the global random state."""
    sizes = preset("tiny")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Generator(sizes.generator), Discriminator(sizes.discriminator)
