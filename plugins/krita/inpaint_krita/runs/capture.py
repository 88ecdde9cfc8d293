"""Read the daemon's input from a document, in strips, between turns of the event loop.

`capture` is a generator: each `yield` returns control to Krita, so that reading a large image never
blocks the window for longer than one strip.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from inpaint_client.capture import Capture, Context
from inpaint_client.geometry import (
    Box,
    crop_for_hole,
    near_hole,
    overview_step,
    parts_for_hole,
)
from inpaint_client.images import Picture, SampleType
from inpaint_client.info import Limits
from inpaint_client.pixels import encode_coverage, rearrange, shrink

from ..host.color import Route, route
from ..host.document_protocol import Pixels

STRIP_BYTES = 1 << 20  # read and rearranged in about 5 ms
CONVERT_BYTES = 1 << 18  # Krita's color conversion is ten times slower than copying


def capture(pixels: Pixels, selection: Box, limits: Limits) -> Generator[None, None, Capture]:
    """Read the crop, the hole and their surroundings for a selection with the box `selection`.

    Raises:
        InputError: nothing is selected on the canvas, or the selection is too large for one crop.
    """
    canvas = Box.of_extent(pixels.extent)
    way = route(pixels.space)
    parts = parts_for_hole(
        selection,
        canvas,
        way.travel.pixel_bytes,
        limits.max_side,
        limits.max_picture_bytes,
        limits.max_context_side,
    )
    seen = yield from _near(pixels, parts.crop, way)
    overview = context = None
    if parts.context is not None:
        context = Context((yield from _reduced(pixels, parts.context, parts.step)), parts.context)
    if not parts.shows(canvas):
        overview = yield from _overview(pixels, canvas)
    return replace(seen, overview=overview, context=context)


def capture_again(pixels: Pixels, selection: Box, limits: Limits) -> Generator[None, None, Capture]:
    """Read what rendering a fill again requires; the encoder's input is in its attachment.

    Raises:
        InputError: as for `capture`.
    """
    way = route(pixels.space)
    wide = crop_for_hole(
        selection,
        Box.of_extent(pixels.extent),
        way.travel.pixel_bytes,
        limits.max_side,
        limits.max_picture_bytes,
    )
    return (yield from _near(pixels, near_hole(wide.clamp(selection), wide), way))


def capture_visible(pixels: Pixels, step: int) -> Generator[None, None, Picture]:
    """Read the entire source with one pixel per full square of `step` px, 8-bit sRGB."""
    width, height = pixels.extent
    whole = Box(0, 0, width // step * step, height // step * step)
    return (yield from _reduced(pixels, whole, step))


def _near(pixels: Pixels, box: Box, way: Route) -> Generator[None, None, Capture]:
    """Read the crop and the hole."""
    hole = bytearray()
    for strip in _strips(box, 1, STRIP_BYTES):
        hole += pixels.read_coverage(strip)
        yield
    crop = yield from _crop(pixels, box, way)
    return Capture(
        crop=crop, hole=Picture(*box.extent, 1, hole), crop_box=box, document=pixels.extent
    )


def _crop(pixels: Pixels, box: Box, way: Route) -> Generator[None, None, Picture]:
    """Read pixels in the wire's channel order, with alpha only if something is transparent.

    Transparency may be found only at the end; reading then starts over, which is rare. The buffer
    is passed on without a copy, which would block the window.
    """
    layout, sample_type = way.travel.layout, way.travel.sample_type
    direct = way.is_direct(pixels.space)
    for wire in ("Y" if layout == "YA" else "RGB", "RGBA"):
        data = bytearray()
        size = STRIP_BYTES if direct else CONVERT_BYTES
        for strip in _strips(box, pixels.space.pixel_bytes, size):
            rows = pixels.read(strip)
            if not direct:
                rows = pixels.convert(rows, strip.extent, pixels.space, way.travel)
            if wire != "RGBA" and not _is_opaque(rows, layout, sample_type):
                break
            data += rearrange(rows, layout, wire, sample_type)
            yield
        else:
            break
    return Picture(*box.extent, len(wire), data, sample_type, way.transfer)


def _is_opaque(data: bytes, layout: str, sample_type: SampleType) -> bool:
    size = sample_type.size
    solid = encode_coverage(b"\xff", sample_type)
    first = layout.index("A") * size
    step = len(layout) * size
    count = len(data) // step
    return all(data[first + byte :: step] == solid[byte : byte + 1] * count for byte in range(size))


def _reduced(pixels: Pixels, box: Box, step: int) -> Generator[None, None, Picture]:
    """Read the source with one pixel per full square of `step` px, 8-bit sRGB."""
    data = bytearray()
    width = box.width * pixels.space.pixel_bytes
    for strip in box.strips(step * max(1, STRIP_BYTES // (step * width))):
        data += pixels.read_reduced(strip, step)
        yield
    layout = "RGBA"
    if data[3::4].count(255) == len(data) // 4:
        layout = "RGB"
    plain = rearrange(data, "RGBA", layout)
    return Picture(box.width // step, box.height // step, len(layout), plain)


def _overview(pixels: Pixels, canvas: Box) -> Generator[None, None, Picture]:
    step = overview_step(canvas.extent)
    data = bytearray()
    for strip in canvas.strips(step):
        if strip.height == step:
            rows = rearrange(pixels.read_display(strip), "BGRA", "RGB")
            data += shrink(rows, canvas.width, 3, step)
            yield
    return Picture(canvas.width // step, canvas.height // step, 3, bytes(data))


def _strips(box: Box, pixel_bytes: int, target: int) -> list[Box]:
    return list(box.strips(max(1, target // (box.width * pixel_bytes))))
