"""Open a fill again: from a layer and its parasites to a request, and back to a layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from gi.repository import Gimp
from inpaint_client import (
    BadInput,
    Box,
    Candidate,
    Capture,
    Patch,
    Picture,
    RecipeSource,
    crop_for_hole,
    parse_recipe,
)
from inpaint_client.pixels import paste

from ..host.image import GimpImage, PixelSource
from ..host.keepsake import Keepsake
from ..host.new_layer import NewLayer
from ..translation import _
from .capture import read_picture
from .image_layers import ImageLayers
from .layers import Rendering, layer_name, layer_pixels


@dataclass(frozen=True)
class Opened:
    """A fill's layer with all that rendering it again takes."""

    image: GimpImage
    layer: Gimp.Layer
    keepsake: Keepsake
    capture: Capture  # in the coordinates of the recipe
    shift: tuple[int, int]  # how far the layer was moved since: from the recipe to the image, px

    def source(self) -> RecipeSource:
        return RecipeSource(
            recipe=self.unmixed, attachment=self.keepsake.attachment, capture=self.capture
        )

    @property
    def unmixed(self) -> str:
        """The recipe that edits and mixing start from."""
        return self.keepsake.mixed.unmixed if self.keepsake.mixed else self.keepsake.recipe

    @cached_property
    def layers(self) -> ImageLayers:
        """What the fill can be mixed with."""
        return ImageLayers(
            self.image,
            self.capture.crop_box,
            shift=self.shift,
            own=self.layer.get_tattoo(),
            mixed=self.keepsake.mixed,
        )

    def rendering(self) -> Rendering:
        """The fill as it is in the image, in the coordinates of its recipe."""
        recipe = parse_recipe(self.keepsake.recipe)
        box = self.keepsake.origin.box
        x, y = self.layer.get_offsets()[1:]
        here = Box(x, y, *box.extent)
        stored = self.image.format
        pixels = PixelSource(self.layer)
        fill = Picture(
            *box.extent,
            4,
            pixels.read(here, stored.babl("RGBA")),
            stored.sample_type,
            stored.transfer,
        )
        coverage = Picture(*box.extent, 1, pixels.read(here, "A u8"))
        candidate = Candidate(
            index=self.keepsake.origin.candidate,
            variant=-1,
            seed=recipe.seed,
            patches=(Patch(fill, coverage, box),),
            recipe=self.keepsake.recipe,
            attachment=self.keepsake.attachment,
        )
        return Rendering(candidate, recipe.edits, self.layers.remembered(), self.keepsake.mixed)

    def finish(self, rendering: Rendering, in_place: bool) -> None:
        """The new rendering as a layer in the old one's place, or above it; one undo step."""
        origin = self.keepsake.origin
        candidate = replace(rendering.candidate, index=origin.candidate)
        pixels = layer_pixels(candidate)
        x, y = self.shift
        moved = pixels._replace(box=pixels.box._replace(x=pixels.box.x + x, y=pixels.box.y + y))
        kept = self.keepsake._replace(
            recipe=candidate.recipe,
            origin=origin._replace(box=pixels.box),
            mixed=rendering.mixed,
        )
        name = layer_name(rendering._replace(candidate=candidate))
        layer = NewLayer(name, moved, True, kept)
        self.image.put_above(self.layer, layer, in_place)


def reopen(image: GimpImage) -> Opened:
    """The fill that is selected, or the only visible one. Raises BadInput if there is none."""
    layer, keepsake = _find(image)
    origin = keepsake.origin
    x, y = layer.get_offsets()[1:]
    if (layer.get_width(), layer.get_height()) != tuple(origin.box.extent):
        raise BadInput(
            _("The layer “{layer}” was scaled or cropped since it was filled.").format(
                layer=layer.get_name()
            ),
            _("Undo that, or fill the region anew."),
        )
    shift = (x - origin.box.x, y - origin.box.y)
    # From here on in the coordinates of the recipe, as if the layer had never been moved.
    stored = image.format
    canvas = Box.of_extent(origin.document)
    crop_box = crop_for_hole(origin.box, canvas, 4 * stored.sample_type.size)
    here = Box(crop_box.x + shift[0], crop_box.y + shift[1], crop_box.width, crop_box.height)
    coverage = PixelSource(layer).read(Box(x, y, *origin.box.extent), "A u8")
    hole = paste(
        bytes(crop_box.extent.area), crop_box.extent, coverage, origin.box.relative(crop_box)
    )
    with image.known_pixels(layer, origin.layer_tattoo) as source:
        crop = read_picture(source, here, stored, image.base_type == "gray")
    return Opened(
        image,
        layer,
        keepsake,
        Capture(
            crop=crop,
            hole=Picture(*crop_box.extent, 1, bytes(hole)),
            crop_box=crop_box,
            document=origin.document,
        ),
        shift,
    )


def _find(image: GimpImage) -> tuple[Gimp.Layer, Keepsake]:
    for candidates in (image.selected_fills(), image.visible_fills()):
        if len(candidates) == 1:
            return candidates[0]
    raise BadInput(
        _("No single fill is selected."),
        _("Select one layer that Inpaint (StyleGAN) made."),
    )
