"""Pixels as bytes: channel orders, crops, masks and overviews without numpy.

The functions operate on entire planes with slices, `bytes.translate` and big integers instead of
looping over pixels. A layout is named by one letter per channel, in memory order: "BGRA" (Krita,
8 and 16 bit), "RGBA", "RGB", "YA" (gray with alpha), "Y".
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import MutableSequence
from functools import cache

from .geometry import Box, Extent
from .images import SampleType

_CODES = {
    2: "H",
    4: "I",
}  # array type codes by bytes per sample; unsigned, as samples are only moved
_OPAQUE = b"\xff"
_ABOVE_0 = bytes([0] + [255] * 255)


def rearrange(
    data: bytes | bytearray,
    source: str,
    target: str,
    sample_type: SampleType = SampleType.U8,
    coverage: bytes | bytearray | None = None,
) -> bytes:
    """Convert `data` from the layout `source` to the layout `target`.

    Channels that `target` lacks are dropped. If the source is gray, R, G and B are taken from Y.
    The alpha of the result is `coverage` (one byte per pixel), scaled to the range of the sample
    type, if given; otherwise the source's alpha if it has one; otherwise opaque.

        rearrange(krita_pixels, "BGRA", "RGB")
        rearrange(patch.fill.data, "RGB", "BGRA", coverage=patch.coverage.data)
    """
    if "Y" in target and "Y" not in source:
        raise ValueError(
            f"color ({source}) cannot be converted to gray ({target}) here; the host or the "
            "daemon must do it"
        )
    if source == target and coverage is None:
        return bytes(data)
    size = sample_type.size
    samples = _samples(data, size)
    channels = len(source)
    pixels = len(samples) // channels
    same_size = len(target) == channels
    result = samples[:] if same_size else _samples(bytes(pixels * len(target) * size), size)
    for position, letter in enumerate(target):
        if letter == "A" and (coverage is not None or "A" not in source):
            alpha = encode_coverage(coverage or _OPAQUE * pixels, sample_type)
            result[position :: len(target)] = _samples(alpha, size)
        elif not same_size or source[position] != letter:
            plane = samples[_channel(source, letter) :: channels]
            result[position :: len(target)] = plane
    return bytes(result)


def _samples(data: bytes | bytearray, size: int) -> MutableSequence[int]:
    """Return samples as a type with fast strided slices: a bytearray, or an array if wider."""
    if size == 1:
        return bytearray(data)
    return array(_CODES[size], bytes(data))


def _channel(layout: str, letter: str) -> int:
    return layout.index(letter if letter in layout else "Y")


def encode_coverage(coverage: bytes | bytearray, sample_type: SampleType) -> bytes:
    """Convert 8-bit values to samples of `sample_type`: 255 becomes 255, 65535 or 1.0."""
    tables = _coverage_tables(sample_type)
    result = bytearray(len(coverage) * len(tables))
    for position, table in enumerate(tables):
        result[position :: len(tables)] = coverage.translate(table)
    return bytes(result)


@cache
def _coverage_tables(sample_type: SampleType) -> tuple[bytes, ...]:
    """Return, for each byte of a sample, the table that maps an 8-bit value to that byte."""
    values: list[bytes] = {
        SampleType.U8: [struct.pack("<B", v) for v in range(256)],
        SampleType.U16: [struct.pack("<H", v * 257) for v in range(256)],
        SampleType.F16: [struct.pack("<e", v / 255) for v in range(256)],
        SampleType.F32: [struct.pack("<f", v / 255) for v in range(256)],
    }[sample_type]
    return tuple(bytes(plane) for plane in zip(*values, strict=True))


def crop(data: bytes | bytearray, extent: Extent, box: Box, pixel_bytes: int = 1) -> bytes:
    """Return the pixels of `box`, which lies inside an image of `extent`."""
    if box.x == 0 and box.width == extent.width:
        row = extent.width * pixel_bytes
        return bytes(data[box.y * row : box.bottom * row])
    view = memoryview(data)
    starts = range(
        (box.y * extent.width + box.x) * pixel_bytes,
        (box.bottom * extent.width + box.x) * pixel_bytes,
        extent.width * pixel_bytes,
    )
    return b"".join(view[start : start + box.width * pixel_bytes] for start in starts)


def paste(
    data: bytes | bytearray, extent: Extent, patch: bytes, box: Box, pixel_bytes: int = 1
) -> bytearray:
    """Return `data` with `patch` at `box`; bytes are copied, a bytearray is modified in place."""
    result = data if isinstance(data, bytearray) else bytearray(data)
    row = box.width * pixel_bytes
    view, source = memoryview(result), memoryview(patch)
    for y in range(box.height):
        start = ((box.y + y) * extent.width + box.x) * pixel_bytes
        view[start : start + row] = source[y * row : (y + 1) * row]
    return result


def select(
    covered: bytes | bytearray,
    inside: bytes | bytearray,
    outside: bytes | bytearray,
    pixel_bytes: int = 1,
) -> bytes:
    """Return the pixels of `inside` where `covered` is above 0, and those of `outside` elsewhere.

    Args:
        covered: n bytes, one per pixel.
        inside: n pixels.
        outside: n pixels.
        pixel_bytes: bytes per pixel in `inside` and `outside`.
    """
    flags = covered.translate(_ABOVE_0)
    mask = bytearray(len(flags) * pixel_bytes)
    for position in range(pixel_bytes):
        mask[position::pixel_bytes] = flags
    ins, out, taken = (int.from_bytes(data, "little") for data in (inside, outside, mask))
    return (out ^ ((out ^ ins) & taken)).to_bytes(len(mask), "little")


def bounding_box(coverage: bytes | bytearray, extent: Extent) -> Box:
    """Return the smallest box around all values above 0; empty if there are none."""
    width = extent.width
    head = len(coverage) - len(coverage.lstrip(b"\0"))
    if head == len(coverage):
        return Box(0, 0, 0, 0)
    top, left = divmod(head, width)
    bottom, right = divmod(len(coverage.rstrip(b"\0")) - 1, width)
    right += 1
    for y in range(top, bottom + 1):  # only check the columns outside the box found so far
        start = y * width
        if left:
            left -= len(coverage[start : start + left].lstrip(b"\0"))
        if right < width:
            right += len(coverage[start + right : start + width].rstrip(b"\0"))
    return Box.from_corners(left, top, right, bottom + 1)


def thin(data: bytes | bytearray, extent: Extent, pixel_bytes: int, step: int) -> bytes:
    """Return the middle pixel of every full `step` x `step` square, for any sample type.

    A side that is shorter than `step` is treated as one square.
    """
    columns, rows = (max(1, side // step) for side in extent)
    left, top = (min(step // 2, side - 1) for side in extent)
    result = bytearray(rows * columns * pixel_bytes)
    width = columns * pixel_bytes
    for y in range(rows):
        start = ((top + y * step) * extent.width + left) * pixel_bytes
        end = start + (columns - 1) * step * pixel_bytes + pixel_bytes
        for position in range(pixel_bytes):
            taken = data[start + position : end : step * pixel_bytes]
            result[y * width + position : (y + 1) * width : pixel_bytes] = taken
    return bytes(result)


def shrink(rows: bytes, width: int, channels: int, step: int) -> bytes:
    """Return one 8-bit pixel for every full `step` x `step` square, for overviews.

    Each pixel is the mean of up to 16 x 16 samples of its square, rounded down.

    Args:
        rows: a strip of full rows, ideally a multiple of `step` of them. Remaining rows and
            columns are dropped.
        width: width of a row, px.
        channels: channels of a pixel.
        step: side of a square, px.
    """
    if step == 1:
        return bytes(rows)
    taps, shift = 1, 0
    while taps * 2 <= min(step, 16):
        taps, shift = taps * 2, shift + 2
    offsets = [tap * step // taps for tap in range(taps)]
    row, span = width * channels, width // step * step * channels
    tops = range(0, len(rows) // row // step * step * row, step * row)
    totals = [0] * channels  # per channel one big integer: a 16-bit lane for each pixel's sum
    for y in offsets:
        lines = b"".join(rows[top + y * row : top + y * row + span] for top in tops)
        for channel in range(channels):
            for x in offsets:
                plane = lines[x * channels + channel :: step * channels]
                lanes = bytearray(2 * len(plane))
                lanes[::2] = plane
                totals[channel] += int.from_bytes(lanes, "little")
    pixels = len(tops) * (width // step)
    result = bytearray(pixels * channels)
    for channel, total in enumerate(totals):
        means = (total >> shift).to_bytes(2 * pixels, "little")
        result[channel::channels] = means[::2]
    return bytes(result)
