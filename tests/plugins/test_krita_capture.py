"""Reading a document in strips gives the same as reading it in one go."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client.capture import Capture
from inpaint_client.errors import InputError
from inpaint_client.events import Patch
from inpaint_client.geometry import Box, Extent
from inpaint_client.images import Picture, SampleType, Transfer
from inpaint_client.info import Limits
from inpaint_client.pixels import crop
from inpaint_krita.host.color import GRAY, SRGB, SRGB_LINEAR, Space
from inpaint_krita.host.document_protocol import Painting
from inpaint_krita.host.selection import KeptSelection, box_of, reduced
from inpaint_krita.runs.capture import STRIP_BYTES, capture, capture_again
from inpaint_krita.runs.paint import paintings

T = TypeVar("T")


@dataclass
class Memory:
    """A document's pixels in memory; records how much each call reads."""

    extent: Extent
    space: Space
    data: bytes
    selection: KeptSelection
    alpha: int = 255
    reads: list[int] = field(default_factory=list)
    conversions: list[tuple[Space, Space]] = field(default_factory=list)

    def read(self, box: Box) -> bytes:
        data = crop(self.data, self.extent, box, self.space.pixel_bytes)
        self.reads.append(len(data))
        return data

    def read_display(self, box: Box) -> bytes:
        return bytes([10, 20, 30, 255]) * box.extent.area

    def read_reduced(self, box: Box, step: int) -> bytes:
        assert (box.width % step, box.height % step) == (0, 0)
        self.reads.append(box.extent.area * self.space.pixel_bytes)
        return bytes([10, 20, 30, self.alpha]) * (box.extent.area // step**2)

    def read_coverage(self, box: Box) -> bytes:
        return self.selection.pixelData(*box)

    def convert(self, data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
        assert len(data) == extent.area * source.pixel_bytes
        self.conversions.append((source, target))
        return bytes(extent.area * target.pixel_bytes)


def finish(steps: Generator[None, None, T]) -> tuple[T, int]:
    turns = 0
    while True:
        try:
            next(steps)
            turns += 1
        except StopIteration as stop:
            return stop.value, turns


def noise(seed: int, size: int) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def document(extent: Extent, space: Space, box: Box, alpha: int = 255) -> Memory:
    data = bytearray(noise(extent.width, extent.area * space.pixel_bytes))
    if space.depth == "U8":
        data[space.pixel_bytes - 1 :: space.pixel_bytes] = bytes([alpha]) * extent.area
    selection = KeptSelection(box, b"\xff" * box.extent.area)
    return Memory(extent, space, bytes(data), selection)


def test_a_small_image_is_sent_completely_with_the_channels_in_order() -> None:
    memory = document(Extent(50, 40), Space("RGBA", "U8", SRGB), Box(10, 5, 20, 10))
    result, _ = finish(capture(memory, Box(10, 5, 20, 10), Limits()))
    assert result.crop_box == Box(0, 0, 50, 40)
    assert result.hole_box == Box(10, 5, 20, 10)
    assert result.overview is None
    expected = b"".join(
        memory.data[i + 2 : i + 3] + memory.data[i + 1 : i + 2] + memory.data[i : i + 1]
        for i in range(0, len(memory.data), 4)
    )
    assert (result.crop.channels, result.crop.data) == (3, expected)
    assert result.hole.data.count(255) == 200


def test_alpha_is_sent_only_if_something_is_transparent() -> None:
    memory = document(Extent(30, 20), Space("RGBA", "U8", SRGB), Box(1, 1, 5, 5), alpha=254)
    result, _ = finish(capture(memory, Box(1, 1, 5, 5), Limits()))
    assert result.crop.channels == 4
    assert result.crop.data[3::4] == b"\xfe" * 600


def test_gray_is_sent_as_gray() -> None:
    memory = document(Extent(30, 20), Space("GRAYA", "U8", GRAY), Box(1, 1, 5, 5))
    result, _ = finish(capture(memory, Box(1, 1, 5, 5), Limits()))
    assert (result.crop.channels, result.crop.data) == (1, memory.data[::2])


def test_a_large_image_is_read_in_strips_and_only_around_the_hole() -> None:
    extent = Extent(3000, 2600)
    memory = document(extent, Space("RGBA", "U8", SRGB), Box(1200, 900, 300, 200))
    result, turns = finish(capture(memory, Box(1200, 900, 300, 200), Limits()))
    assert result.crop_box.extent == Extent(1200, 1200)
    assert result.crop_box.contains(Box(1200, 900, 300, 200))
    assert max(memory.reads) <= STRIP_BYTES
    assert turns > 10
    assert result.overview is not None
    assert result.overview.extent.longest <= 512
    assert result.overview.data[:3] == bytes([30, 20, 10])
    start = (result.crop_box.y * extent.width + result.crop_box.x) * 4
    assert result.crop.data[:3] == memory.data[start : start + 3][::-1]


def test_of_a_large_crop_only_the_part_near_the_hole_is_sent_in_full() -> None:
    extent, hole = Extent(3000, 2600), Box(1000, 900, 900, 300)
    memory = document(extent, Space("RGBA", "U8", SRGB), hole)
    result, _ = finish(capture(memory, hole, Limits(max_context_side=2048)))
    assert result.crop_box == hole.grow(112)
    assert result.hole_box == hole
    assert result.overview is None
    assert result.context is not None
    assert result.context.box == Box(0, 0, 3000, 2598)
    assert result.context.image.extent == Extent(1000, 866)
    assert result.context.image.data[:3] == bytes([10, 20, 30])
    assert max(memory.reads) <= STRIP_BYTES
    again, _ = finish(capture_again(memory, hole, Limits()))
    assert (again.crop_box, again.context, again.overview) == (result.crop_box, None, None)
    assert (again.crop.data, again.hole.data) == (result.crop.data, result.hole.data)


def test_an_older_daemon_gets_the_complete_crop() -> None:
    hole = Box(1000, 900, 900, 300)
    memory = document(Extent(3000, 2600), Space("RGBA", "U8", SRGB), hole)
    result, _ = finish(capture(memory, hole, Limits()))
    assert result.crop_box == Box(0, 0, 3000, 2600)
    assert result.context is None


def test_other_spaces_are_converted_strip_by_strip() -> None:
    memory = document(Extent(64, 300), Space("CMYKA", "U8", "press"), Box(3, 3, 9, 9))
    result, _ = finish(capture(memory, Box(3, 3, 9, 9), Limits()))
    assert result.crop.sample_type is SampleType.U16
    assert {target for _, target in memory.conversions} == {Space("RGBA", "U16", SRGB)}


def test_linear_float_is_marked_as_linear() -> None:
    memory = document(Extent(16, 16), Space("RGBA", "F32", SRGB_LINEAR), Box(3, 3, 9, 9))
    result, _ = finish(capture(memory, Box(3, 3, 9, 9), Limits()))
    assert result.crop.transfer is Transfer.LINEAR


def test_a_selection_beyond_the_canvas_is_cut_or_refused() -> None:
    memory = document(Extent(50, 40), Space("RGBA", "U8", SRGB), Box(-10, -10, 30, 30))
    result: Capture = finish(capture(memory, Box(-10, -10, 30, 30), Limits()))[0]
    assert result.hole_box == Box(0, 0, 20, 20)
    with pytest.raises(InputError, match="outside"):
        finish(capture(memory, Box(100, 100, 5, 5), Limits()))


@given(
    box=st.builds(Box, *[st.integers(-20, 20)] * 2, *[st.integers(1, 20)] * 2),
    wanted=st.builds(Box, *[st.integers(-20, 20)] * 2, *[st.integers(1, 20)] * 2),
)
def test_a_kept_selection_reads_like_krita_s(box: Box, wanted: Box) -> None:
    coverage = bytes((7 * i + 1) % 256 for i in range(box.extent.area))
    kept = KeptSelection(box, coverage)
    assert box_of(kept) == box
    expected = bytes(
        coverage[(y - box.y) * box.width + x - box.x]
        if box.x <= x < box.right and box.y <= y < box.bottom
        else 0
        for y in range(wanted.y, wanted.bottom)
        for x in range(wanted.x, wanted.right)
    )
    assert kept.pixelData(*wanted) == expected


@given(
    st.tuples(st.integers(-9, 30), st.integers(-9, 30), st.integers(0, 40), st.integers(0, 40)),
    st.integers(1, 7),
)
def test_a_selection_is_reduced_to_every_nth_pixel_of_the_canvas(
    corner: tuple[int, int, int, int], step: int
) -> None:
    box, canvas = Box(*corner), Box(0, 0, 29, 23)
    kept = KeptSelection(box, bytes(1 + i % 255 for i in range(box.extent.area)))
    small, coverage = reduced(kept, canvas, step)
    whole = kept.pixelData(0, 0, 29, 23)
    expected = [whole[y * 29 : (y + 1) * 29 : step] for y in range(0, 23, step)]
    found = [bytearray(len(row)) for row in expected]
    for row in range(small.height):
        line = coverage[row * small.width : (row + 1) * small.width]
        found[small.y + row][small.x : small.right] = line
    assert found == expected


@pytest.mark.parametrize("rows", [1, 7, 900])
def test_a_patch_is_painted_in_strips_that_join_without_a_seam(rows: int) -> None:
    width = 600
    fill, coverage = noise(1, width * rows * 3), noise(2, width * rows)
    patch = Patch(
        Picture(width, rows, 3, fill), Picture(width, rows, 1, coverage), Box(5, 9, width, rows)
    )
    strips: list[Painting] = list(paintings([patch], Space("RGBA", "U8", SRGB), _no_conversion))
    assert [strip.box.y for strip in strips] == sorted(strip.box.y for strip in strips)
    assert sum(strip.box.height for strip in strips) == rows
    data = b"".join(strip.data for strip in strips)
    for i in (0, width * rows // 2, width * rows - 1):
        red, green, blue = fill[3 * i : 3 * i + 3]
        assert data[4 * i : 4 * i + 4] == bytes([blue, green, red, coverage[i]])


def _no_conversion(data: bytes, extent: Extent, source: Space, target: Space) -> bytes:
    raise AssertionError("nothing to convert")
