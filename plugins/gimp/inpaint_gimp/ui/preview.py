"""Small images of a fill in its surroundings, for the dialogs."""

from __future__ import annotations

from functools import cached_property

from gi.repository import GdkPixbuf, Gegl, GLib
from inpaint_client import Box, Candidate, Extent, Frame, Picture
from inpaint_client.pixels import crop, rearrange
from inpaint_client.session.frame_preview import overlay

from ..host.new_layer import Pixels
from ..runs.capture import Glance
from ..runs.layers import layer_pixels, reduced

_SCREEN = "R'G'B'A u8"
_HALF = bytes(value // 2 for value in range(256))
_SAMPLES = 3  # of a fill, per px of a preview along each side
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

    @cached_property
    def tinted(self) -> GdkPixbuf.Pixbuf:
        """The image with the hole tinted."""
        tint = rearrange(_TINT * self._extent.area, "RGB", "RGBA", coverage=self._hole)
        result = self.original.copy()
        self._lay(result, self._fitted(tint, self._extent, self._view), self._view)
        return result

    def with_fill(self, candidate: Candidate) -> GdkPixbuf.Pixbuf:
        """Return the image with the candidate composited onto it.

        Only the samples that the preview needs are taken, so that the window stays responsive.
        """
        result = self.original.copy()
        step = max(1, int(1 / (_SAMPLES * self._scale)))
        pixels = layer_pixels(reduced(candidate, step))
        view = self._view
        seen = Box.from_corners(
            -(-view.x // step), -(-view.y // step), view.right // step, view.bottom // step
        ).clamp(pixels.box)
        if seen.is_empty:
            return result
        data = _on_screen(pixels, seen)
        part = Box(*(side * step for side in seen))
        self._lay(result, self._fitted(data, seen.extent, part), part)
        return result

    def with_picture(self, picture: Picture, box: Box) -> GdkPixbuf.Pixbuf:
        """Return the image with RGBA pixels composited onto a box of it."""
        result = self.original.copy()
        seen = box.clamp(self._view)
        if not seen.is_empty:
            whole = self._fitted(picture.data, picture.extent, box)
            x, y = (
                round((box.x - self._view.x) * self._scale),
                round((box.y - self._view.y) * self._scale),
            )
            left, top = max(0, x), max(0, y)
            right = min(x + whole.get_width(), result.get_width())
            bottom = min(y + whole.get_height(), result.get_height())
            if right > left and bottom > top:
                whole.composite(
                    result,
                    left,
                    top,
                    right - left,
                    bottom - top,
                    x,
                    y,
                    1.0,
                    1.0,
                    GdkPixbuf.InterpType.NEAREST,
                    255,
                )
        return result

    def with_frame(self, frame: Frame | None) -> GdkPixbuf.Pixbuf:
        """Return the image with the hole tinted and a frame, if one is known."""
        result = self.tinted.copy()
        if frame is not None:
            extent = Extent(result.get_width(), result.get_height())
            shade = _pixbuf(overlay(frame, self._view, extent), extent)
            self._lay(result, shade, self._view)
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

    def _fitted(self, data: bytes | bytearray, extent: Extent, part: Box) -> GdkPixbuf.Pixbuf:
        """Return RGBA pixels of `part`, scaled to the view."""
        return _pixbuf(data, extent).scale_simple(
            max(1, round(part.width * self._scale)),
            max(1, round(part.height * self._scale)),
            GdkPixbuf.InterpType.BILINEAR,
        )


def _pixbuf(data: bytes | bytearray, extent: Extent) -> GdkPixbuf.Pixbuf:
    """Return an image of RGBA pixels."""
    width, height = extent
    return GdkPixbuf.Pixbuf.new_from_bytes(
        GLib.Bytes.new(bytes(data)), GdkPixbuf.Colorspace.RGB, True, 8, width, height, 4 * width
    )


def _on_screen(pixels: Pixels, part: Box) -> bytes:
    """Return a part of the pixels in the screen's format."""
    babl, data = pixels.babl, bytes(pixels.data)
    if babl == "R'G'B'A u16":
        babl, data = _SCREEN, data[1::2]  # the high bytes; GEGL's first conversion takes 50 ms
    if babl == _SCREEN:
        return crop(data, pixels.box.extent, part.relative(pixels.box), 4)
    buffer = Gegl.Buffer.new(babl, *pixels.box)
    buffer.set(Gegl.Rectangle.new(*pixels.box), babl, data)
    return bytes(buffer.get(Gegl.Rectangle.new(*part), 1.0, _SCREEN, Gegl.AbyssPolicy.NONE))


def thumbnail(image: GdkPixbuf.Pixbuf, size: int) -> GdkPixbuf.Pixbuf:
    scale = size / max(image.get_width(), image.get_height())
    return image.scale_simple(
        max(1, round(image.get_width() * scale)),
        max(1, round(image.get_height() * scale)),
        GdkPixbuf.InterpType.BILINEAR,
    )
