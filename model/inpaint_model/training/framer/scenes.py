"""Training scenes for the framer, without labels.

Aligned images are pasted onto backgrounds by random similarity transforms, with random holes, so
the correct frame is known. Random soft shapes or reflection hide their square borders from the
framer.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from inpaint_model.data.masks import RECIPES, draw_holes
from inpaint_model.training.framer.backgrounds import (
    coordinates,
    draw_backgrounds,
    scrambled,
    uniform,
)

POSITIVES = 0.65  # share of scenes that show an aligned image
DECOYS = 0.6  # share of the other scenes that show a scrambled image
MAX_HIDDEN = 0.55  # other holes that hide a larger share of the frame are dropped
_MIRRORED = 1.35  # images are reflected up to this coordinate and smeared beyond
_HOLES = ("lasso", "brush", "box", "mat-256", "empty")
FACES = 0.25  # share of scenes whose hole is an ellipse on the face or the head


class Scenes(NamedTuple):
    """Views with their correct frames; coordinates are -1..1 across the view."""

    views: Tensor  # [N, 4, S, S]: erased RGB in -1..1, then 1 - hole
    center: Tensor  # [N, 2]
    log_side: Tensor  # [N]: log2 of the frame's side / the view's
    angle: Tensor  # [N], radians
    present: Tensor  # [N], bool


class Images:
    """Aligned images at several sizes, against aliasing."""

    def __init__(self, pixels: Tensor, weights: Tensor | None = None) -> None:
        """Halve images, uint8 [N, 3, P, P], P a power of two of at least 64.

        `weights` are sampling weights [N]; None = equal.

        Raises:
            ValueError: the number of weights is wrong, or all are 0.
        """
        if weights is not None and (weights.shape != pixels.shape[:1] or not weights.sum() > 0):
            raise ValueError(
                "no image has a positive weight; lower the minimum or raise some weights"
            )
        self._weights = weights
        self.levels = [pixels]
        while self.levels[-1].shape[2] > 32:
            half = F.avg_pool2d(self.levels[-1].float(), 2).round().to(torch.uint8)
            self.levels.append(half)

    def __len__(self) -> int:
        return len(self.levels[0])

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Draw indices of images with replacement, int64 [count]."""
        if self._weights is None:
            return torch.randint(len(self), (count,), generator=generator)
        return torch.multinomial(self._weights, count, replacement=True, generator=generator)


def draw_scenes(images: Images, count: int, size: int, generator: Generator) -> Scenes:
    """Draw scenes with views of `size` px."""
    indices, others = images.draw(count, generator), images.draw(count, generator)
    present = torch.rand(count, generator=generator) < POSITIVES
    center, side, angle = _draw_frames(count, generator)
    texture = images.levels[-2][others].float() / 255
    canvas = draw_backgrounds(texture, size, generator)
    inside = frame_coordinates(center, side, angle, size)

    decoy = ~present & (torch.rand(count, generator=generator) < DECOYS)
    shown = _seen(images, indices, inside, side * size, decoy, generator)
    matte = _draw_mattes(inside, generator)[:, None] * (present | decoy)[:, None, None, None]
    canvas = canvas + (shown - canvas) * matte
    canvas = _photographed(canvas, generator)
    known = 1 - _draw_hidden(inside, size, generator)
    views = torch.cat([(canvas * 2 - 1) * known, known], dim=1)
    return Scenes(views, center, torch.log2(side), angle, present)


def _seen(
    images: Images,
    indices: Tensor,
    inside: Tensor,
    wanted: Tensor,
    decoy: Tensor,
    generator: Generator,
) -> Tensor:
    """Sample the images at `inside`, from the sizes that suit the `wanted` sides [N] in px."""
    sizes = torch.tensor([level.shape[2] for level in images.levels])
    level = (sizes[:, None] >= 0.9 * wanted).sum(0).clamp(min=1) - 1
    shown = inside.new_empty(len(inside), 3, *inside.shape[1:3])
    for index in set(level.tolist()):
        chosen = level == index
        taken = images.levels[index][indices[chosen]].float() / 255
        odd = decoy[chosen]
        if odd.any():
            taken[odd] = scrambled(taken[odd], generator)
        shown[chosen] = F.grid_sample(
            taken,
            inside[chosen].clamp(-_MIRRORED, _MIRRORED),
            padding_mode="reflection",
            align_corners=False,
        )
    return shown


def frame_coordinates(center: Tensor, side: Tensor, angle: Tensor, size: int) -> Tensor:
    """Return the view's pixels in frame coordinates, -1..1 inside: [N, S, S, 2]."""
    x, y = coordinates(size)
    dx, dy = x - center[:, 0, None, None], y - center[:, 1, None, None]
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    scale = side[:, None, None]
    return torch.stack([(dx * c - dy * s) / scale, (dx * s + dy * c) / scale], dim=-1)


