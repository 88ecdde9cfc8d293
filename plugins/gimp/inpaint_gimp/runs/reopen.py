"""Reopen a fill: from a layer and its parasites to a request, and back to a layer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import cached_property, partial

from gi.repository import Gimp
from inpaint_client import (
    Box,
    Candidate,
    Capture,
    InputError,
    Patch,
    Picture,
    RecipeSource,
    crop_for_hole,
    parse_recipe,
)
from inpaint_client.geometry import near_hole
from inpaint_client.pixels import paste
from inpaint_client.session.history import PastRun, Result

from ..host.image import GimpImage, PixelSource
from ..host.new_layer import NewLayer
from ..host.parasites import tattoo_of
from ..translation import _
from .capture import Glance, coverage_of, glance_at, read_image
from .image_layers import ImageLayers
from .layers import Rendering, layer_box, layer_name, layer_strips, run_of
from .mixing import Mixed
from .steps import run_all


@dataclass(frozen=True)
class Opened:
    """A fill's layer with everything needed to render it again."""

    image: GimpImage
    layer: Gimp.Layer
    run: PastRun
    capture: Capture  # in the coordinates of the recipe
    shift: tuple[int, int]  # how far the layer was moved: from the recipe to the image, px
    glance: Glance
    around: Box  # the part of the document that the model may have seen

    @property
    def result(self) -> Result:
        return self.run.results[0]

    def source(self) -> RecipeSource:
        return RecipeSource(
            recipe=self.unmixed, attachment=self.result.attachment, capture=self.capture
        )

    @property
    def unmixed(self) -> str:
        """The recipe to edit and mix."""
        return self.result.unmixed or self.result.recipe

    @cached_property
    def layers(self) -> ImageLayers:
        """The layers that the fill can be mixed with."""
        return ImageLayers(
            self.image,
            self.around,
            shift=self.shift,
            own=self.layer.get_tattoo(),
            mixed=Mixed.of(self.result),
        )

    def rendering(self) -> Rendering:
        """Return the fill as it is in the image, in the coordinates of its recipe."""
        recipe = parse_recipe(self.result.recipe)
        box = self.run.hole_box
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
            index=self.result.index,
            variant=-1,
            seed=recipe.seed,
            patches=(Patch(fill, coverage, box),),
            recipe=self.result.recipe,
            attachment=self.result.attachment,
            method=recipe.method,
        )
        return Rendering(candidate, recipe.edits, self.layers.remembered(), Mixed.of(self.result))

    def make_layer(
        self, rendering: Rendering, in_place: bool
    ) -> Generator[None, None, Callable[[], None]]:
        """Make the layer of a rendering, in steps, without changing the image.

        Returns:
            The function that inserts it in place of the old layer, or above it, in one undo step.
        """
        candidate = replace(rendering.candidate, index=self.result.index)
        rendering = rendering._replace(candidate=candidate)
        box = layer_box(candidate)
        x, y = self.shift
        run = run_of(
            rendering,
            self.result.attachment,
            box,
            self.run.document,
            tattoo_of(self.run.source),
        )
        plan = NewLayer(
            layer_name(rendering),
            box._replace(x=box.x + x, y=box.y + y),
            partial(layer_strips, candidate),
            True,
            run,
        )
        (layer,) = yield from self.image.make_layers([plan])

        def insert() -> None:
            self.image.put_above(self.layer, layer, in_place)
            Gimp.displays_flush()

        return insert


def reopen(image: GimpImage) -> Opened:
    """Return the selected fill, or the only visible one.

    Raises:
        InputError: there is none or more than one, or its layer was resized.
    """
    layer, run = _find(image)
    box = run.hole_box
    x, y = layer.get_offsets()[1:]
    if (layer.get_width(), layer.get_height()) != tuple(box.extent):
        raise InputError(
            _("The layer “{layer}” was resized or cropped after this fill was made.").format(
                layer=layer.get_name()
            ),
            _("Undo that change, or fill again."),
        )
    shift = (x - box.x, y - box.y)
    # From here on in the coordinates of the recipe, as if the layer had not been moved.
    stored = image.format
    canvas = Box.of_extent(run.document)
    around = crop_for_hole(box, canvas, 4 * stored.sample_type.size)
    # The attachment has the encoder's input, so only the pixels for blending are needed.
    crop_box = near_hole(box, around)
    here = Box(crop_box.x + shift[0], crop_box.y + shift[1], crop_box.width, crop_box.height)
    coverage = PixelSource(layer).read(Box(x, y, *box.extent), "A u8")
    hole = paste(bytes(crop_box.extent.area), crop_box.extent, coverage, box.relative(crop_box))
    with image.known_pixels(layer, tattoo_of(run.source)) as source:
        crop = run_all(read_image(source, here, stored, image.base_type == "gray"))
        shown = glance_at(source, box, coverage_of(box, coverage), around, shift)
    return Opened(
        image,
        layer,
        run,
        Capture(
            crop=crop,
            hole=Picture(*crop_box.extent, 1, bytes(hole)),
            crop_box=crop_box,
            document=run.document,
        ),
        shift,
        shown,
        around,
    )


def _find(image: GimpImage) -> tuple[Gimp.Layer, PastRun]:
    for candidates in (image.selected_fills(), image.visible_fills()):
        if len(candidates) == 1:
            return candidates[0]
    raise InputError(
        _("No fill, or more than one, is selected."),
        _("Select one layer created by Inpaint (StyleGAN)."),
    )
