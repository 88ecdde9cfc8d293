"""The image in GIMP: read its state and pixels, insert layers. Only this module changes images."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager

from gi.repository import Gegl, Gimp
from inpaint_client import Box, Extent, InputError, Picture
from inpaint_client.geometry import union_of
from inpaint_client.pixels import rearrange
from inpaint_client.session.history import PastRun
from inpaint_client.session.stacking import seen_above

from ..translation import _
from .image_protocol import PaintLayer
from .new_layer import NewLayer, Pixels
from .parasites import Lookup, parasites, read, read_without_attachment
from .precision import SampleFormat, document_format
from .soft_selection import write_selection
from .target import Item, Kind

_BASE_TYPES = {
    Gimp.ImageBaseType.RGB: "rgb",
    Gimp.ImageBaseType.GRAY: "gray",
    Gimp.ImageBaseType.INDEXED: "indexed",
}
_COMPOSITE_SPACES = {
    "linear": Gimp.LayerColorSpace.RGB_LINEAR,
    "non-linear": Gimp.LayerColorSpace.RGB_NON_LINEAR,
    "perceptual": Gimp.LayerColorSpace.RGB_PERCEPTUAL,
}
_SCREEN, _OPAQUE_SCREEN = "R'G'B'A u8", "R'G'B' u8"  # babl's names
# Saved with the image, and removed by undo (GIMP_PARASITE_PERSISTENT | _UNDOABLE).
_PARASITE_FLAGS = 1 | 2


class PixelSource:
    """A drawable's pixels, addressed in image coordinates."""

    def __init__(self, drawable: Gimp.Drawable) -> None:
        self._buffer = drawable.get_buffer()
        self._has_alpha = drawable.has_alpha()
        self._box = _box_of(drawable)

    def read(self, box: Box, babl: str, step: int = 1) -> bytes:
        """Return the pixels of `box` in a babl format, one per square of `step` px.

        Pixels outside the drawable are zero, which is transparent in formats with alpha.
        """
        x, y = (box.x - self._box.x) // step, (box.y - self._box.y) // step
        width, height = max(1, box.width // step), max(1, box.height // step)
        rectangle = Gegl.Rectangle.new(x, y, width, height)
        return bytes(self._buffer.get(rectangle, 1.0 / step, babl, Gegl.AbyssPolicy.NONE))

    def is_opaque(self, box: Box) -> bool:
        return not self._has_alpha and self._box.contains(box)

    def read_screen(self, box: Box, step: int = 1) -> bytes:
        # In each process, babl searches for the first conversion between formats with and without
        # alpha for 0.6 to 0.9 s.
        if self.is_opaque(box):
            return rearrange(self.read(box, _OPAQUE_SCREEN, step), "RGB", "RGBA")
        return self.read(box, _SCREEN, step)


class GimpImage:
    """An image and the drawables that were selected when the plug-in was called."""

    def __init__(self, image: Gimp.Image, drawables: Sequence[Gimp.Drawable]) -> None:
        self.image = image
        self.drawables = [_owner(drawable) for drawable in drawables]

    @property
    def extent(self) -> Extent:
        return Extent(self.image.get_width(), self.image.get_height())

    @property
    def base_type(self) -> str:
        return _BASE_TYPES[self.image.get_base_type()]

    @property
    def precision(self) -> str:
        """GIMP's nick, for example "u8-non-linear" or "half-linear"."""
        return str(self.image.get_precision().value_nick)

    @property
    def format(self) -> SampleFormat:
        return document_format(self.precision)

    def items(self) -> list[Item]:
        return [self._item(drawable) for drawable in self.drawables]

    def selection(self) -> Box | None:
        """Return the box of the selection; None if nothing is selected."""
        _, non_empty, x1, y1, x2, y2 = Gimp.Selection.bounds(self.image)
        return Box.from_corners(x1, y1, x2, y2) if non_empty else None

    def coverage(self, box: Box, step: int = 1) -> bytes:
        """Return the 8-bit selection in `box`; linear, since a curve would change its softness."""
        return PixelSource(self.image.get_selection()).read(box, "Y u8", step)

    def select(self, mask: Picture, step: int) -> None:
        """Replace the selection by a mask, in one undo step.

        Args:
            mask: 8-bit gray; one px for each square of `step` px of the image.
            step: px.

        Raises:
            InputError: the image has been closed.
        """
        self._check_open()
        write_selection(self.image, mask, step)

    def _item(self, drawable: Gimp.Drawable) -> Item:
        kind = Kind.LAYER
        if not drawable.is_layer():
            kind = Kind.CHANNEL
        elif drawable.is_floating_sel():
            kind = Kind.FLOATING
        elif drawable.is_group():
            kind = Kind.GROUP
        path = self._path(drawable) if kind in (Kind.LAYER, Kind.GROUP) else ()
        return Item(drawable.get_name(), kind, _box_of(drawable), drawable.has_alpha(), path)

    def _path(self, item: Gimp.Item | None) -> tuple[int, ...]:
        if item is None:
            return ()
        return *self._path(item.get_parent()), self.image.get_item_position(item)

    # --- pixels

    def prepare_reading(self) -> None:
        """Read a part for the screen: GEGL's first conversions to a format take up to 0.3 s."""
        for layer in self.image.get_layers()[:1]:
            box = _box_of(layer)
            part = Box(box.x, box.y, min(box.width, 1024), min(box.height, 1024))
            PixelSource(layer).read_screen(part, 2)

    @contextmanager
    def visible_pixels(self, without: Gimp.Layer | None = None) -> Iterator[PixelSource]:
        """Provide the pixels of the visible image, optionally without a layer or group."""
        image = self.image
        if without is None and (alone := _alone(image)) is not None:
            yield PixelSource(alone)
            return
        if without is not None:  # hiding it in the image itself would create an undo step
            image = self.image.duplicate()
            image.remove_layer(_at(image, self._path(without)))
        layer = Gimp.Layer.new_from_visible(image, image, "Inpaint")
        try:
            yield PixelSource(layer)
        finally:
            layer.delete()
            if image is not self.image:
                image.delete()

    @contextmanager
    def pixels(self, item: int | None) -> Iterator[PixelSource]:
        """Provide the pixels of the selected item at that index; None = the visible image."""
        if item is not None:
            yield PixelSource(self.drawables[item])
        else:
            with self.visible_pixels() as source:
                yield source

    @contextmanager
    def known_pixels(self, fill: Gimp.Layer, layer_tattoo: int) -> Iterator[PixelSource]:
        """Provide what the model saw: the layer with that tattoo, or the image without the fill."""
        layer = next((x for x in _all_layers(self.image) if x.get_tattoo() == layer_tattoo), None)
        if layer is not None:
            yield PixelSource(layer)
        else:
            with self.visible_pixels(without=_whole_fill(fill)) as source:
                yield source

    def paint_layers(self) -> list[PaintLayer]:
        """Return all layers except groups, from top to bottom; none once the image is closed."""
        if not self.image.is_valid():
            return []
        return [
            PaintLayer(layer.get_tattoo(), layer.get_name(), _recipe_of(layer))
            for layer in _all_layers(self.image)
            if not layer.is_group()
        ]

    def layer_box(self, tattoo: int) -> Box | None:
        """Return the box of the layer with that tattoo; None if there is none."""
        layer = self.image.get_layer_by_tattoo(tattoo) if self.image.is_valid() else None
        return None if layer is None else _box_of(layer)

    def layer_pixels(self, tattoo: int) -> PixelSource:
        return PixelSource(self.image.get_layer_by_tattoo(tattoo))

    # --- layers

    def layer_at(self, item: int | None) -> Gimp.Layer | None:
        """Return the selected layer at that index; None if it is gone, or if `item` is None."""
        if item is None or not self.drawables[item].is_valid():
            return None
        return self.drawables[item]

    def selected_fills(self) -> list[tuple[Gimp.Layer, PastRun]]:
        """Return the selected fills, and the visible ones in selected groups."""
        selected = [drawable for drawable in self.drawables if drawable.is_layer()]
        return _fills(x for x in _below(selected) if x in selected or x.get_visible())

    def visible_fills(self) -> list[tuple[Gimp.Layer, PastRun]]:
        """Return all visible fills of the image."""
        return _fills(x for x in _all_layers(self.image) if _is_seen(x))

    def make_layers(self, plans: Iterable[NewLayer]) -> Generator[None, None, list[Gimp.Layer]]:
        """Make layers outside the image, in steps. This creates no undo step.

        Raises:
            InputError: the image has been closed.
        """
        made: list[Gimp.Layer] = []
        try:
            for plan in plans:
                self._check_open()
                made.append(self._new_layer(plan))
                for strip in plan.strips():
                    write_pixels(made[-1], strip)
                    yield
                if plan.run is not None:
                    attach(made[-1], plan.run)
                    yield
        except BaseException:
            for layer in made:
                layer.delete()
            raise
        return made

    def _check_open(self) -> None:
        if not self.image.is_valid():
            raise InputError(_("The image was closed in the meantime."), "")

    def insert(
        self, layers: Sequence[Gimp.Layer], above: Gimp.Layer | None, group_name: str
    ) -> None:
        """Insert layers in one undo step, without changing the selected layers.

        They are placed above earlier fills that they overlap, and never in the group of a fill.

        Args:
            layers: from `make_layers`, from top to bottom.
            above: the layer to insert them above; None = at the top of the stack.
            group_name: the name of a new group for them; empty = no group.

        Raises:
            InputError: the image has been closed.
        """
        self._check_open()
        image = self.image
        if above is not None:
            above = _free_of_fills(image, above, union_of(map(_box_of, layers)))
        parent = above.get_parent() if above is not None else None
        position = image.get_item_position(above) if above is not None else 0
        selected = image.get_selected_layers()
        with self.one_undo_step():
            if group_name:
                group = Gimp.GroupLayer.new(image, group_name)
                _composite_like_the_document(group, self.precision)
                image.insert_layer(group, parent, position)
                parent, position = group, 0
            for index, layer in enumerate(layers):
                image.insert_layer(layer, parent, position + index)
            image.set_selected_layers(selected)

    def put_above(self, layer: Gimp.Layer, new: Gimp.Layer, replace: bool) -> None:
        """Insert a layer above `layer`, which is then hidden or removed, in one undo step.

        Raises:
            InputError: the image has been closed.
        """
        self._check_open()
        image = self.image
        with self.one_undo_step():
            image.insert_layer(new, layer.get_parent(), image.get_item_position(layer))
            if replace:
                image.remove_layer(layer)
            else:
                layer.set_visible(False)
            image.set_selected_layers([new])

    def _new_layer(self, plan: NewLayer) -> Gimp.Layer:
        """Create an empty layer outside the image."""
        gray = self.base_type == "gray"
        layer = Gimp.Layer.new(
            self.image,
            plan.name,
            plan.box.width,
            plan.box.height,
            Gimp.ImageType.GRAYA_IMAGE if gray else Gimp.ImageType.RGBA_IMAGE,
            100.0,
            Gimp.LayerMode.NORMAL,
        )
        layer.set_offsets(plan.box.x, plan.box.y)
        layer.set_visible(plan.visible)
        _composite_like_the_document(layer, self.precision)
        return layer

    @contextmanager
    def one_undo_step(self) -> Iterator[None]:
        self.image.undo_group_start()
        try:
            yield
        finally:
            self.image.undo_group_end()


def write_pixels(layer: Gimp.Layer, pixels: Pixels) -> None:
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(*pixels.box), pixels.babl, pixels.data)
    buffer.flush()
    layer.update(*pixels.box)


