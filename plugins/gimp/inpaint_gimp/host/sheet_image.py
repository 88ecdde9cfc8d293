"""A contact sheet as a new image, whose captions are text layers."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gegl, Gimp
from inpaint_client import Extent, InputError
from inpaint_client.session.contact_sheet import (
    BACKGROUND,
    INK,
    TEXT,
    Caption,
    Place,
    arrange,
    column_width,
)

from ..translation import _

_RGB = "R'G'B' u8"
_LINE = 1.25  # height of a line, relative to the font's


def open_sheet(
    extent: Extent, cells: Sequence[bytes], captions: Sequence[tuple[str, Caption]], name: str
) -> Gimp.Image:
    """Show a new sRGB image. The artist's own images and GIMP's context stay as they are.

    Args:
        extent: the size of each cell's image.
        cells: their pixels, 8-bit sRGB.
        captions: of each cell, with the translated title.
        name: of the layer with the cells.

    Raises:
        InputError: GIMP has no fonts.
    """
    font = Gimp.Font.get_by_name("Sans-serif") or _any_font()
    width = column_width(extent)

    def fits(line: str) -> bool:
        return _width(line, font) <= width

    texts = ["\n".join(caption.lines(title, fits)) for title, caption in captions]
    heights = [round((text.count("\n") + 1) * TEXT * _LINE) for text in texts]
    layout = arrange(extent, heights)
    image = Gimp.Image.new(*layout.extent, Gimp.ImageBaseType.RGB)
    image.undo_disable()
    sheet = Gimp.Layer.new(
        image, name, *layout.extent, Gimp.ImageType.RGB_IMAGE, 100.0, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(sheet, None, 0)
    buffer = sheet.get_buffer()
    whole = Gegl.Rectangle.new(0, 0, *layout.extent)
    buffer.set(whole, _RGB, bytes(BACKGROUND) * layout.extent.area)
    for cell, place in zip(cells, layout.places, strict=True):
        buffer.set(Gegl.Rectangle.new(*place.image), _RGB, cell)
    buffer.flush()
    sheet.update(0, 0, *layout.extent)
    for text, place in zip(texts, layout.places, strict=True):
        _write(image, text, font, place)
    image.set_selected_layers([sheet])
    image.undo_enable()
    image.clean_all()
    Gimp.Display.new(image)
    Gimp.displays_flush()
    return image


def _any_font() -> Gimp.Font:
    for font in Gimp.fonts_get_list(""):
        return font
    raise InputError(
        _("GIMP has no fonts for the captions."), _("Start GIMP without the option --no-fonts.")
    )


def _write(image: Gimp.Image, text: str, font: Gimp.Font, place: Place) -> None:
    layer = Gimp.TextLayer.new(image, text, font, TEXT, Gimp.Unit.pixel())
    image.insert_layer(layer, None, 0)
    layer.set_color(_color(INK))
    layer.set_justification(Gimp.TextJustification.CENTER)
    layer.resize(place.caption.width, place.caption.height)
    layer.set_offsets(place.caption.x, place.caption.y)


def _width(line: str, font: Gimp.Font) -> int:
    return int(Gimp.text_get_extents_font(line, TEXT, font).width)


def _color(rgb: tuple[int, int, int]) -> Gegl.Color:
    return Gegl.Color.new("#" + "".join(f"{value:02x}" for value in rgb))
