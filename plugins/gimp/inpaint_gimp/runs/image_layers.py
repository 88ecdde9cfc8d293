"""The layers of an image as sources for style mixing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from inpaint_client import Box, InputError, Method, Picture, parse_recipe
from inpaint_client.geometry import reducing_step
from inpaint_client.session.mixer_pad import MixerPad

from ..host.image_protocol import PaintLayer, Reader
from ..translation import _
from .mixing import Mix, Mixed, Other, nothing_there

LAYER_SIDE = 512  # px; the model sees no more detail, and sliders must stay responsive
REMEMBERED = -(1 << 31)  # key of a result whose layer is no longer in the image, and the next ones


class Stack(Protocol):
    """The part of an image used here (image.GimpImage)."""

    def paint_layers(self) -> list[PaintLayer]: ...
    def layer_box(self, tattoo: int) -> Box | None: ...
    def layer_pixels(self, tattoo: int) -> Reader: ...


class ImageLayers:
    """`mixing.Layers` of one image, around one hole.

    Args:
        image: the image.
        around: the part that the model may see, in the coordinates of the recipe.
        shift: from these coordinates to the image, px.
        own: tattoo of the layer that is rendered again.
        mixed: the mixing stored in that layer.
    """

    def __init__(
        self,
        image: Stack,
        around: Box,
        *,
        shift: tuple[int, int] = (0, 0),
        own: int = 0,
        mixed: Mixed | None = None,
    ) -> None:
        self._image = image
        self._around = around
        self._shift = shift
        self._own = own
        self._mixed = mixed
        self._seen: dict[int, tuple[Picture, Box]] = {}  # layers do not change while a slider moves

    def others(self, recipe: str) -> Sequence[Other]:
        """Return the fills of the same model, then the other layers; reset the cached pixels."""
        self._seen.clear()
        model = _styles_of(recipe)
        fills, images = [], []
        for layer in self._image.paint_layers():
            if layer.tattoo == self._own:
                continue
            if layer.recipe and _styles_of(layer.recipe) == model:
                fills.append(Other(layer.tattoo, layer.name, layer.recipe))
            else:
                images.append(Other(layer.tattoo, layer.name))
        there = [fill.recipe for fill in fills]
        for place, known in enumerate(self._mixed.recipes if self._mixed else ()):
            if known not in there:
                name = _("Seed {seed}").format(seed=parse_recipe(known).seed)
                fills.append(Other(REMEMBERED + place, name, known))
        return (*fills, *images)

    def remembered(self) -> Mix:
        """Return the mixing stored in the layer itself."""
        mixed = self._mixed
        if mixed is None:
            return Mix()
        keys = {known: REMEMBERED + place for place, known in enumerate(mixed.recipes)}
        for layer in reversed(self._image.paint_layers()):
            if layer.recipe in keys and layer.tattoo != self._own:
                keys[layer.recipe] = layer.tattoo
        if not mixed.corners:
            return Mix(keys.get(mixed.recipe, mixed.tattoo), mixed.levels, mixed.amount)
        right, below, across = (keys.get(recipe, 0) for recipe in mixed.corners)
        pad = MixerPad((right, below, across), mixed.x, mixed.y)
        return Mix(None, mixed.levels, mixed.amount, pad)

    def look(self, key: int) -> tuple[Picture, Box]:
        """Return a layer's pixels around the hole, as reduced 8-bit sRGB, and their box."""
        if key not in self._seen:
            self._seen[key] = self._look(key)
        return self._seen[key]

    def _look(self, key: int) -> tuple[Picture, Box]:
        x, y = self._shift
        bounds = self._image.layer_box(key)
        around = self._around._replace(x=self._around.x + x, y=self._around.y + y)
        if bounds is None or (seen := bounds.clamp(around)).is_empty:
            raise nothing_there()
        step = reducing_step(seen.extent, LAYER_SIDE)
        seen = _whole_steps(seen, bounds, step)
        if seen.is_empty:
            raise nothing_there()
        data = self._image.layer_pixels(key).read_screen(seen, step)
        if not any(data[3::4]):
            raise nothing_there()
        image = Picture(seen.width // step, seen.height // step, 4, data)
        return image, seen._replace(x=seen.x - x, y=seen.y - y)


def _styles_of(recipe: str) -> object:
    """Return a key that is equal for recipes with compatible styles.

    None if `recipe` is not a recipe, or if the fill was made without a model.
    """
    try:
        parsed = parse_recipe(recipe)
    except InputError:
        return None
    if parsed.method is Method.SMOOTH:
        return None
    return parsed.fields["model"], parsed.fields.get("weights_sha256")


def _whole_steps(box: Box, layer: Box, step: int) -> Box:
    """Align `box` to full squares of `step` px in the layer, since reading needs that."""
    left = layer.x - (layer.x - box.x) // step * step
    top = layer.y - (layer.y - box.y) // step * step
    width, height = (box.right - left) // step * step, (box.bottom - top) // step * step
    return Box(left, top, max(0, width), max(0, height))