def attach(layer: Gimp.Layer, run: PastRun) -> None:
    for name, data in parasites(run).items():
        signed = array("b", data).tolist()  # the binding expects signed chars
        layer.attach_parasite(Gimp.Parasite.new(name, _PARASITE_FLAGS, signed))


def run_of(layer: Gimp.Layer) -> PastRun | None:
    """Return the run stored in a layer by `attach`; None if there is none."""
    return read(_parasites_of(layer))


def _recipe_of(layer: Gimp.Layer) -> str:
    """Return the recipe stored in a layer; empty if the layer is not a fill."""
    run = read_without_attachment(_parasites_of(layer))
    return run.results[0].recipe if run is not None else ""


def _parasites_of(layer: Gimp.Layer) -> Lookup:
    def data(name: str) -> bytes | None:
        parasite = layer.get_parasite(name)
        return parasite_bytes(parasite) if parasite is not None else None

    return data


def parasite_bytes(parasite: Gimp.Parasite) -> bytes:
    return bytes(value & 255 for value in parasite.get_data())


def _owner(drawable: Gimp.Drawable) -> Gimp.Drawable:
    """Return the layer of a layer mask, or the drawable itself."""
    if drawable.is_layer_mask():
        return Gimp.Layer.from_mask(drawable)
    return drawable


