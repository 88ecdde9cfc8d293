"""Random StyleGAN2 weights with the names and shapes of published implementations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Sizes:
    resolution: int = 32
    channels: tuple[int, ...] = (8, 8, 6, 4)  # at 4, 8, ..., resolution px
    z_dim: int = 12
    w_dim: int = 12
    c_dim: int = 0
    layers: int = 3
    lr_multiplier: float = 0.01

    @property
    def blocks(self) -> list[tuple[int, int, int]]:
        """Return (resolution, channels of the block below, channels) of each block."""
        below = (0, *self.channels[:-1])
        return [(4 << k, below[k], c) for k, c in enumerate(self.channels)]


def nvidia_generator(sizes: Sizes, seed: int = 0) -> Tensors:
    draw = _Draw(seed)
    t = draw.mapping(sizes.z_dim, sizes.c_dim, sizes.w_dim, sizes.layers, sizes.lr_multiplier)
    t["mapping.w_avg"] = draw(sizes.w_dim) * 0.2
    for r, inner, c in sizes.blocks:
        block = f"synthesis.b{r}"
        if r == 4:
            t[f"{block}.const"] = draw(c, 4, 4)
        for conv, i in ([("conv0", inner)] if r > 4 else []) + [("conv1", c)]:
            t |= {
                f"{block}.{conv}.weight": draw(c, i, 3, 3),
                f"{block}.{conv}.noise_strength": draw() * 0.3,
                f"{block}.{conv}.bias": draw(c) * 0.3,
                f"{block}.{conv}.noise_const": draw(r, r),
                f"{block}.{conv}.affine.weight": draw(i, sizes.w_dim),
                f"{block}.{conv}.affine.bias": draw(i) * 0.3 + 1,
            }
        t |= {
            f"{block}.torgb.weight": draw(3, c, 1, 1),
            f"{block}.torgb.bias": draw(3) * 0.3,
            f"{block}.torgb.affine.weight": draw(c, sizes.w_dim),
            f"{block}.torgb.affine.bias": draw(c) * 0.3 + 1,
        }
    return t


def nvidia_discriminator(sizes: Sizes, seed: int = 1, mbstd_channels: int = 1) -> Tensors:
    draw = _Draw(seed)
    t: Tensors = {}
    for r, below, c in reversed(sizes.blocks):
        if r == sizes.resolution:
            t |= {f"b{r}.fromrgb.weight": draw(c, 3, 1, 1), f"b{r}.fromrgb.bias": draw(c) * 0.3}
        if r > 4:
            t |= {
                f"b{r}.conv0.weight": draw(c, c, 3, 3),
                f"b{r}.conv0.bias": draw(c) * 0.3,
                f"b{r}.conv1.weight": draw(below, c, 3, 3),
                f"b{r}.conv1.bias": draw(below) * 0.3,
                f"b{r}.skip.weight": draw(below, c, 1, 1),
            }
    c, cmap_dim = sizes.channels[0], 5 if sizes.c_dim else 1
    if sizes.c_dim:
        t |= draw.mapping(0, sizes.c_dim, cmap_dim, 8, 0.01)
    return t | {
        "b4.conv.weight": draw(c, c + mbstd_channels, 3, 3),
        "b4.conv.bias": draw(c) * 0.3,
        "b4.fc.weight": draw(c, c * 16),
        "b4.fc.bias": draw(c) * 0.3,
        "b4.out.weight": draw(cmap_dim, c),
        "b4.out.bias": draw(cmap_dim) * 0.3,
    }


def rosinality_generator(sizes: Sizes, seed: int = 0) -> Tensors:
    draw = _Draw(seed)
    t: Tensors = {}
    for i in range(1, sizes.layers + 1):
        t |= draw.dense(f"style.{i}", sizes.w_dim, sizes.w_dim, 0.01)
    t["input.input"] = draw(1, sizes.channels[0], 4, 4)
    n = 0
    for k, (r, inner, c) in enumerate(sizes.blocks):
        convs = ["conv1"] if r == 4 else [f"convs.{2 * k - 2}", f"convs.{2 * k - 1}"]
        for name in convs:
            i = inner if r > 4 and name == convs[0] else c
            t[f"{name}.conv.weight"] = draw(1, c, i, 3, 3)
            if r > 4 and name == convs[0]:
                t[f"{name}.conv.blur.kernel"] = low_pass() * 4
            t |= draw.dense(f"{name}.conv.modulation", sizes.w_dim, i, bias=1)
            t |= {f"{name}.noise.weight": draw(1) * 0.3, f"{name}.activate.bias": draw(c) * 0.3}
            t[f"noises.noise_{n}"] = draw(1, 1, r, r)
            n += 1
        rgb = "to_rgb1" if r == 4 else f"to_rgbs.{k - 1}"
        t |= {f"{rgb}.bias": draw(1, 3, 1, 1) * 0.3, f"{rgb}.conv.weight": draw(1, 3, c, 1, 1)}
        if r > 4:
            t[f"{rgb}.upsample.kernel"] = low_pass() * 4
        t |= draw.dense(f"{rgb}.conv.modulation", sizes.w_dim, c, bias=1)
    return t


def rosinality_discriminator(sizes: Sizes, seed: int = 1) -> Tensors:
    draw = _Draw(seed)
    top, c4 = sizes.channels[-1], sizes.channels[0]
    t = {"convs.0.0.weight": draw(top, 3, 1, 1), "convs.0.1.bias": draw(top) * 0.3}
    for k, (_, below, c) in enumerate(reversed(sizes.blocks[1:]), start=1):
        t |= {
            f"convs.{k}.conv1.0.weight": draw(c, c, 3, 3),
            f"convs.{k}.conv1.1.bias": draw(c) * 0.3,
            f"convs.{k}.conv2.0.kernel": low_pass(),
            f"convs.{k}.conv2.1.weight": draw(below, c, 3, 3),
            f"convs.{k}.conv2.2.bias": draw(below) * 0.3,
            f"convs.{k}.skip.0.kernel": low_pass(),
            f"convs.{k}.skip.1.weight": draw(below, c, 1, 1),
        }
    t |= {
        "final_conv.0.weight": draw(c4, c4 + 1, 3, 3),
        "final_conv.1.bias": draw(c4) * 0.3,
    }
    return t | draw.dense("final_linear.0", c4 * 16, c4) | draw.dense("final_linear.1", c4, 1)


def low_pass() -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(taps, taps) / 64


class _Draw:
    """Normal numbers from one seed."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def dense(
        self, name: str, inputs: int, outputs: int, lr_multiplier: float = 1.0, bias: float = 0.0
    ) -> Tensors:
        return {
            f"{name}.weight": self(outputs, inputs) / lr_multiplier,
            f"{name}.bias": (self(outputs) * 0.3 + bias) / lr_multiplier,
        }

    def mapping(self, z: int, c: int, w: int, layers: int, lr_multiplier: float) -> Tensors:
        t = self.dense("mapping.embed", c, w) if c else {}
        inputs = z + (w if c else 0)
        for i in range(layers):
            t |= self.dense(f"mapping.fc{i}", inputs, w, lr_multiplier)
            inputs = w
        return t
