"""Read the hole and the image around it for a run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

from inpaint_client import (
    Box,
    Capture,
    Extent,
    FillJob,
    Limits,
    Picture,
    SampleType,
    Transfer,
    crop_for_hole,
    seed_sequence,
)
from inpaint_client.capture import Context
from inpaint_client.geometry import overview_step, parts_for_hole, reducing_step
from inpaint_client.pixels import bounding_box, paste, rearrange, thin
from inpaint_client.pixels import crop as cut

from ..host.image_protocol import Readable, Reader
from ..host.precision import LAYOUTS, SampleFormat
from ..host.target import Hole, check_mode, choose_item, find_hole, nothing_selected
from .arguments import FillSettings
from .steps import run_all

_INVERT = bytes(255 - value for value in range(256))
_REDUCED = SampleFormat(SampleType.U8, Transfer.SRGB)
_CONTEXT = 2.2  # side of a glance, relative to the hole's longer side
GLANCE_SIDE = 640  # px, approximate
STRIP_PX = 1 << 18  # px of the image; GIMP reads them in about 5 to 15 ms
Coverage = Callable[[Box, int], bytes]  # reads a box, with one px per square of a step


class Target(NamedTuple):
    """What to fill, as known before any pixel is read."""

    hole: Hole
    item: int | None  # selected item to insert the results above; None = at the top
    from_layer: bool  # whether the model sees only that layer


class Captured(NamedTuple):
    """What was read from an image for one run."""

    capture: Capture
    item: int | None  # as `Target.item`
    glance: Glance
    around: Box  # the part of the document that the model may see


class Glance(NamedTuple):
    """A small view of the image around the hole, for the dialogs."""

    box: Box  # the part shown, in full squares of `step` px
    step: int
    pixels: bytes | bytearray  # 8-bit sRGB, RGBA
    coverage: bytes | bytearray  # of the hole, 8 bit

    @property
    def extent(self) -> Extent:
        """Its size, px."""
        return Extent(self.box.width // self.step, self.box.height // self.step)


def find_target(image: Readable, from_layer: bool) -> Target:
    """Find what to fill.

    Raises:
        InputError: there is nothing to fill.
    """
    check_mode(image.base_type)
    items = image.items()
    index = choose_item(items, from_layer)
    canvas = Box.of_extent(image.extent)
    item = items[index] if index is not None else None
    return Target(find_hole(image.selection(), canvas, item, from_layer), index, from_layer)


def check_target(image: Readable, target: Target) -> None:
    """Check that something would be filled, up to the first transparent pixel.

    Raises:
        NothingSelectedError: nothing is selected, and nothing is transparent in the layer.
    """
    if not target.hole.from_transparency:
        return
    box = target.hole.box
    with image.pixels(target.item) as layer:
        for strip in box.strips(max(1, STRIP_PX // box.width)):
            if layer.read(strip, "A u8").count(255) != strip.extent.area:
                return
    raise nothing_selected()


def capture(image: Readable, target: Target, limits: Limits) -> Generator[None, None, Captured]:
    """Read what a fill needs, in steps between turns of the event loop.

    Raises:
        InputError: nothing is transparent in the layer, or the hole is too large.
    """
    canvas = Box.of_extent(image.extent)
    selected = yield from _selected(image, target)
    stored, gray = image.format, image.base_type == "gray"
    pixel_bytes = 4 * stored.sample_type.size
    limit = limits.max_side, limits.max_picture_bytes
    around = crop_for_hole(selected.box, canvas, pixel_bytes, *limit)
    parts = parts_for_hole(selected.box, canvas, pixel_bytes, *limit, limits.max_context_side)
    with image.pixels(target.item if target.from_layer else None) as source:
        yield
        shown = yield from _glance(source, selected, around)
        hole = yield from _in_strips(selected.coverage, parts.crop)
        crop = yield from read_image(source, parts.crop, stored, gray)
        overview = context = None
        if parts.context is not None:
            data = yield from _in_strips(source.read_screen, parts.context, parts.step)
            context = Context((yield from _opaque(data, parts.context, parts.step)), parts.context)
        if not parts.shows(canvas):
            overview = yield from read_overview(source, canvas, gray)
    seen = Capture(
        crop=crop,
        hole=Picture(*parts.crop.extent, 1, hole),
        crop_box=parts.crop,
        document=image.extent,
        overview=overview,
        context=context,
    )
    return Captured(seen, target.item, shown, around)


def glance(image: Readable, target: Target) -> Generator[None, None, Glance]:
    """Read only a small view of what would be filled.

    Raises:
        InputError: nothing is transparent in the layer.
    """
    selected = yield from _selected(image, target)
    with image.pixels(target.item if target.from_layer else None) as source:
        yield
        return (yield from _glance(source, selected, Box.of_extent(image.extent)))


def overview(
    image: Readable, target: Target, side: int
) -> Generator[None, None, tuple[Box, Glance]]:
    """Read a view of the whole image of at most `side` px, and the box of the hole.

    Raises:
        InputError: nothing is transparent in the layer.
    """
    selected = yield from _selected(image, target)
    step = reducing_step(image.extent, side)
    width, height = (max(step, length // step * step) for length in image.extent)
    box = Box(0, 0, width, height)
    with image.pixels(target.item if target.from_layer else None) as source:
        yield
        pixels = yield from _in_strips(source.read_screen, box, step)
    coverage = yield from _in_strips(selected.coverage, box, step)
    return selected.box, Glance(box, step, pixels, coverage)


class _Selected(NamedTuple):
    """The box of the hole, and a function that reads its coverage."""

    box: Box
    coverage: Coverage


def _selected(image: Readable, target: Target) -> Generator[None, None, _Selected]:
    if not target.hole.from_transparency:
        return _Selected(target.hole.box, image.coverage)
    box, transparency = yield from _transparency(image, target.item, target.hole)
    return _Selected(box, coverage_of(box, transparency))


def coverage_of(box: Box, data: bytes) -> Coverage:
    """Return a function that reads the coverage of a hole in memory."""

    def read(wanted: Box, step: int = 1) -> bytes:
        inside = wanted.clamp(box)
        whole = bytearray(wanted.extent.area)
        if not inside.is_empty:
            part = cut(data, box.extent, inside.relative(box))
            paste(whole, wanted.extent, part, inside.relative(wanted))
        return thin(whole, wanted.extent, 1, step) if step > 1 else bytes(whole)

    return read


def _glance(source: Reader, hole: _Selected, around: Box) -> Generator[None, None, Glance]:
    view, step = glance_box(hole.box, around)
    pixels = yield from _in_strips(source.read_screen, view, step)
    coverage = yield from _in_strips(hole.coverage, view, step)
    return Glance(view, step, pixels, coverage)


def glance_at(
    source: Reader, box: Box, coverage: Coverage, around: Box, shift: tuple[int, int]
) -> Glance:
    """Read a glance at the hole `box`, whose pixels are `shift` px further right and down."""
    view, step = glance_box(box, around)
    here = view._replace(x=view.x + shift[0], y=view.y + shift[1])
    return Glance(
        view, step, run_all(_in_strips(source.read_screen, here, step)), coverage(view, step)
    )


def _transparency(
    image: Readable, index: int | None, found: Hole
) -> Generator[None, None, tuple[Box, bytes]]:
    """Return the box and the coverage of the transparent part of a layer."""
    with image.pixels(index) as layer:
        alpha = yield from _read(layer, found.box, "A u8")
    coverage = alpha.translate(_INVERT)
    tight = bounding_box(coverage, found.box.extent)
    if tight.is_empty:
        raise nothing_selected()
    yield
    box = Box(found.box.x + tight.x, found.box.y + tight.y, tight.width, tight.height)
    return box, cut(coverage, found.box.extent, tight)


def read_image(
    source: Reader, box: Box, stored: SampleFormat, gray: bool, step: int = 1
) -> Generator[None, None, Picture]:
    """Read the pixels of `box` for the wire, with alpha only if something is transparent."""
    channels = 1 if gray else 3
    if not source.is_opaque(box):
        alpha = yield from _read(source, box, "A u8", step)
        if alpha.count(255) != len(alpha):
            channels = 4
    data = yield from _read(source, box, stored.babl(LAYOUTS[channels]), step)
    extent = Extent(box.width // step, box.height // step)
    return Picture(*extent, channels, data, stored.sample_type, stored.transfer)


def read_reduced(image: Readable, side: int) -> Generator[None, None, Picture]:
    """Read the visible image, in steps, reduced to at most `side` px. 8 bits show all parts."""
    step = reducing_step(image.extent, side)
    width, height = (max(1, length // step) * step for length in image.extent)
    with image.pixels(None) as source:
        yield
        whole = Box(0, 0, width, height)
        return (yield from read_image(source, whole, _REDUCED, image.base_type == "gray", step))


def read_overview(source: Reader, canvas: Box, gray: bool) -> Generator[None, None, Picture]:
    """Read the entire document at reduced size, so that the daemon can find the face."""
    step = overview_step(canvas.extent)
    channels = 1 if gray else 3
    extent = Extent(canvas.width // step or 1, canvas.height // step or 1)
    box = Box(0, 0, extent.width * step, extent.height * step)
    data = yield from _read(source, box, _REDUCED.babl(LAYOUTS[channels]), step)
    return Picture(*extent, channels, data)


def glance_box(hole: Box, around: Box) -> tuple[Box, int]:
    """Return the box of a glance, and the side in px of the squares it shows as one pixel."""
    side = round(hole.extent.longest * _CONTEXT)
    middle = Box(hole.x + (hole.width - side) // 2, hole.y + (hole.height - side) // 2, side, side)
    view = middle.moved_into(around)
    step = max(1, view.extent.longest // GLANCE_SIDE)
    width, height = (max(step, length // step * step) for length in view.extent)
    return view._replace(width=width, height=height), step


def _read(
    source: Reader, box: Box, babl: str, step: int = 1
) -> Generator[None, None, bytes | bytearray]:
    """Read the pixels of a box in strips."""

    def read(strip: Box, step: int) -> bytes:
        return source.read(strip, babl, step)

    return (yield from _in_strips(read, box, step))


def _in_strips(
    read: Callable[[Box, int], bytes], box: Box, step: int = 1
) -> Generator[None, None, bytes | bytearray]:
    """Call `read` for each strip of a box, and return the results joined, without a copy."""
    data = bytearray()
    for strip in box.strips(step * max(1, STRIP_PX // (box.width * step))):
        data += read(strip, step)
        yield
    return data


def _opaque(data: bytes | bytearray, box: Box, step: int) -> Generator[None, None, Picture]:
    """Return RGBA pixels as an image, in steps, without alpha if all are opaque."""
    layout = "RGB" if data[3::4].count(255) == len(data) // 4 else "RGBA"
    yield
    plain = bytearray()
    size = 4 * STRIP_PX
    for start in range(0, len(data), size):
        plain += rearrange(data[start : start + size], "RGBA", layout)
        yield
    return Picture(box.width // step, box.height // step, len(layout), plain)


def fill_job(capture: Capture, settings: FillSettings) -> FillJob:
    """Return the request for a fill; `settings` must have a seed."""
    assert settings.seed is not None
    return FillJob(
        capture=capture,
        model=settings.model,
        seeds=seed_sequence(settings.seed, settings.candidates),
        truncation_psi=settings.truncation,
        edits=settings.edits,
        variants=settings.variants,
        frame=settings.frame,
        blending=settings.blending,
        smooth=settings.smooth,
    )
