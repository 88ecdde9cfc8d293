"""What is read from the image for one run: the picture around the hole, and the hole."""

from __future__ import annotations

from typing import NamedTuple

from inpaint_client import (
    Box,
    Capture,
    FillJob,
    Picture,
    SampleType,
    Transfer,
    crop_for_hole,
    seed_sequence,
)
from inpaint_client.geometry import overview_step
from inpaint_client.pixels import bounding_box, paste

from ..host.image_protocol import Readable, Reader
from ..host.precision import LAYOUTS, SampleFormat
from ..host.target import Hole, check_mode, choose_item, find_hole, nothing_selected
from .arguments import FillSettings

_INVERT = bytes(255 - value for value in range(256))
_OVERVIEW = SampleFormat(SampleType.U8, Transfer.SRGB)


class Captured(NamedTuple):
    """What was read of an image for one run."""

    capture: Capture
    item: int | None  # index of the selected item that the results go above; None = the top


def capture(image: Readable, from_layer: bool) -> Captured:
    """Read what a fill needs. Raises BadInput when there is nothing that could be filled."""
    check_mode(image.base_type)
    items = image.items()
    index = choose_item(items, from_layer)
    canvas = Box.of_extent(image.extent)
    found = find_hole(
        image.selection(), canvas, items[index] if index is not None else None, from_layer
    )
    hole_box = found.box
    coverage = b""
    if found.from_transparency:
        hole_box, coverage = _transparency(image, index, found)
    gray = image.base_type == "gray"
    stored = image.format
    crop_box = crop_for_hole(hole_box, canvas, 4 * stored.sample_type.size)
    if found.from_transparency:
        relative = hole_box.relative(crop_box)
        data = bytes(paste(bytes(crop_box.extent.area), crop_box.extent, coverage, relative))
    else:
        data = image.coverage(crop_box)
    hole = Picture(crop_box.width, crop_box.height, 1, data)
    with image.pixels(index if from_layer else None) as source:
        crop = read_picture(source, crop_box, stored, gray)
        overview = None if crop_box == canvas else read_overview(source, canvas, gray)
    seen = Capture(
        crop=crop, hole=hole, crop_box=crop_box, document=image.extent, overview=overview
    )
    return Captured(seen, index)


def _transparency(image: Readable, index: int | None, found: Hole) -> tuple[Box, bytes]:
    """The box and the coverage of what is transparent in a layer."""
    with image.pixels(index) as layer:
        tight = bounding_box(layer.read(found.box, "A u8").translate(_INVERT), found.box.extent)
        if tight.is_empty:
            raise nothing_selected()
        box = Box(found.box.x + tight.x, found.box.y + tight.y, tight.width, tight.height)
        return box, layer.read(box, "A u8").translate(_INVERT)


def read_picture(source: Reader, box: Box, stored: SampleFormat, gray: bool) -> Picture:
    """The pixels of `box` for the wire; with alpha only where something is transparent."""
    alpha = source.read(box, "A u8")
    channels = 1 if gray else 3
    if alpha.count(255) != len(alpha):
        channels = 4
    data = source.read(box, stored.babl(LAYOUTS[channels]))
    return Picture(box.width, box.height, channels, data, stored.sample_type, stored.transfer)


def read_overview(source: Reader, canvas: Box, gray: bool) -> Picture:
    """The whole document, small, so that the daemon can find the face."""
    step = overview_step(canvas.extent)
    channels = 1 if gray else 3
    data = source.read(canvas, _OVERVIEW.babl(LAYOUTS[channels]), step)
    return Picture(canvas.width // step or 1, canvas.height // step or 1, channels, data)


def fill_job(capture: Capture, settings: FillSettings) -> FillJob:
    """The request; `settings` has a seed."""
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
