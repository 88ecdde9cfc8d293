"""Initialize a network from one trained at half the resolution.

Poses and features are learned several times faster at low resolution. The RGB layer of the new top
block starts at zero, so the first images are the old ones, upscaled.
"""

from __future__ import annotations

import torch
from torch import nn

from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator


def copy_matching(target: nn.Module, source: nn.Module) -> list[str]:
    """Copy tensors with the same name and shape; return the names of others."""
    ours, theirs = target.state_dict(), source.state_dict()
    left = []
    with torch.no_grad():
        for name, value in ours.items():
            if name in theirs and theirs[name].shape == value.shape:
                value.copy_(theirs[name])
            else:
                left.append(name)
    return left


def grow_generator(target: Generator, source: Generator) -> None:
    """Initialize `target` from `source`.

    Raises:
        ValueError: `source` does not have half the resolution, or other sizes differ.
    """
    old, new = source.config, target.config
    fits = (
        new.resolution == 2 * old.resolution
        and new.channels[:-1] == old.channels
        and (new.z_dim, new.w_dim, new.c_dim) == (old.z_dim, old.w_dim, old.c_dim)
    )
    if not fits:
        raise ValueError(
            f"a generator of {old.resolution} px with channels {old.channels} and w_dim "
            f"{old.w_dim} cannot grow into one of {new.resolution} px with channels "
            f"{new.channels} and w_dim {new.w_dim}"
        )
    copy_matching(target, source)
    with torch.no_grad():
        top = target.synthesis.block(new.resolution)
        top.to_rgb.weight.zero_()


def grow_discriminator(target: Discriminator, source: Discriminator) -> None:
    """Initialize all but the first layers of `target` from `source`."""
    copy_matching(target, source)
