"""Random masks, float32 [N, 1, R, R]. Throughout the project **1 is hole and 0 is known**.

Generators are on the CPU, where a seed gives the same masks on every machine.

Sizes are relative to the image, so the hole ratio does not depend on the resolution. CoModGAN keeps
widths in pixels, which makes holes at 512 px smaller; `frame_px=512` reproduces that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from inpaint_model.data.mask_rasterizer import (
    Shapes,
    boxes,
    fans,
    join,
    mirror,
    quads_only,
    rasterize,
    strokes,
)

Recipe = Callable[[int, Generator], Shapes]  # (number of masks, randomness) -> shapes


@dataclass(frozen=True)
class FreeForm:
    """The free-form masks of CoModGAN and MAT; the counts are exclusive maxima."""

    small_boxes: int  # with sides under half the image's
    large_boxes: int  # with sides under the image's
    brush_strokes: int  # zig-zags of 4 to 17 segments
    frame_px: int = 256  # the image size for which strokes are 12 to 48 px wide
    effort: float = 1.0  # scales the three counts

    def __call__(self, count: int, generator: Generator) -> Shapes:
        """Draw masks."""
        everything = torch.arange(count)
        parts = [
            self._boxes(count, self.small_boxes, self.frame_px // 2, generator),
            self._boxes(count, self.large_boxes, self.frame_px, generator),
            self._strokes(count, generator),
        ]
        flip_x, flip_y = torch.rand(2, count, generator=generator) < 0.5
        return mirror(join([(part, everything) for part in parts]), flip_x, flip_y)

    def _owners(self, count: int, limit: int, generator: Generator) -> Tensor:
        """Draw 0 .. limit * effort - 1 shapes per mask; return their masks, [S]."""
        amount = torch.randint(max(int(limit * self.effort), 1), (count,), generator=generator)
        return torch.repeat_interleave(amount)

    def _boxes(self, count: int, limit: int, side_px: int, generator: Generator) -> Shapes:
        owner = self._owners(count, limit, generator)
        size = torch.randint(side_px, (len(owner), 2), generator=generator)
        half = size // 2
        low, high = -((size + 1) // 2), self.frame_px - size + half  # up to half is outside
        corner = low + (_uniform((len(owner), 2), generator) * (high - low)).long()
        near, far = corner / self.frame_px, (corner + size) / self.frame_px
        return boxes(near[:, 0], near[:, 1], far[:, 0], far[:, 1], owner)

    def _strokes(self, count: int, generator: Generator) -> Shapes:
        owner = self._owners(count, self.brush_strokes, generator)
        total, most = len(owner), 17
        segments = torch.randint(4, most + 1, (total,), generator=generator)
        spread = _uniform((2, total, 1), generator) * 2 * math.pi / 15
        least, largest = 2 * math.pi / 5 - spread[0], 2 * math.pi / 5 + spread[1]
        heading = least + _uniform((total, most), generator) * (largest - least)
        heading[:, 0::2] = 2 * math.pi - heading[:, 0::2]  # absolute headings: a zig-zag
        reach = math.sqrt(2) / 8
        length = torch.randn(total, most, generator=generator) * (reach / 2) + reach
        step = torch.stack([heading.cos(), heading.sin()]) * length.clamp(0, 2 * reach)
        start = _uniform((2, total), generator)
        points = walk(start, step)
        width_px = (12 + 36 * _uniform((total,), generator)).floor()
        return strokes(points, segments, width_px / (2 * self.frame_px), owner)


COMODGAN = FreeForm(10, 5, 20)
MAT_256 = FreeForm(4, 2, 8)
MAT_512 = FreeForm(5, 3, 9, frame_px=512)


def lasso(count: int, generator: Generator) -> Shapes:
    """Draw a wobbly outline with a radius of 5 to 40 % of the side."""
    corners = 32
    angle = torch.arange(corners + 1) * (2 * math.pi / corners)
    wave = torch.arange(1, 6)[:, None] * angle  # [5, C + 1]
    phase = _uniform((count, 5, 1), generator) * 2 * math.pi
    strength = torch.randn(count, 5, 1, generator=generator) * 0.35 / torch.arange(1, 6)[:, None]
    wobble = (strength * (wave + phase).cos()).sum(dim=1).exp()  # [N, C + 1]
    size = 0.05 + 0.35 * _uniform((count, 1, 1), generator)
    aspect = (torch.randn(count, 1, 1, generator=generator) * 0.3).exp()
    oblong = torch.cat([aspect, 1 / aspect], dim=1)
    outline = wobble[:, None] * size * oblong * torch.stack([angle.cos(), angle.sin()])
    center = 0.1 + 0.8 * _uniform((count, 2, 1), generator)
    points = (center + outline).transpose(1, 2)  # [N, C + 1, 2]
    return fans(center[:, :, 0], points, torch.arange(count))


def brush(count: int, generator: Generator) -> Shapes:
    """Draw one to three smooth strokes of a round brush."""
    owner = torch.repeat_interleave(torch.randint(1, 4, (count,), generator=generator))
    total, most = len(owner), 24
    segments = torch.randint(3, most + 1, (total,), generator=generator)
    turn = torch.randn(total, most, generator=generator) * 0.45
    turn[:, 0] = _uniform((total,), generator) * 2 * math.pi
    heading = turn.cumsum(dim=1)
    step = torch.stack([heading.cos(), heading.sin()]) * 0.05
    points = walk(0.15 + 0.7 * _uniform((2, total), generator), step)
    radius = 0.015 + 0.1 * _uniform((total,), generator) ** 2
    return strokes(points, segments, radius, owner)


def box(count: int, generator: Generator) -> Shapes:
    """Draw a rectangle with sides of 10 to 80 % of the image's."""
    size = 0.1 + 0.7 * _uniform((2, count), generator)
    corner = _uniform((2, count), generator) * (1 - size)
    far = corner + size
    return boxes(corner[0], corner[1], far[0], far[1], torch.arange(count))