def _draw_frames(count: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draw half of the frames anywhere, half near those of a refined view."""
    first = torch.rand(count, generator=generator) < 0.5
    far = uniform(-0.75, 0.75, (count, 2), generator)
    near = torch.randn(count, 2, generator=generator) * 0.15
    any_side = 2 ** uniform(-2.3, 0.7, (count,), generator)
    second_side = 2 ** (torch.randn(count, generator=generator) * 0.25 - 0.68)
    any_angle = uniform(-0.8, 0.8, (count,), generator)
    small_angle = torch.randn(count, generator=generator) * 0.15
    return (
        torch.where(first[:, None], far, near),
        torch.where(first, any_side, second_side),
        torch.where(first, any_angle, small_angle),
    )


def _draw_mattes(inside: Tensor, generator: Generator) -> Tensor:
    """Draw opacities [N, S, S]: opaque, a soft rectangle, or a head's shape."""
    n = len(inside)
    u, v = inside[..., 0], inside[..., 1]
    edges = uniform(0.6, 1.4, (4, n, 1, 1), generator)
    soft = 2 ** uniform(-6, -2, (n, 1, 1), generator)
    rectangle = (
        torch.sigmoid((edges[0] - u) / soft)
        * torch.sigmoid((edges[1] + u) / soft)
        * torch.sigmoid((edges[2] - v) / soft)
        * torch.sigmoid((edges[3] + v) / soft)
    )
    radius = uniform(0.55, 1.0, (2, n, 1, 1), generator)
    middle = uniform(-0.15, 0.1, (n, 1, 1), generator)
    head = torch.sigmoid((1 - ((u / radius[0]) ** 2 + ((v - middle) / radius[1]) ** 2)) / soft / 2)
    below = torch.sigmoid((v - 0.6) / soft) * torch.sigmoid((radius[0] - 0.2 - u.abs()) / soft)
    head = torch.maximum(head, below)
    kind = torch.rand(n, 1, 1, generator=generator)
    return torch.where(kind < 0.2, torch.ones_like(u), torch.where(kind < 0.6, rectangle, head))


def _photographed(canvas: Tensor, generator: Generator) -> Tensor:
    """Vary light, color, focus and grain."""
    n = len(canvas)
    gain = uniform(0.75, 1.25, (n, 1, 1, 1), generator)
    cast = uniform(0.88, 1.12, (n, 3, 1, 1), generator)
    gamma = 2 ** uniform(-0.6, 0.6, (n, 1, 1, 1), generator)
    canvas = (canvas.clamp(1e-4, 1) ** gamma - 0.5) * gain + 0.5
    canvas = canvas * cast + uniform(-0.1, 0.1, (n, 1, 1, 1), generator)
    gray = canvas.mean(dim=1, keepdim=True).expand_as(canvas)
    colorful = uniform(0, 1.3, (n, 1, 1, 1), generator).clamp(max=1.1)
    canvas = gray + (canvas - gray) * colorful
    soft = F.avg_pool2d(F.pad(canvas, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    canvas = torch.where(torch.rand(n, 1, 1, 1, generator=generator) < 0.3, soft, canvas)
    grain = torch.rand(n, 1, 1, 1, generator=generator) ** 3 * 0.07
    return (canvas + grain * torch.randn(canvas.shape, generator=generator)).clamp(0, 1)


def _draw_hidden(inside: Tensor, size: int, generator: Generator) -> Tensor:
    """Draw holes [N, 1, S, S] in frame coordinates or the view's."""
    n = len(inside)
    names = torch.randint(len(_HOLES), (n,), generator=generator)
    holes = torch.zeros(n, 1, size, size)
    for index in set(names.tolist()):
        chosen = names == index
        amount = int(chosen.sum())
        holes[chosen] = draw_holes(RECIPES[_HOLES[index]], amount, size, generator)
    framed = F.grid_sample(holes, inside, mode="nearest", align_corners=False)
    on_frame = torch.rand(n, 1, 1, 1, generator=generator) < 0.6
    holes = torch.where(on_frame, framed, holes)
    core = (inside.abs() < 0.7).all(dim=-1)[:, None].to(holes.dtype)
    hidden = (holes * core).sum((1, 2, 3)) / core.sum((1, 2, 3)).clamp(min=1)
    holes = holes * (hidden < MAX_HIDDEN)[:, None, None, None]
    on_face = torch.rand(n, 1, 1, 1, generator=generator) < FACES
    return torch.where(on_face, _draw_face_holes(inside, generator), holes)


def _draw_face_holes(inside: Tensor, generator: Generator) -> Tensor:
    """Draw ellipses on the face, with or without hair [N, 1, S, S], as selections of it are.

    Scenes without a face get them too, so that their shape does not betray one.
    """
    n = len(inside)
    size = uniform(0.75, 1.35, (n, 1, 1), generator)
    radius = size * uniform(0.85, 1.15, (2, n, 1, 1), generator)
    middle = torch.randn(2, n, 1, 1, generator=generator) * 0.08
    u = (inside[..., 0] - middle[0]) / (0.58 * radius[0])
    v = (inside[..., 1] - middle[1] + 0.04) / (0.72 * radius[1])
    return (u.square() + v.square() < 1)[:, None].to(inside.dtype)
