"""Initialize a network from one trained at a lower resolution.

Poses and features are learned several times faster at low resolution. The RGB layer of the
generator's new top block starts at zero, so the first images are the old ones, upscaled. The
encoder and the mixer get parts for the styles of that block, which start as those of the last style
that was trained.
"""

from __future__ import annotations

import re

import torch
from torch import nn

from inpaint_model.networks.discriminator import Discriminator
from inpaint_model.networks.generator import Generator
from inpaint_model.networks.inpainting_model import InpaintingModel


def copy_matching(target: nn.Module, source: nn.Module) -> None:
    """Copy the tensors with the same name and shape."""
    ours, theirs = target.state_dict(), source.state_dict()
    with torch.no_grad():
        for name, value in ours.items():
            if name in theirs and theirs[name].shape == value.shape:
                value.copy_(theirs[name])


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


def grow_inpainter(target: InpaintingModel, source: InpaintingModel) -> list[str]:
    """Initialize all but the generator of an inpainting model from one with fewer or equal styles.

    The encoder sees at most 256 px, so all its layers fit if the source's generator has that
    resolution. Return the names of the tensors that keep their random values.
    """
    given = source.state_dict()
    last = source.generator.config.num_ws - 1
    left = []
    with torch.no_grad():
        for name, value in target.state_dict().items():
            if name.startswith("generator."):
                continue
            start = given.get(name, given.get(_of_style(name, last)))
            if start is not None and start.shape == value.shape:
                value.copy_(start)
            else:
                left.append(name)
    return left


def _of_style(name: str, last: int) -> str:
    """Return the tensor's name with the style `last` instead of a later one."""
    return re.sub(r"\.(\d+)\.", lambda place: f".{min(int(place[1]), last)}.", name, count=1)


def grow_discriminator(target: Discriminator, source: Discriminator) -> None:
    """Initialize all but the first layers of `target` from `source`."""
    copy_matching(target, source)
