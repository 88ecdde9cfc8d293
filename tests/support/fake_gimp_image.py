"""An image of GIMP made of arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from inpaint_client import Box, Extent, SampleType, Transfer
from inpaint_gimp.host.precision import SampleFormat
from inpaint_gimp.host.target import Item, Kind
from numpy.typing import NDArray

U8 = SampleFormat(SampleType.U8, Transfer.SRGB)


@dataclass
class Pixels:
    """A drawable: RGBA bytes at a place in the image."""

    rgba: NDArray[np.uint8]
    x: int = 0
    y: int = 0

    def read(self, box: Box, babl: str, step: int = 1) -> bytes:
        canvas = np.zeros((box.height, box.width, 4), np.uint8)
        height, width, _ = self.rgba.shape
        part = box.clamp(Box(self.x, self.y, width, height))
        if not part.is_empty:
            here, there = part.relative(box), part.relative(Box(self.x, self.y, 0, 0))
            canvas[here.y : here.bottom, here.x : here.right] = self.rgba[
                there.y : there.bottom, there.x : there.right
            ]
        canvas = canvas[::step, ::step][: max(1, box.height // step), : max(1, box.width // step)]
        columns = {"A u8": [3], "Y' u8": [0], "R'G'B' u8": [0, 1, 2], "R'G'B'A u8": [0, 1, 2, 3]}
        return canvas[..., columns[babl]].tobytes()

    def is_opaque(self, box: Box) -> bool:
        return False

    def read_screen(self, box: Box, step: int = 1) -> bytes:
        return self.read(box, "R'G'B'A u8", step)


@dataclass
class FakeImage:
    """As `GimpImage`, from arrays."""

    extent: Extent
    drawables: list[Pixels]
    chosen: Box | None = None
    base_type: str = "rgb"
    format: SampleFormat = U8
    kinds: list[Kind] = field(default_factory=list)
    reads: list[int | None] = field(default_factory=list)

    def items(self) -> list[Item]:
        kinds = self.kinds or [Kind.LAYER] * len(self.drawables)
        return [
            Item(
                f"layer {index}",
                kind,
                Box(p.x, p.y, p.rgba.shape[1], p.rgba.shape[0]),
                bool((p.rgba[..., 3] < 255).any()),
                (index,),
            )
            for index, (p, kind) in enumerate(zip(self.drawables, kinds, strict=True))
        ]

    def selection(self) -> Box | None:
        return self.chosen

    def coverage(self, box: Box, step: int = 1) -> bytes:
        assert self.chosen is not None
        mask = np.zeros((box.height, box.width), np.uint8)
        inside = box.clamp(self.chosen).relative(box)
        mask[inside.y : inside.bottom, inside.x : inside.right] = 200
        return mask[::step, ::step][: box.height // step, : box.width // step].tobytes()

    @contextmanager
    def pixels(self, item: int | None) -> Iterator[Pixels]:
        self.reads.append(item)
        yield self.drawables[-1 if item is None else item]


def layer(width: int, height: int, x: int = 0, y: int = 0, alpha: int = 255) -> Pixels:
    rgba = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    rgba[..., 3] = alpha
    return Pixels(rgba, x, y)
