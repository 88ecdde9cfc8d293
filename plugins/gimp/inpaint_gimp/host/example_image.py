"""The example portrait as a new image, which belongs to no file, with its selection."""

from __future__ import annotations

from pathlib import Path

from gi.repository import Gegl, Gimp
from inpaint_client import Picture
from inpaint_client.example import MASK, PORTRAIT

from ..translation import _
from .soft_selection import write_selection

_RGB, _GRAY = "R'G'B' u8", "Y' u8"


def open_example() -> Gimp.Image:
    """Show a new sRGB image of the portrait, with what to replace selected and nothing to undo.

    GEGL reads the files: GIMP would remember them, so that saving could overwrite them, and would
    follow the user's preferences for imported images.
    """
    portrait = _read(PORTRAIT, _RGB)
    image = Gimp.Image.new(*portrait.extent, Gimp.ImageBaseType.RGB)
    image.undo_disable()
    layer = Gimp.Layer.new(
        image,
        _("Example portrait"),
        *portrait.extent,
        Gimp.ImageType.RGB_IMAGE,
        100.0,
        Gimp.LayerMode.NORMAL,
    )
    image.insert_layer(layer, None, 0)
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, *portrait.extent), _RGB, portrait.data)
    buffer.flush()
    layer.update(0, 0, *portrait.extent)
    image.set_selected_layers([layer])
    write_selection(image, _read(MASK, _GRAY), 1)
    image.undo_enable()
    image.clean_all()
    Gimp.Display.new(image)
    Gimp.displays_flush()
    return image


def _read(path: Path, babl: str) -> Picture:
    """Return the pixels of a PNG file in a babl format of 8 bits, gray or RGB."""
    graph = Gegl.Node()
    file = graph.create_child("gegl:png-load")
    file.set_property("path", str(path))
    box = file.get_bounding_box()
    buffer = Gegl.Buffer.new(babl, 0, 0, box.width, box.height)
    file.blit_buffer(buffer, box, 0, Gegl.AbyssPolicy.NONE)
    data = bytes(buffer.get(box, 1.0, babl, Gegl.AbyssPolicy.NONE))
    return Picture(box.width, box.height, 3 if babl == _RGB else 1, data)
