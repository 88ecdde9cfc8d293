"""Examples for the refinement network: parts of images, as a model fills them.

Generators draw eyes and mouths worst, and people see them first. Most examples therefore show
these, which alignment has put in known places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from inpaint_model.data.dataset import ImageSet
from inpaint_model.data.masks import training_holes
from inpaint_model.data.sampler import Sampler
from inpaint_model.data.transfer import uploaded
from inpaint_model.networks.inpainting_model import InpaintingModel
from inpaint_model.networks.refinement_network import strength
from inpaint_model.training.randomness import generator_for

SHARES = {"mat-256": 0.45, "lasso": 0.2, "box": 0.2, "half": 0.15}  # of the recipes for holes
# Eyes with brows, mouth and nose in images in FFHQ's alignment, for `RefinementConfig.places`.
FACE = ((0.377, 0.462, 0.15), (0.620, 0.465, 0.15), (0.501, 0.724, 0.18), (0.5, 0.59, 0.14))
_PLACED = 0.75  # fraction of the examples that show one of the places
_SCATTER = 0.012  # deviation of the places, in sides of the image
PARTS = 2  # examples of an image
CLOSE = 7 / 16  # side of a close-up, in sides of the example
_FILLED = 0.5  # least fraction of the middle of a close-up that is in the hole
_DRAWS = 4  # of holes, until one covers a place
# Selections of the places themselves, as *Select eyes* makes them: in half of the images.
_SELECTED = 0.5
_LOWER = 0.01  # sides of the image: eyes are below the middle of eyes and brows, lips fuller below
_CHOSEN = 0.6  # probability of each place to be in a selection
_WIDTH = (0.33, 0.8)  # half the width of an oval, in radii of the place
_HEIGHT = (0.45, 1.0)  # its height over its width
_TURNED = 4.0  # deviation of their angles, degrees
_ROUND = (1.5, 3.0)  # exponent of the superellipse: from an almond to a rounded rectangle


class RefinementExamples(NamedTuple):
    """A batch; colors are in -1..1."""

    image: Tensor  # [N, 3, S, S]
    hole: Tensor  # [N, 1, S, S], 1 in the hole
    fill: Tensor  # [N, 3, S, S], a model's raw output
    where: Tensor  # [N, 1, S, S]: how far pixels may change, 0..1
    place: Tensor  # int64 [N, 2]: left and top of the close-up, px

    def close(self, images: Tensor) -> Tensor:
        """Cut the close-ups out of `images` [N, 3, S, S] and enlarge them to S px."""
        side = images.shape[-1]
        near = round(CLOSE * side)
        parts = [
            image[:, y : y + near, x : x + near]
            for image, (x, y) in zip(images, self.place.tolist(), strict=True)
        ]
        return F.interpolate(torch.stack(parts), (side, side), mode="bilinear")


@dataclass(frozen=True, eq=False)
class RefinementInputs:
    """Makes the examples of any step; the model is frozen for inference."""

    model: InpaintingModel
    images: ImageSet
    sampler: Sampler
    crop: int  # S, px
    seed: int
    device: torch.device
    places: tuple[tuple[float, float, float], ...] = ()  # of the network; examples show these most

    @torch.no_grad()
    def __call__(self, nimg: int, count: int) -> RefinementExamples:
        """Return the examples after `nimg` images; some show the same image."""
        indices, mirrored = self.sampler.draw(nimg // PARTS, -(-count // PARTS))
        generator = generator_for(self.seed, nimg, "refinement")
        size = self.crop
        holes = torch.stack([self._hole(generator) for _ in indices])
        z = torch.randn(len(indices), self.model.config.generator.z_dim, generator=generator)
        images, erased, z = uploaded((self.images.batch(indices, mirrored), holes, z), self.device)
        mapping = self.model.generator.mapping
        labels = torch.zeros(len(z), mapping.c_dim, device=self.device) if mapping.c_dim else None
        fills = self.model(images, erased, mapping(z, labels)).float()
        cuts, places = [], []
        for k in (number // PARTS for number in range(count)):
            x, y = self._center(holes[k, 0], generator)
            left, top = self._around(x, y, generator)
            cuts.append((k, slice(top, top + size), slice(left, left + size)))
            places.append([x - self.near // 2 - left, y - self.near // 2 - top])
        changing = strength(self.places, self.images.resolution).to(self.device)
        image, hole, fill, where = (
            torch.stack([batch[k, :, rows, columns] for k, rows, columns in cuts])
            for batch in (images, erased, fills, changing.expand_as(erased))
        )
        return RefinementExamples(image, hole, fill, where, torch.tensor(places))

    @property
    def near(self) -> int:
        """Side of a close-up, px of the example."""
        return round(CLOSE * self.crop)

    def _hole(self, generator: Generator) -> Tensor:
        """Draw a hole [1, R, R]: a selection of places, or one that covers one of them."""
        R = self.images.resolution
        if self.places and float(torch.rand((), generator=generator)) < _SELECTED:
            return selected(self.places, R, generator)
        holes = training_holes(_DRAWS, R, generator, SHARES)
        middles = [(int(x * R), int(y * R)) for x, y, _ in self.places]
        covering = [hole for hole in holes if any(self._covered(hole[0], *m) for m in middles)]
        return covering[0] if covering else holes[0]

    def _covered(self, hole: Tensor, x: int, y: int) -> bool:
        """Return whether the middle of the close-up around (x, y) is in the hole [R, R]."""
        quarter = self.near // 4
        middle = hole[y - quarter : y + quarter, x - quarter : x + quarter]
        return float(middle.mean()) >= _FILLED

    def _center(self, hole: Tensor, generator: Generator) -> tuple[int, int]:
        """Return the middle of a close-up: a place in the hole [R, R], or anywhere in it."""
        R = hole.shape[-1]
        half = self.near // 2
        order = torch.randperm(len(self.places), generator=generator).tolist()
        scatter = _SCATTER * torch.randn(len(self.places), 2, generator=generator)
        if float(torch.rand((), generator=generator)) < _PLACED:
            for k in order:
                place = (torch.tensor(self.places[k][:2]) + scatter[k]) * R
                x, y = place.round().long().clamp(half, R - self.near + half).tolist()
                if self._covered(hole, x, y):
                    return x, y
        inside = hole.nonzero()
        if len(inside) == 0:
            return R // 2, R // 2
        chosen = int(torch.randint(len(inside), (), generator=generator))
        y, x = inside[chosen].clamp(half, R - self.near + half).tolist()
        return x, y

    def _around(self, x: int, y: int, generator: Generator) -> tuple[int, int]:
        """Return left and top of an example that contains the close-up around (x, y)."""
        R, half = self.images.resolution, self.near // 2
        draw = torch.rand(2, generator=generator).tolist()
        corner = []
        for center, share in zip((x, y), draw, strict=True):
            least = max(center - half + self.near - self.crop, 0)
            most = min(center - half, R - self.crop)
            corner.append(least + int(share * (most - least + 1)))
        return corner[0], corner[1]


def selected(
    places: Sequence[tuple[float, float, float]], resolution: int, generator: Generator
) -> Tensor:
    """Draw a hole [1, R, R] of ovals of the same shape over some of `places`.

    These are centers and radii in sides of the image. The ovals may be turned by some degrees and
    lie beside the centers by some hundredths of the side.
    """

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    width, height, exponent = uniform(*_WIDTH), uniform(*_HEIGHT), uniform(*_ROUND)
    certain = int(torch.randint(len(places), (), generator=generator))
    chosen = [p for k, p in enumerate(places) if uniform(0, 1) < _CHOSEN or k == certain]
    at = (torch.arange(resolution) + 0.5) / resolution
    hole = torch.zeros(1, resolution, resolution)
    for x, y, radius in chosen:
        moved = _SCATTER * torch.randn(2, generator=generator)
        turn = math.radians(_TURNED) * float(torch.randn((), generator=generator))
        across, down = at - x - moved[0], (at - y - _LOWER - moved[1])[:, None]
        along = across * math.cos(turn) + down * math.sin(turn)
        aside = down * math.cos(turn) - across * math.sin(turn)
        a, b = width * radius, height * width * radius
        inside = (along / a).abs() ** exponent + (aside / b).abs() ** exponent < 1
        hole[0][inside] = 1
    return hole
