"""Backgrounds for the framer's training scenes: anything but aligned images.

They are synthetic, with textures from patches of the training images that are too small, rotated or
shuffled to be recognized.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Painter = Callable[[Tensor, int, Generator], Tensor]
"""(Images [n, 3, P, P] for textures, size S, randomness) -> [n, 3, S, S]; all in 0..1."""


def uniform(low: float, high: float, shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Draw uniform numbers."""
    return low + (high - low) * torch.rand(shape, generator=generator)


def coordinates(size: int) -> tuple[Tensor, Tensor]:
    """Return x and y of pixel centers, -1..1, [S, S]."""
    steps = (torch.arange(size) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return x, y


def plain(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Paint a color, often near white or black, with a slight gradient."""
    n = len(images)
    x, y = coordinates(size)
    level = uniform(0, 1, (n, 1, 1, 1), generator)
    level = torch.where(uniform(0, 1, (n, 1, 1, 1), generator) < 0.4, level.round(), level)
    tint = uniform(-0.25, 0.25, (n, 3, 1, 1), generator) * uniform(0, 1, (n, 1, 1, 1), generator)
    slope = uniform(-0.3, 0.3, (n, 2, 1, 1), generator) ** 3 * 20
    return (level + tint + slope[:, :1] * x + slope[:, 1:] * y).clamp(0, 1)


def noise(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Paint 1 / f^a noise, from clouds to grain, in related colors."""
    n = len(images)
    fy, fx = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    frequency = (fx**2 + fy**2).sqrt().clamp(min=1 / size)
    falloff = frequency ** -uniform(0.2, 2.2, (n, 1, 1, 1), generator)
    white = torch.randn(n, 3, size, size, generator=generator)
    shaped = torch.fft.irfft2(torch.fft.rfft2(white) * falloff, s=(size, size))
    shaped = shaped / shaped.std(dim=(1, 2, 3), keepdim=True)
    mixing = torch.randn(n, 3, 3, generator=generator) * 0.12 + 0.2
    mean = uniform(0.1, 0.9, (n, 3, 1, 1), generator)
    return (mean + torch.einsum("nij,njhw->nihw", mixing, shaped) * 0.5).clamp(0, 1)


def waves(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Paint stripes or checks in two colors."""
    n = len(images)
    x, y = coordinates(size)
    turn = uniform(0, math.pi, (n, 1, 1), generator)
    rate = 2 ** uniform(0.5, 5.5, (n, 1, 1), generator)
    first = torch.sin(rate * (x * turn.cos() + y * turn.sin()))
    second = torch.sin(rate * (y * turn.cos() - x * turn.sin()))
    both = torch.where(uniform(0, 1, (n, 1, 1), generator) < 0.5, first, first * second)
    sharp = 2 ** uniform(0, 4, (n, 1, 1), generator)
    amount = torch.sigmoid(both * sharp)[:, None]
    one, two = uniform(0, 1, (2, n, 3, 1, 1), generator)
    mixed: Tensor = one + (two - one) * amount
    return mixed


def leaves(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Paint overlapping flat ellipses and rectangles on a texture (dead leaves)."""
    n = len(images)
    x, y = coordinates(size)
    canvas = pieces(images, size, generator)
    for _ in range(int(torch.randint(4, 16, (), generator=generator))):
        center = uniform(-1.1, 1.1, (2, n, 1, 1), generator)
        turn = uniform(0, math.pi, (n, 1, 1), generator)
        radius = 0.06 / uniform(0.05, 1, (2, n, 1, 1), generator)
        u = ((x - center[0]) * turn.cos() + (y - center[1]) * turn.sin()) / radius[0]
        v = ((y - center[1]) * turn.cos() - (x - center[0]) * turn.sin()) / radius[1]
        round_ = torch.rand((n, 1, 1), generator=generator) < 0.5
        inside = torch.where(round_, u**2 + v**2 < 1, (u.abs() < 1) & (v.abs() < 1))[:, None]
        flat = uniform(0, 1, (n, 3, 1, 1), generator) + 0.15 * (u * 0.5 + v * 0.3)[:, None]
        canvas = torch.where(inside, flat.clamp(0, 1), canvas)
    return canvas


def pieces(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Paint small patches of the images' borders, enlarged, rotated and blurry."""
    n = len(images)
    zoom = uniform(0.08, 0.28, (n, 1, 1), generator)
    turn = uniform(0, 2 * math.pi, (n, 1, 1), generator)
    edge = uniform(0.6, 0.85, (n, 1, 1), generator)
    where = uniform(0, 2 * math.pi, (n, 1, 1), generator)
    x, y = coordinates(size)
    u = zoom * (x * turn.cos() - y * turn.sin()) + edge * where.cos()
    v = zoom * (x * turn.sin() + y * turn.cos()) + edge * where.sin()
    return F.grid_sample(
        images, torch.stack([u, v], dim=-1), padding_mode="reflection", align_corners=False
    )


def shuffled(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Shuffle the images' tiles, which keeps only texture."""
    n, _, side, _ = images.shape
    count = int(torch.tensor([4, 8, 16])[torch.randint(3, (), generator=generator)])
    tile = side // count
    tiles = F.unfold(images, tile, stride=tile)
    order = torch.rand(n, 1, tiles.shape[2], generator=generator).argsort(-1)
    mixed = F.fold(tiles.gather(2, order.expand_as(tiles)), (side, side), tile, stride=tile)
    mixed = mixed if torch.rand((), generator=generator) < 0.5 else mixed.flip(2)
    zoom = uniform(0.4, 1, (n, 1, 1), generator)
    turn = uniform(-0.6, 0.6, (n, 1, 1), generator)
    x, y = coordinates(size)
    grid = torch.stack(
        [zoom * (x * turn.cos() - y * turn.sin()), zoom * (x * turn.sin() + y * turn.cos())], dim=-1
    )
    return F.grid_sample(mixed, grid, padding_mode="reflection", align_corners=False)


def scrambled(images: Tensor, generator: Generator) -> Tensor:
    """Turn images upside down and shuffle their quarters or sixteenths."""
    side = images.shape[2]
    tile = side // int(torch.tensor([1, 2, 4])[torch.randint(3, (), generator=generator)])
    tiles = F.unfold(images.flip(2), tile, stride=tile)
    order = torch.rand(len(images), 1, tiles.shape[2], generator=generator).argsort(-1)
    mixed = tiles.gather(2, order.expand_as(tiles))
    return F.fold(mixed, (side, side), tile, stride=tile)


PAINTERS: tuple[Painter, ...] = (plain, plain, noise, waves, leaves, leaves, pieces, shuffled)


def draw_backgrounds(images: Tensor, size: int, generator: Generator) -> Tensor:
    """Draw a background [S, S] per image, by two painters separated by a soft line."""
    first = _painted(images, size, generator)
    second = _painted(images.roll(1, 0), size, generator)
    n = len(images)
    x, y = coordinates(size)
    turn = uniform(0, 2 * math.pi, (n, 1, 1), generator)
    offset = uniform(-1.5, 1.5, (n, 1, 1), generator)
    steep = 2 ** uniform(1, 7, (n, 1, 1), generator)
    share = torch.sigmoid((x * turn.cos() + y * turn.sin() - offset) * steep)[:, None]
    return first + (second - first) * share


def _painted(images: Tensor, size: int, generator: Generator) -> Tensor:
    choice = torch.randint(len(PAINTERS), (len(images),), generator=generator)
    canvas = images.new_empty(len(images), 3, size, size)
    for index in set(choice.tolist()):
        chosen = choice == index
        canvas[chosen] = PAINTERS[index](images[chosen], size, generator)
    return canvas
