"""Pixels as bytes: channel orders, crops, masks and overviews without numpy.

Every function works on whole planes with slices, `bytes.translate` and big integers; none loops
over pixels. Layouts are named by a letter per channel, in memory order: "BGRA" (Krita, 8 and 16
bit), "RGBA", "RGB", "YA" (gray with alpha), "Y".
"""

from __future__ import annotations

import struct
import sys
from array import array
from functools import cache

from .geometry import Box, Extent
from .requests import SampleType

_CODES = {1: "B", 2: "H", 4: "I"}  # array codes by bytes a sample; no arithmetic, so unsigned
_OPAQUE = b"\xff"


def rearrange(
    data: bytes,
    source: str,
    target: str,
    sample_type: SampleType = SampleType.U8,
    coverage: bytes | None = None,
) -> bytes:
    """`data` in the layout `source`, as layout `target`.

    Channels that `target` lacks are dropped; R, G and B are taken from Y where the source is
    gray. The alpha of the result is, in this order: `coverage` (8 bit, one byte a pixel) in the
    sample type's own range, the source's alpha, opaque.

        rearrange(krita_pixels, "BGRA", "RGB")
        rearrange(patch.fill.data, "RGB", "BGRA", coverage=patch.coverage.data)
    """
    if source == target and coverage is None:
        return bytes(data)
    size = sample_type.size
    samples = array(_CODES[size])
    samples.frombytes(data)
    channels = len(source)
    pixels = len(samples) // channels
    result = array(_CODES[size], bytes(pixels * len(target) * size))
    for position, letter in enumerate(target):
        if letter == "A" and (coverage is not None or "A" not in source):
            plane = array(_CODES[size])
            plane.frombytes(encode_coverage(coverage or _OPAQUE * pixels, sample_type))
        else:
            plane = samples[_channel(source, letter) :: channels]
        result[position :: len(target)] = plane
    return result.tobytes()


def _channel(layout: str, letter: str) -> int:
    return layout.index(letter if letter in layout else "Y")


def encode_coverage(coverage: bytes, sample_type: SampleType) -> bytes:
    """8-bit values as samples of `sample_type`: 255 becomes 255, 65535 or 1.0."""
    tables = _coverage_tables(sample_type)
    result = bytearray(len(coverage) * len(tables))
    for position, table in enumerate(tables):
        result[position :: len(tables)] = coverage.translate(table)
    return bytes(result)


@cache
def _coverage_tables(sample_type: SampleType) -> tuple[bytes, ...]:
    """For each byte of a sample, the table from the 8-bit value to that byte."""
    values: list[bytes] = {
        SampleType.U8: [struct.pack("<B", v) for v in range(256)],
        SampleType.U16: [struct.pack("<H", v * 257) for v in range(256)],
        SampleType.F16: [struct.pack("<e", v / 255) for v in range(256)],
        SampleType.F32: [struct.pack("<f", v / 255) for v in range(256)],
    }[sample_type]
    return tuple(bytes(plane) for plane in zip(*values, strict=True))


def little_endian(data: bytes, sample_type: SampleType) -> bytes:
    """From the machine's byte order to the wire's, and back (its own inverse)."""
    if sys.byteorder == "little" or sample_type.size == 1:
        return data
    return swap_bytes(data, sample_type)


def swap_bytes(data: bytes, sample_type: SampleType) -> bytes:
    """Every sample with its bytes reversed."""
    samples = array(_CODES[sample_type.size])
    samples.frombytes(data)
    samples.byteswap()
    return samples.tobytes()


def crop(data: bytes, extent: Extent, box: Box, pixel_bytes: int = 1) -> bytes:
    """The pixels of `box`, which lies inside a picture of `extent`."""
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
    """A copy of `data` (in place if it is a bytearray) with `patch` at `box`, inside `extent`."""
    result = data if isinstance(data, bytearray) else bytearray(data)
    row = box.width * pixel_bytes
    view, source = memoryview(result), memoryview(patch)
    for y in range(box.height):
        start = ((box.y + y) * extent.width + box.x) * pixel_bytes
        view[start : start + row] = source[y * row : (y + 1) * row]
    return result


def bounding_box(coverage: bytes, extent: Extent) -> Box:
    """The smallest box around everything above 0; empty if there is nothing."""
    width = extent.width
    head = len(coverage) - len(coverage.lstrip(b"\0"))
    if head == len(coverage):
        return Box(0, 0, 0, 0)
    top, left = divmod(head, width)
    bottom, right = divmod(len(coverage.rstrip(b"\0")) - 1, width)
    right += 1
    for y in range(top, bottom + 1):  # looks only at the columns outside what is already known
        start = y * width
        if left:
            left -= len(coverage[start : start + left].lstrip(b"\0"))
        if right < width:
            right += len(coverage[start + right : start + width].rstrip(b"\0"))
    return Box.from_corners(left, top, right, bottom + 1)


def has_transparency(data: bytes, layout: str, sample_type: SampleType = SampleType.U8) -> bool:
    """Whether any pixel of an integer picture is less than opaque."""
    if "A" not in layout:
        return False
    alpha = array(_CODES[sample_type.size])
    alpha.frombytes(data)
    plane = alpha[layout.index("A") :: len(layout)].tobytes()
    return plane != encode_coverage(_OPAQUE * (len(plane) // sample_type.size), sample_type)


def maximum(first: bytes, second: bytes) -> bytes:
    """The larger of the two at every pixel, 8 bit; for joining two holes."""
    if len(first) != len(second):
        raise ValueError(f"masks of {len(first)} and {len(second)} pixels cannot be joined")
    return bytes(map(max, first, second))


def shrink(rows: bytes, width: int, channels: int, step: int) -> bytes:
    """One 8-bit pixel for every full `step` x `step` square of `rows`: for overviews, in strips.

    `rows` is a strip of whole rows, best a multiple of `step` of them; rows and columns left over
    are dropped. Each pixel is the mean of up to 16 x 16 places of its square, rounded down.
    """
    cells = width // step
    if step == 1 or not cells:
        return bytes(rows) if step == 1 else b""
    taps, shift = 1, 0
    while taps * 2 <= min(step, 16):
        taps, shift = taps * 2, shift + 2
    offsets = [tap * step // taps for tap in range(taps)]
    row_bytes, span = width * channels, cells * step * channels
    result = bytearray()
    for start in range(0, len(rows) - step * row_bytes + 1, step * row_bytes):
        lines = [rows[start + y * row_bytes :][:span] for y in offsets]
        result += _mean_line(lines, channels, step, offsets, shift)
    return bytes(result)


def _mean_line(
    lines: list[bytes], channels: int, step: int, offsets: list[int], shift: int
) -> bytes:
    """The means of one row of squares, added up in 16-bit lanes of one big integer."""
    cells = len(lines[0]) // (step * channels)
    result = bytearray(cells * channels)
    for channel in range(channels):
        total = 0
        for line in lines:
            for x in offsets:
                lanes = bytearray(2 * cells)
                lanes[::2] = line[x * channels + channel :: step * channels]
                total += int.from_bytes(lanes, "little")
        means = (total >> shift).to_bytes(2 * cells, "little")
        result[channel::channels] = means[::2]
    return bytes(result)
