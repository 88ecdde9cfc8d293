"""Boxes against sets of pixels, crops against the rule of the contract."""

from __future__ import annotations

from math import dist, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inpaint_client import Box, Extent, Frame, InputError, crop_for_hole
from inpaint_client.geometry import (
    CONTEXT_SIDE,
    NEAR_PX,
    WHOLE_CROP_BYTES,
    largest_side,
    overview_step,
    parts_for_hole,
    union_of,
)

small = st.integers(-6, 6)
boxes = st.builds(Box, small, small, st.integers(0, 8), st.integers(0, 8))
sides = st.integers(1, 20_000)


def pixels(box: Box) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box.x, box.right) for y in range(box.y, box.bottom)}


@given(boxes, boxes)
def test_clamp_is_the_common_pixels(a: Box, b: Box) -> None:
    assert pixels(a.clamp(b)) == pixels(a) & pixels(b)


@given(boxes, boxes)
def test_contains_is_the_subset(a: Box, b: Box) -> None:
    assert a.contains(b) == (pixels(b) <= pixels(a))


@given(st.lists(boxes, max_size=4))
def test_union_is_the_tightest_box_around_all(several: list[Box]) -> None:
    every = set().union(*map(pixels, several)) if several else set()
    around = union_of(several)
    assert every <= pixels(around)
    if every:
        xs, ys = zip(*every, strict=True)
        assert around == Box.from_corners(min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    else:
        assert around.is_empty


@given(boxes, st.integers(0, 5))
def test_growing_and_shrinking_undo_each_other(box: Box, margin: int) -> None:
    if not box.is_empty:
        assert box.grow(margin).grow(-margin) == box


@given(boxes, st.integers(1, 4))
def test_strips_cover_every_row_once(box: Box, rows: int) -> None:
    strips = list(box.strips(rows))
    if not box.is_empty:
        assert sum(strip.height for strip in strips) == box.height
        assert set().union(*map(pixels, strips)) == pixels(box)
        assert all(strip.height <= rows for strip in strips)


@given(boxes, boxes)
def test_moved_into_keeps_the_size_where_the_canvas_allows(box: Box, canvas: Box) -> None:
    moved = box.moved_into(canvas)
    assert canvas.contains(moved)
    assert moved.extent == (min(box.width, canvas.width), min(box.height, canvas.height))


@given(st.data(), sides, sides)
def test_a_crop_holds_the_hole_and_follows_the_rule(
    data: st.DataObject, width: int, height: int
) -> None:
    canvas = Box(0, 0, width, height)
    x = data.draw(st.integers(0, width - 1))
    y = data.draw(st.integers(0, height - 1))
    hole = Box(
        x,
        y,
        data.draw(st.integers(1, min(8192, width - x))),
        data.draw(st.integers(1, min(8192, height - y))),
    )
    crop = crop_for_hole(hole, canvas)
    assert crop.contains(hole)
    assert canvas.contains(crop)
    if max(width, height) <= 2048:
        assert crop == canvas
    else:
        side = min(8192, max(1024, 4 * max(hole.width, hole.height)))
        assert crop.extent == (min(side, width), min(side, height))


def test_a_small_hole_in_a_large_canvas_is_in_the_middle_of_its_crop() -> None:
    crop = crop_for_hole(Box(5000, 4000, 100, 60), Box(0, 0, 10_000, 9000))
    assert crop == Box(4538, 3518, 1024, 1024)


def test_a_hole_beyond_the_canvas_is_cut_to_it() -> None:
    canvas = Box(0, 0, 4000, 4000)
    assert crop_for_hole(Box(-500, -500, 600, 600), canvas) == Box(0, 0, 1024, 1024)


@pytest.mark.parametrize("hole", [Box(0, 0, 0, 0), Box(-9, 0, 9, 9), Box(100, 0, 5, 5)])
def test_nothing_to_fill_is_refused(hole: Box) -> None:
    with pytest.raises(InputError, match="Select the region"):
        crop_for_hole(hole, Box(0, 0, 100, 100))


def test_a_hole_too_large_names_the_largest_size() -> None:
    canvas = Box(0, 0, 20_000, 20_000)
    with pytest.raises(InputError, match="at most 8192 x 8192 px"):
        crop_for_hole(Box(0, 0, 8193, 10), canvas)
    with pytest.raises(InputError, match="at most 5792 x 5792 px"):  # float RGBA, 512 MiB
        crop_for_hole(Box(0, 0, 6000, 10), canvas, pixel_bytes=16)
    assert crop_for_hole(Box(0, 0, 5792, 10), canvas, pixel_bytes=16).extent == (5792, 5792)


@given(st.integers(1, 16), st.integers(1, 1 << 30))
def test_the_largest_side_just_fits(pixel_bytes: int, max_bytes: int) -> None:
    side = largest_side(pixel_bytes, 1 << 20, max_bytes)
    assert side**2 * pixel_bytes <= max_bytes < (side + 1) ** 2 * pixel_bytes


@given(sides, sides)
def test_an_overview_is_at_most_512_px_and_no_smaller_than_need_be(width: int, height: int) -> None:
    step = overview_step(Extent(width, height))
    assert max(width, height) / step <= 512
    assert step == 1 or max(width, height) / (step - 1) > 512


@given(st.floats(-360, 360), st.floats(1, 5000))
def test_a_frame_is_a_square_around_its_center(angle: float, side: float) -> None:
    a, b, c, d = Frame(100.0, -50.0, side, angle).corners()
    for p, q in ((a, b), (b, c), (c, d), (d, a)):
        assert isclose(dist(p, q), side, rel_tol=1e-6)
    assert isclose((a.x + c.x) / 2, 100.0, abs_tol=1e-6)
    assert isclose((a.y + c.y) / 2, -50.0, abs_tol=1e-6)


def test_a_turned_frame_has_its_x_axis_upwards() -> None:
    """(cos a, -sin a): at 90 degrees the model's x axis points up in the document."""
    top_left, top_right, *_ = Frame(0.0, 0.0, 2.0, 90.0).corners()
    assert top_left == pytest.approx((-1.0, 1.0))
    assert top_right == pytest.approx((-1.0, -1.0))


@given(
    document=st.builds(Extent, st.integers(1, 12_000), st.integers(1, 12_000)),
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    size=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    pixel_bytes=st.sampled_from([1, 4, 8, 16]),
    max_context_side=st.sampled_from([0, 512, 2048]),
)
def test_the_parts_hold_what_a_fill_is_fitted_to_and_show_the_rest(
    document: Extent,
    corner: tuple[float, float],
    size: tuple[float, float],
    pixel_bytes: int,
    max_context_side: int,
) -> None:
    canvas = Box.of_extent(document)
    x, y = int(corner[0] * (document.width - 1)), int(corner[1] * (document.height - 1))
    width, height = (
        1 + int(share * (min(rest, 4000) - 1))
        for share, rest in zip(size, (document.width - x, document.height - y), strict=True)
    )
    hole = Box(x, y, width, height)
    wide = crop_for_hole(hole, canvas, pixel_bytes)
    parts = parts_for_hole(hole, canvas, pixel_bytes, max_context_side=max_context_side)
    if parts.context is None:
        assert parts.crop == wide
        assert not max_context_side or wide.extent.area * pixel_bytes <= WHOLE_CROP_BYTES
    else:
        assert parts.crop.contains(wide.clamp(hole.grow(NEAR_PX)))
        assert wide.contains(parts.crop)
        assert wide.contains(parts.context)
        assert parts.context.width % parts.step == parts.context.height % parts.step == 0
        assert parts.context.extent.longest <= parts.step * min(CONTEXT_SIDE, max_context_side)
        assert parts.context.extent.longest > wide.extent.longest - parts.step
    if not parts.shows(canvas):
        assert wide != canvas