def _below(layers: Iterable[Gimp.Layer]) -> Iterator[Gimp.Layer]:
    """Yield the layers and, recursively, the contents of their groups."""
    for layer in layers:
        yield layer
        if layer.is_group():
            yield from _below(layer.get_children())


def _all_layers(image: Gimp.Image) -> Iterator[Gimp.Layer]:
    return _below(image.get_layers())


def _at(image: Gimp.Image, path: tuple[int, ...]) -> Gimp.Layer:
    """Return the layer at a path (see `Item.path`)."""
    layer = image.get_layers()[path[0]]
    for position in path[1:]:
        layer = layer.get_children()[position]
    return layer


def _fills(layers: Iterable[Gimp.Layer]) -> list[tuple[Gimp.Layer, PastRun]]:
    return [(layer, run) for layer in layers if (run := run_of(layer)) is not None]


def _is_seen(layer: Gimp.Layer) -> bool:
    parent = layer.get_parent()
    return bool(layer.get_visible()) and (parent is None or _is_seen(parent))


def _alone(image: Gimp.Image) -> Gimp.Layer | None:
    """Return the only visible layer if it alone determines the visible image, else None.

    This avoids a copy of the visible image, which blocks the window for some tenths of a second if
    the image is large.
    """
    seen = [layer for layer in image.get_layers() if layer.get_visible()]
    if len(seen) != 1 or image.get_floating_sel() is not None:
        return None
    (layer,) = seen
    is_plain = (
        not layer.is_group()
        and layer.get_opacity() == 100.0
        and layer.get_mode() == Gimp.LayerMode.NORMAL
        and layer.get_mask() is None
        and not layer.get_filters()
    )
    return layer if is_plain else None


