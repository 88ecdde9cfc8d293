"""Small images of a fill in its surroundings, for the dialogs."""

from __future__ import annotations

from gi.repository import GdkPixbuf, Gegl, GLib
from inpaint_client import Box, Extent
from inpaint_client.pixels import rearrange

from ..host.new_layer import Pixels
from ..runs.capture import Glance

_SCREEN = "R'G'B'A u8"
_HALF = bytes(value // 2 for value in range(256))
_TINT = b"\xe0\x30\x50"  # marks the hole before it is filled


class Preview:
    """A view of the image around the hole, onto which fills are composited."""

    def __init__(self, glance: Glance, size: int) -> None:
        """Create a preview; `size` is the longer side of its images, px."""
        self._view = glance.box
        self._scale = size / glance.box.extent.longest
        self._hole = glance.coverage.translate(_HALF)
        self._extent = glance.extent
        image = self._fitted(glance.pixels, glance.extent, self._view)
        # Show transparency as GIMP's checkerboard.
        self.original = image.composite_color_simple(
            image.get_width(),
            image.get_height(),
            GdkPixbuf.InterpType.NEAREST,
            255,
            8,
            0x999999,
            0x666666,
        )

    def with_hole(self) -> GdkPixbuf.Pixbuf:
        """Return the image with the hole tinted."""
        tint = rearrange(_TINT * self._extent.area, "RGB", "RGBA", coverage=self._hole)
        result = self.original.copy()
        self._lay(result, self._fitted(tint, self._extent, self._view), self._view)
        return result

    def with_fill(self, pixels: Pixels) -> GdkPixbuf.Pixbuf:
        """Return the image with these pixels composited onto it."""
        result = self.original.copy()
        part = self._view.clamp(pixels.box)
        if part.is_empty:
            return result
        self._lay(result, self._scaled(pixels, part), part)
        return result

    def _lay(self, result: GdkPixbuf.Pixbuf, patch: GdkPixbuf.Pixbuf, part: Box) -> None:
        x = round((part.x - self._view.x) * self._scale)
        y = round((part.y - self._view.y) * self._scale)
        width = min(patch.get_width(), result.get_width() - x)
        height = min(patch.get_height(), result.get_height() - y)
        if width > 0 and height > 0:
            patch.composite(
                result, x, y, width, height, x, y, 1.0, 1.0, GdkPixbuf.InterpType.NEAREST, 255
            )

    def _scaled(self, pixels: Pixels, part: Box) -> GdkPixbuf.Pixbuf:
        """Return `part` of the pixels at the view's scale, in the screen's format."""
        buffer = Gegl.Buffer.new(pixels.babl, *pixels.box)
        buffer.set(Gegl.Rectangle.new(*pixels.box), pixels.babl, pixels.data)
        # GEGL converts and reduces by an integer step, which is cheap; the rest is smoothed below.
        step = max(1, int(0.5 / self._scale))
        width, height = max(1, part.width // step), max(1, part.height // step)
        rectangle = Gegl.Rectangle.new(part.x // step, part.y // step, width, height)
        data = bytes(buffer.get(rectangle, 1 / step, _SCREEN, Gegl.AbyssPolicy.CLAMP))
        return self._fitted(data, Extent(width, height), part)

    def _fitted(self, data: bytes, extent: Extent, part: Box) -> GdkPixbuf.Pixbuf:
        """Return RGBA pixels of `part`, scaled to the view."""
        width, height = extent
        shrunk = GdkPixbuf.Pixbuf.new_from_bytes(
            GLib.Bytes.new(data), GdkPixbuf.Colorspace.RGB, True, 8, width, height, 4 * width
        )
        return shrunk.scale_simple(
            max(1, round(part.width * self._scale)),
            max(1, round(part.height * self._scale)),
            GdkPixbuf.InterpType.BILINEAR,
        )


def thumbnail(image: GdkPixbuf.Pixbuf, size: int) -> GdkPixbuf.Pixbuf:
    scale = size / max(image.get_width(), image.get_height())
    return image.scale_simple(
        max(1, round(image.get_width() * scale)),
        max(1, round(image.get_height() * scale)),
        GdkPixbuf.InterpType.BILINEAR,
    )