def border(count: int, generator: Generator) -> Shapes:
    """Draw an outpainting mask: bands of 5 to 40 % on one to four sides."""
    left, top, right, bottom = 0.05 + 0.35 * _uniform((4, count), generator)
    wanted = _uniform((4, count), generator) < 0.5
    wanted[torch.randint(4, (count,), generator=generator), torch.arange(count)] = True
    zero, one, owner = torch.zeros(count), torch.ones(count), torch.arange(count)
    bands = (
        boxes(zero, zero, left, one, owner),
        boxes(zero, zero, one, top, owner),
        boxes(1 - right, zero, one, one, owner),
        boxes(zero, 1 - bottom, one, one, owner),
    )
    kept = [quads_only(b.quads[w], b.quad_owner[w]) for b, w in zip(bands, wanted, strict=True)]
    return join([(part, owner) for part in kept])


def half(count: int, generator: Generator) -> Shapes:
    """Draw the left, right, upper or lower half of the image."""
    side = torch.randint(4, (count,), generator=generator)
    left, top = 0.5 * (side == 1), 0.5 * (side == 3)
    right, bottom = 1 - 0.5 * (side == 0), 1 - 0.5 * (side == 2)
    return boxes(left, top, right, bottom, torch.arange(count))


def whole(count: int, generator: Generator) -> Shapes:
    """Make the entire image a hole."""
    zero, one = torch.zeros(count), torch.ones(count)
    return boxes(zero, zero, one, one, torch.arange(count))


def empty(count: int, generator: Generator) -> Shapes:
    """Make masks without holes."""
    return quads_only(torch.zeros(0, 4, 2), torch.zeros(0, dtype=torch.int64))


RECIPES: Mapping[str, Recipe] = {
    "comodgan": COMODGAN,
    "mat-256": MAT_256,
    "mat-512": MAT_512,
    "lasso": lasso,
    "brush": brush,
    "box": box,
    "border": border,
    "half": half,
    "whole": whole,
    "empty": empty,
}

# 90 % published recipes, 10 % selections typical of an editor.
TRAINING_SHARES: Mapping[str, float] = {
    "comodgan": 0.50,
    "mat-256": 0.40,
    "lasso": 0.03,
    "brush": 0.02,
    "box": 0.015,
    "border": 0.015,
    "half": 0.01,
    "whole": 0.0075,
    "empty": 0.0025,
}


def draw_holes(
    recipe: Recipe,
    count: int,
    resolution: int,
    generator: Generator,
    hole_range: tuple[float, float] | None = None,
) -> Tensor:
    """Draw masks of one recipe, float32 [count, 1, R, R].

    With a `hole_range`, masks are redrawn until their hole ratio is strictly inside it. `FreeForm`
    recipes then get CoModGAN's effort, min(low + high, 1).

    Raises:
        ValueError: the recipe almost never reaches the range.
    """
    if hole_range is None:
        return rasterize(recipe(count, generator), count, resolution)
    low, high = hole_range
    if isinstance(recipe, FreeForm):
        effort = min(low + high, 1.0)
        recipe = FreeForm(
            recipe.small_boxes, recipe.large_boxes, recipe.brush_strokes, recipe.frame_px, effort
        )
    kept: list[Tensor] = []
    missing, tries = count, 0
    while missing:
        if tries > 200 + 200 * count:
            raise ValueError(
                f"this mask recipe almost never makes holes between {low:g} and {high:g} of the "
                "image; choose a wider range or another recipe"
            )
        amount = max(missing, 16)
        masks = rasterize(recipe(amount, generator), amount, resolution)
        ratio = hole_ratio(masks)
        masks = masks[(ratio > low) & (ratio < high)][:missing]
        kept.append(masks)
        missing -= len(masks)
        tries += amount
    return torch.cat(kept)


def training_holes(
    batch: int,
    resolution: int,
    generator: Generator,
    shares: Mapping[str, float] = TRAINING_SHARES,
) -> Tensor:
    """Draw masks from `RECIPES` by their `shares`, float32 [batch, 1, R, R].

    Free-form masks without a hole or a known pixel are redrawn, for which a GPU would have to
    synchronize.
    """
    names = list(shares)
    weights = torch.tensor([shares[name] for name in names])
    kind = torch.multinomial(weights, batch, replacement=True, generator=generator)
    holes = torch.zeros(batch, 1, resolution, resolution)
    numbers = torch.arange(batch)
    while len(numbers):
        parts = [
            (RECIPES[name](len(chosen), generator), chosen)
            for number, name in enumerate(names)
            if len(chosen := (kind[numbers] == number).nonzero()[:, 0])
        ]
        holes[numbers] = drawn = rasterize(join(parts), len(numbers), resolution)
        ratio = hole_ratio(drawn)
        free_form = torch.tensor([isinstance(RECIPES[name], FreeForm) for name in names])
        numbers = numbers[free_form[kind[numbers]] & ((ratio == 0) | (ratio == 1))]
    return holes


def hole_ratio(holes: Tensor) -> Tensor:
    """Return the fraction of each mask [N, 1, R, R] that is hole, [N]."""
    return holes.mean(dim=(1, 2, 3))


def walk(start: Tensor, step: Tensor) -> Tensor:
    """Return paths [S, V + 1, 2] from `start` [2, S] by `step` [2, S, V], clamped to 0..1."""
    points = [start]
    for delta in step.unbind(dim=2):
        points.append((points[-1] + delta).clamp(0, 1))
    return torch.stack(points).permute(2, 0, 1)


def _uniform(shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator)