def _whole_fill(layer: Gimp.Layer) -> Gimp.Layer:
    """Return the group of a run if the layer is still in one, else the layer itself."""
    group = layer.get_parent()
    return group if group is not None and _is_group_of_fill(group) else layer


def _is_group_of_fill(layer: Gimp.Layer) -> bool:
    """Return whether the layer is a group that contains only fills."""
    children = layer.get_children() if layer.is_group() else []
    return bool(children) and all(_recipe_of(each) for each in children)


def _free_of_fills(image: Gimp.Image, target: Gimp.Layer, box: Box) -> Gimp.Layer:
    """Return the layer directly above which a new fill of `target` is inserted."""
    group = target.get_parent()
    while group is not None:
        if _is_group_of_fill(group):
            target = group
        group = group.get_parent()
    parent = target.get_parent()
    siblings = parent.get_children() if parent is not None else image.get_layers()
    higher = siblings[: image.get_item_position(target)]
    return seen_above(target, higher[::-1], box, _fill_box)


def _fill_box(layer: Gimp.Layer) -> Box | None:
    """Return the box of the layer if it is a fill or the group of one, else None."""
    return _box_of(layer) if _is_group_of_fill(layer) or _recipe_of(layer) else None


def _box_of(layer: Gimp.Layer) -> Box:
    _, x, y = layer.get_offsets()
    return Box(x, y, layer.get_width(), layer.get_height())


def _composite_like_the_document(layer: Gimp.Layer, precision: str) -> None:
    """Blend soft edges in the document's own transfer curve, as the other clients do.

    GIMP would always use linear light, which shows as a bright or dark rim. The document's own
    curve also avoids converting the pixels below back and forth.
    """
    layer.set_composite_space(_COMPOSITE_SPACES[precision.partition("-")[2]])
